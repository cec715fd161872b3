import { describe, expect, it } from 'vitest';
import { arrangeDeath, bury, type Death } from '../../test/operator/mortal.ts';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import { eventually } from '../kube/testing/eventually.ts';

/** A life of some objects: made, attached, migrated, one of them gone again. */
function play(stage: Stage): void {
  const cast = createCast(stage.api);
  cast.node('n1');
  const vm = cast.vm('db');
  const vmi = cast.vmi('db', vm);
  cast.launcher('l1', vmi, { node: 'n1' });
  cast.pod('p1', { node: 'n1' });
  cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
}

function playOn(stage: Stage): void {
  const cast = createCast(stage.api);
  const vmi = stage.api.storage.list('kubevirt.io/v1/virtualmachineinstances')[0];
  const vmim = cast.vmim('m', 'db');
  if (vmi !== undefined) cast.launcher('l2', vmi, { node: 'n2', job: vmim.metadata.uid ?? '' });
  cast.remove('pods', 'a/p1');
}

const isSettled = async (stage: Stage): Promise<boolean> => {
  const lsps = await stage.listLsps();
  const ports = stage.listPorts();
  const status = ports[0]?.status?.conditions?.find(({ type }) => type === 'Programmed')?.status;
  return lsps.size === 1 && ports.length === 1 && lsps.get('vm/a/db/default')?.chassis === 'n1,n2' && status === 'True';
};

/** One life with one death, then a fresh operator. Gives how many writes the first one came to. */
async function runLife(death: Death): Promise<number> {
  await using stage = await startStage();
  const mortal = arrangeDeath(stage.api, death);
  play(stage);
  const first = await stage.start({ wrapNb: mortal.wrapNb });
  const half = async () => (await stage.listLsps()).size === 2;
  await until('half of the life, or death', async () => mortal.dead || (await half()));
  const address = stage.findPort('a/db.default.vm')?.spec.ips[0];
  playOn(stage);
  await until('the end, or death', async () => mortal.dead || (await isSettled(stage)));
  await bury(stage, first);
  await stage.start();
  await until('one port, as wanted', () => isSettled(stage));
  const port = stage.findPort('a/db.default.vm');
  if (address !== undefined) expect(port?.spec.ips[0]).toBe(address);
  expect((await stage.listLsps()).get('vm/a/db/default')?.addresses).toBe(`${port?.spec.mac} ${port?.spec.ips[0]}`);
  const routers = Object.keys((await stage.nb.dump()).Logical_Router ?? {});
  expect(routers).toEqual(['vpc/default']);
  await eventually('the counts', () => stage.findSubnet('default')?.status?.v4usingIPs !== undefined);
  return mortal.writes;
}

describe('F01 F02 an operator that dies at any write', () => {
  it('is followed by one that ends up with the same addresses and nothing twice', async () => {
    const writes = await runLife({ write: Number.POSITIVE_INFINITY, when: 'before' });
    expect(writes).toBeGreaterThan(10);
    for (let write = 1; write <= writes; write += 1) {
      for (const when of ['before', 'after'] as const) {
        await runLife({ write, when }).catch((error: unknown) => {
          throw new Error(`death ${when} write ${write} of ${writes}`, { cause: error });
        });
      }
    }
  }, 300_000);
});
