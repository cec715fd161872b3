import { describe, expect, it } from 'vitest';
import { createCast } from '../../test/operator/objects.ts';
import { type Stage, startStage, until } from '../../test/operator/stage.ts';
import { eventually } from '../kube/testing/eventually.ts';
import type { NbClient } from '../ovn/database.ts';
import { ConnectionError } from '../ovsdb/index.ts';

/** When the process dies: before its n-th write takes effect, or after, but before it learns of it. */
type Death = { readonly write: number; readonly when: 'before' | 'after' };

const isLease = (collection: string): boolean => collection.endsWith('/leases');

/** Lets the operator on this stage die at the chosen write, of either server; counts the writes there were. */
function arrangeDeath(stage: Stage, death: Death) {
  const state = { writes: 0, dead: false };
  const happens = (): 'before' | 'after' | undefined => {
    state.writes += 1;
    if (state.writes !== death.write) return undefined;
    state.dead = true;
    return death.when;
  };
  stage.api.fault = ({ verb, collection }) => {
    if (state.dead) return 'reset';
    const isWrite = ['create', 'update', 'patch', 'delete'].includes(verb) && !isLease(collection);
    const fate = isWrite ? happens() : undefined;
    if (fate === undefined) return undefined;
    return fate === 'before' ? 'reset' : 'lostAnswer';
  };
  const wrapNb = (nb: NbClient): NbClient => {
    const { client } = nb;
    const transactAndSync: typeof client.transactAndSync = async (operations, options) => {
      const fate = state.dead ? 'before' : happens();
      if (fate === 'before') throw new ConnectionError('the process is dead');
      const results = await client.transactAndSync(operations, options);
      if (fate === 'after') throw new ConnectionError('the process is dead');
      return results;
    };
    const dying = new Proxy(client, {
      get: (target, name) => {
        if (name === 'transactAndSync') return transactAndSync;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { ...nb, client: dying };
  };
  return { state, wrapNb };
}

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
  const { state, wrapNb } = arrangeDeath(stage, death);
  play(stage);
  const first = await stage.start({ wrapNb });
  const half = async () => (await stage.listLsps()).size === 2;
  await until('half of the life, or death', async () => state.dead || (await half()));
  const address = stage.findPort('a/db.default.vm')?.spec.ips[0];
  playOn(stage);
  await until('the end, or death', async () => state.dead || (await isSettled(stage)));
  await first.stop();
  stage.api.fault = undefined;
  for (const lease of stage.api.storage.list('coordination.k8s.io/v1/leases')) {
    stage.api.storage.remove('coordination.k8s.io/v1/leases', `${lease.metadata.namespace}/${lease.metadata.name}`);
  }
  await stage.start();
  await until('one port, as wanted', () => isSettled(stage));
  const port = stage.findPort('a/db.default.vm');
  if (address !== undefined) expect(port?.spec.ips[0]).toBe(address);
  expect((await stage.listLsps()).get('vm/a/db/default')?.addresses).toBe(`${port?.spec.mac} ${port?.spec.ips[0]}`);
  const routers = Object.keys((await stage.nb.dump()).Logical_Router ?? {});
  expect(routers).toEqual(['vpc/default']);
  await eventually('the counts', () => stage.findSubnet('default')?.status?.v4usingIPs !== undefined);
  return state.writes;
}

describe('an operator that dies at any write (F01, F02)', () => {
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
