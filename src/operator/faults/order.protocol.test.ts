import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceMethod } from '../../../test/operator/mortal.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { postSentinel, type Sentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, type Stage, type StartOptions, startStage, until } from '../../../test/operator/stage.ts';
import { eventually } from '../../kube/testing/eventually.ts';

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
  expect(sentinel.wrong).toEqual([]);
  await stage[Symbol.asyncDispose]();
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const fixed = (ip: string) => ({ annotations: { 'mooring.dev/nics': JSON.stringify({ eth0: { ips: [ip] } }) } });

/** A database that takes its time: nothing is written to it between `hold` and `letGo`. */
function arrangeHold() {
  let gate: PromiseWithResolvers<void> | undefined;
  let waiting = 0;
  const options: StartOptions = {
    wrapNb: (nb) => {
      const { client } = nb;
      const transactAndSync: typeof client.transactAndSync = async (operations, how) => {
        waiting += 1;
        await gate?.promise;
        return client.transactAndSync(operations, how);
      };
      return { ...nb, client: replaceMethod(client, 'transactAndSync', transactAndSync) };
    },
  };
  return {
    options,
    hold: () => {
      gate = Promise.withResolvers();
      waiting = 0;
    },
    isHeld: () => gate !== undefined && waiting > 0,
    letGo: () => {
      gate?.resolve();
      gate = undefined;
    },
  };
}

describe('the order of writes, which a death may cut anywhere', () => {
  it('F01 an address is free only when its row is gone: until then the LogicalPort holds it', async () => {
    const nb = arrangeHold();
    await stage.start(nb.options);
    cast.pod('p1', fixed('10.16.0.50'));
    await findLsp('pod/a/p1/eth0');
    await eventually('a status', () => stage.findPort('a/p1.eth0.pod')?.status !== undefined);
    nb.hold();
    cast.remove('pods', 'a/p1');
    await eventually('the removal is held', nb.isHeld);
    cast.pod('p2', fixed('10.16.0.50'));
    await eventually('the refusal', () => stage.events().includes('Pod/p2 AddressInUse'));
    expect(stage.findPort('a/p1.eth0.pod')?.spec.ips).toEqual(['10.16.0.50']);
    expect((await findLsp('pod/a/p1/eth0')).addresses).toContain('10.16.0.50');
    nb.letGo();
    expect((await findLsp('pod/a/p2/eth0')).addresses).toContain('10.16.0.50');
    await whenSound(stage);
  });

  it('F02 a row comes only after the LogicalPort: while that cannot be made, there is none', async () => {
    await stage.start();
    let attempts = 0;
    stage.api.fault = ({ verb, collection }) => {
      if (verb !== 'create' || collection !== COLLECTIONS.ports) return undefined;
      attempts += 1;
      return { status: 500 };
    };
    cast.pod('p1');
    cast.vm('db');
    await eventually('attempts', () => attempts > 4);
    expect((await stage.listLsps()).size).toBe(0);
    stage.api.fault = undefined;
    await findLsp('pod/a/p1/eth0');
    await findLsp('vm/a/db/default');
    await whenSound(stage);
  });

  it('F38 the old address of a stopped VM is free only when the row has the new one', async () => {
    const ask = (ip: string) => ({ 'mooring.dev/nics': JSON.stringify({ default: { ips: [ip] } }) });
    const nb = arrangeHold();
    await stage.start(nb.options);
    cast.vm('db', { annotations: ask('10.16.0.50') });
    await findLsp('vm/a/db/default');
    nb.hold();
    cast.patch('vms', 'a/db', { spec: { template: { metadata: { annotations: ask('10.16.0.60') } } } });
    await eventually('the new row is held', nb.isHeld);
    cast.pod('p2', fixed('10.16.0.50'));
    await eventually('the refusal', () => stage.events().includes('Pod/p2 AddressInUse'));
    cast.pod('p3', fixed('10.16.0.60'));
    await eventually('the other refusal', () => stage.events().includes('Pod/p3 AddressInUse'));
    nb.letGo();
    expect((await findLsp('pod/a/p2/eth0')).addresses).toContain('10.16.0.50');
    expect((await findLsp('vm/a/db/default')).addresses).toContain('10.16.0.60');
    await whenSound(stage);
  });
});
