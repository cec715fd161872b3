import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { postSentinel, type Sentinel } from '../../test/operator/sentinel.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import type { Transport } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
let sentinel: Sentinel;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  sentinel = postSentinel(stage);
});
afterEach(async () => {
  sentinel[Symbol.dispose]();
  await stage[Symbol.asyncDispose]();
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));

/** A watch of LogicalPorts that is open and tells nothing any more. */
function deafen(transport: Transport): Transport {
  return {
    ...transport,
    stream: async function* (request) {
      const isDeaf = request.path.endsWith('/logicalports');
      for await (const line of transport.stream(request)) if (!isDeaf) yield line;
    },
  };
}

describe('F29 F45 a new leader whose watch of LogicalPorts is behind', () => {
  it('gives nobody an address that the leader before it gave last', async () => {
    const first = await stage.start();
    cast.pod('p0');
    await findLsp('pod/a/p0/eth0');
    const second = await stage.start({ wrapTransport: deafen });
    await eventually('caches', () => second.operator.findObstacle() === undefined);
    // An address whose owner and rows are gone: nothing but the LogicalPort tells of it.
    cast.vm('kept', { annotations: { 'mooring.dev/release-policy': 'Retain' } });
    await findLsp('vm/a/kept/default');
    cast.remove('vms', 'a/kept');
    await eventually('retained', () => stage.findPort('a/kept.default.vm')?.status?.phase === 'Released');
    await first.stop();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    expect(stage.findPort('a/kept.default.vm')?.spec.ips).toEqual(['10.16.0.3']);
    expect(stage.findPort('a/p1.eth0.pod')?.spec.ips).toEqual(['10.16.0.4']);
    expect(sentinel.wrong).toEqual([]);
  });

  it('waits for nothing when the watch is up to date', async () => {
    const first = await stage.start();
    cast.pod('p0');
    await findLsp('pod/a/p0/eth0');
    await first.stop();
    const second = await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    expect(second.log.lines.map(({ message }) => message)).not.toContain(
      'the cache of LogicalPorts is behind; listing them anew',
    );
  });
});
