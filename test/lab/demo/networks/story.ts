import { applyThings, type Context, DemoError, expectSoon, findThing, listThings } from '../context.ts';
import { NAMESPACE } from '../manifests.ts';
import { type Migration, migrateVm, type Timeline } from '../migrations.ts';
import { deletePod } from '../pods.ts';
import { awaitVm, restartVm } from '../vms.ts';
import { FOUR, formatFourNics, formatNeighbour, formatNetworks, formatPooled, POOL } from './manifests.ts';
import { findMissingInGuest, getStatusIps, isReachable, isSameNic, listNics, type Nic, type NicFacts } from './nics.ts';
import { type Told, tellTold } from './told.ts';

/** A pod on the macvlan network: our address on another plugin's NIC. */
export type Neighbour = { pod: string; nic: string; subnet: string; ips: string[]; reachable: boolean };
/** A replica of the StatefulSet with a pool. */
export type Pooled = { pod: string; ip: string; wanted: string; sameAfterRestart: boolean };

export type Networks = { nics: Nic[]; neighbours: Neighbour[]; pool: Pooled[]; told: Told };
export type NetworksPart = Networks & { problems: string[]; migration: Migration; timeline: Timeline };

const NEIGHBOURS = [
  { name: 'neighbour-a', ip: '172.30.0.50' },
  { name: 'neighbour-b', ip: '172.30.0.51' },
] as const;

/** A VM with four NICs beside pods on the same networks, a macvlan network with our addresses, and a StatefulSet with a pool. */
export async function tellNetworks(context: Context): Promise<NetworksPart> {
  const { say } = context;
  say('many NICs: two networks of ours (one dual-stack), one by macvlan with our addresses, a VM with four NICs');
  await applyThings(context, formatNetworks());
  const neighbours = NEIGHBOURS.map(({ name, ip }) => formatNeighbour(name, ip));
  await applyThings(context, [formatFourNics(), ...neighbours, formatPooled()]);
  await Promise.all(NEIGHBOURS.map(({ name }) => awaitPod(context, name)));
  await awaitVm(context, FOUR);
  const before = await listNics(context, FOUR);
  if (before.length !== 4) throw new DemoError(`${FOUR} has ${before.length} LogicalPorts instead of 4`);
  const problems = await findMissingInGuest(context, FOUR, before);
  const reachable = await reachAll(context, before);
  say(
    `  ${before.map(({ nic, ips }, at) => `${nic} ${ips.join(' ')} ${reachable[at] ? 'answers' : 'SILENT'}`).join('; ')}`,
  );
  const pool = checkPool(context);
  await restartVm(context, FOUR, true);
  const restarted = await check(context, 'restart', problems);
  const { migration, timeline } = await migrateVm(context, {
    name: 'four',
    vm: FOUR,
    binding: 'bridge',
    killOperator: false,
  });
  const migrated = await check(context, 'migration', problems);
  say(
    `  after a restart elsewhere and a migration to ${migration.to} the addresses are ${before.every((nic) => isSameNic(nic, migrated.nics)) ? 'the same' : 'NOT the same'}`,
  );
  const nics = before.map((nic, at) => ({
    ...nic,
    reachable: [reachable, restarted.reachable, migrated.reachable].every((answers) => answers[at] === true),
    sameAfterRestart: isSameNic(nic, restarted.nics),
    sameAfterMigration: isSameNic(nic, migrated.nics),
  }));
  const told = await tellTold(context, NEIGHBOURS[0].name);
  return { nics, neighbours: await checkNeighbours(context), pool: await pool, told, problems, migration, timeline };
}

async function awaitPod(context: Context, name: string): Promise<void> {
  await expectSoon(`pod ${name} running`, 60, async () =>
    (await findThing(context, 'pod', name))?.status?.phase === 'Running' ? true : undefined,
  );
}

function reachAll(context: Context, nics: readonly NicFacts[]): Promise<boolean[]> {
  return Promise.all(nics.map(({ ips }) => isReachable(context, NEIGHBOURS[0].name, ips)));
}

async function check(context: Context, after: string, problems: string[]) {
  const nics = await listNics(context, FOUR);
  const missing = await findMissingInGuest(context, FOUR, nics);
  problems.push(...missing.map((what) => `after the ${after}: not in the guest: ${what}`));
  return { nics, reachable: await reachAll(context, nics) };
}

async function checkNeighbours(context: Context): Promise<Neighbour[]> {
  return Promise.all(
    NEIGHBOURS.map(async ({ name }, at) => {
      const ips = await getStatusIps(context, name, 'mac0');
      const from = NEIGHBOURS[1 - at]?.name ?? '';
      return { pod: name, nic: 'mac0', subnet: 'demo-macvlan', ips, reachable: await isReachable(context, from, ips) };
    }),
  );
}

/** The replicas have the pool's addresses by ordinal, and one that is deleted comes back with its own. */
async function checkPool(context: Context): Promise<Pooled[]> {
  const first = await listPooled(context);
  await deletePod(context, 'pooled-1');
  const second = await listPooled(context);
  return first.map(({ pod, ip }, at) => ({
    pod,
    ip,
    wanted: POOL[at] ?? '',
    sameAfterRestart: second.find((other) => other.pod === pod)?.ip === ip,
  }));
}

function listPooled(context: Context): Promise<{ pod: string; ip: string }[]> {
  return expectSoon('three replicas of pooled', 60, async () => {
    const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', 'app=pooled']);
    const ready = pods.filter(({ metadata, status }) => status?.phase === 'Running' && !metadata.deletionTimestamp);
    if (ready.length !== POOL.length) return undefined;
    const found = ready.map(({ metadata, status }) => ({ pod: metadata.name, ip: String(status.podIP) }));
    return found.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  });
}
