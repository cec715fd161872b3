import { LEADER_MARK } from '../../src/api/annotations.ts';
import { CLUSTER_KEY, OWNER_KEY } from '../../src/api/owner.ts';
import type { LogicalPort, Subnet } from '../../src/api/types.gen.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { audit, auditAlways, type Snapshot, type SwitchPort } from '../../src/operator/testing/audit.ts';
import { NB } from '../../src/ovn/schema/nb.gen.ts';
import { freeLease } from './mortal.ts';
import { COLLECTIONS, makeSettings, type Stage, type Started, type StartOptions, until } from './stage.ts';

/** The stage as the audit reads it. */
export function takeSnapshot(stage: Stage): Snapshot {
  const { storage } = stage.api;
  const list = <T>(collection: string): T[] => storage.list(collection) as unknown as T[];
  const owners = [COLLECTIONS.vms, COLLECTIONS.vmis, COLLECTIONS.pods].flatMap((collection) =>
    storage.list(collection),
  );
  const claims = storage.list(COLLECTIONS.ipamClaims);
  return {
    cluster: makeSettings().cluster,
    ports: list<LogicalPort>(COLLECTIONS.ports),
    subnets: list<Subnet>(COLLECTIONS.subnets),
    switchPorts: listSwitchPorts(stage),
    owners: new Set(owners.flatMap(({ metadata }) => metadata.uid ?? [])),
    claims: new Set(claims.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)),
  };
}

/** Every switch port, by the replica of the test's own client. */
export function listSwitchPorts({ nb }: Pick<Stage, 'nb'>): SwitchPort[] {
  const { observed } = nb.nb;
  const ports = observed.rows(NB.Logical_Switch_Port);
  return [...observed.rows(NB.Logical_Switch).values()].flatMap((home) =>
    home.ports.flatMap((uuid) => {
      const row = ports.get(uuid);
      if (row === undefined) return [];
      const { name, type, addresses, external_ids: ids, options } = row;
      const chassis = options.get('requested-chassis');
      return [
        { switch: home.name, name, type, addresses, owner: ids.get(OWNER_KEY), cluster: ids.get(CLUSTER_KEY), chassis },
      ];
    }),
  );
}

/** Waits until everything has settled as it must; says what is still wrong when it never does. */
export async function whenSound(stage: Stage): Promise<void> {
  let wrong: string[] = [];
  await until('a sound state', async () => {
    await catchUp(stage);
    wrong = audit(takeSnapshot(stage));
    return wrong.length === 0;
  }).catch((error: unknown) => {
    throw new Error(`not sound:\n${wrong.join('\n')}`, { cause: error });
  });
}

/** The answer to a transaction comes after all updates before it. */
async function catchUp({ nb }: Stage): Promise<void> {
  await nb.nb.client.transactAndSync([{ op: 'comment', comment: 'catch up' }]);
}

export type Sentinel = Disposable & {
  /** Violations seen so far, each once. */
  readonly wrong: readonly string[];
};

/** Looks after every change of either side whether somebody has an address twice, however short. */
export function postSentinel(stage: Stage): Sentinel {
  const wrong = new Set<string>();
  const look = () => {
    for (const problem of auditAlways(takeSnapshot(stage))) wrong.add(problem);
  };
  const ends = [stage.nb.nb.client.onChange(look), stage.api.storage.subscribe(look)];
  return {
    get wrong() {
      return [...wrong];
    },
    [Symbol.dispose]: () => {
      for (const end of ends) end();
    },
  };
}

/** All that operators write, without what tells of time: leases, events, versions, the epoch. */
async function recordState(stage: Stage): Promise<unknown> {
  const kinds = ['subnets', 'vpcs', 'ipPools', 'nodes', 'ipamClaims'] as const;
  const others = kinds.flatMap((kind) => stage.api.storage.list(COLLECTIONS[kind]));
  const objects = [...stage.api.storage.list(COLLECTIONS.ports).map(dropMark), ...others];
  const { Address_Set: _, ...rows } = await stage.nb.dump();
  return { objects, rows };
}

/** A new leader marks one LogicalPort, and with it its version. */
function dropMark(object: KubeObject): object {
  const { annotations: { [LEADER_MARK]: _, ...annotations } = {}, ...metadata } = object.metadata ?? {};
  const { resourceVersion: __, ...rest } = metadata;
  return { ...object, metadata: { ...rest, annotations } };
}

/**
 * A new operator that starts from nothing on a sound state has the same opinion as the one before, which had it by
 * following every change: it looks at everything and writes nothing (I9, I11). Leaves the new one running.
 */
export async function expectIdle(stage: Stage, old: Started, options?: StartOptions): Promise<Started> {
  await whenThrough(old);
  await whenSound(stage);
  await whenStill(stage);
  await old.stop();
  if (options?.lease !== undefined) freeLease(stage.api);
  const before = await recordState(stage);
  const next = await stage.start(options);
  await whenThrough(next);
  const after = await recordState(stage);
  const [was, is] = [JSON.stringify(before, null, 1), JSON.stringify(after, null, 1)];
  if (was !== is) throw new Error(`a new operator changes what the old one left:\n${diffLines(was, is)}`);
  return next;
}

/** The operator has looked at everything once. Before that nothing is written either, and an empty database is sound. */
const whenThrough = ({ log }: Started): Promise<unknown> =>
  until('the first pass', async () => log.lines.some(({ message }) => message === 'first pass done'));

/** No write for a while: late statuses aside, the old operator is through. */
async function whenStill(stage: Stage): Promise<void> {
  let last = '';
  let since = performance.now();
  await until('nothing is written any more', async () => {
    const now = JSON.stringify(await recordState(stage));
    if (now !== last) since = performance.now();
    last = now;
    return performance.now() - since > QUIET_MS;
  });
}

const QUIET_MS = 300;

function diffLines(was: string, is: string): string {
  const [a, b] = [was.split('\n'), is.split('\n')];
  const gone = a.filter((line) => !b.includes(line)).map((line) => `- ${line.trim()}`);
  const come = b.filter((line) => !a.includes(line)).map((line) => `+ ${line.trim()}`);
  return [...gone, ...come].slice(0, 40).join('\n');
}
