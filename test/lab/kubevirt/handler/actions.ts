import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../../command.ts';
import { type GuestOptions, startGuest } from '../../guest/guest.ts';
import type { GuestImage } from '../../guest/image.ts';
import type { LabNode } from '../../state.ts';
import { formatHostname } from '../names.ts';
import { type BindingPlugin, identityOf, type MigrationState, type Pod, type Vmi } from '../objects.ts';
import { parseMebibytes } from '../quantity.ts';
import { parseResolver } from './dhcp.ts';
import { saveFigures } from './figures.ts';
import { findLauncherPid } from './launcher.ts';
import type { Monitors } from './monitors.ts';
import { findProcess, isSetUp, kill, readPodNetwork, setUpNetwork, startDhcp } from './netns.ts';
import type { Guest } from './plan.ts';
import type { GuestRecord, Process, Records } from './record.ts';
import { startSourceRelay, startTargetRelay } from './relay.ts';
import { namesOf, planNics, WiringError } from './wiring.ts';

/** What the actions of one node work with. */
export type NodeTools = {
  labDir: string;
  node: LabNode;
  image: GuestImage;
  records: Records;
  monitors: Monitors;
  plugins: () => Readonly<Record<string, BindingPlugin>>;
};

const DOWNTIME_LIMIT_MS = 50;
/** Bytes a second: unbounded copying would take the processor from the guests on two cores. */
const BANDWIDTH = 64 * 2 ** 20;
const POWERDOWN_EVERY_MS = 500;

/**
 * Wires a launcher's netns and starts QEMU in it, booting or waiting for a migration. May be repeated after a crash at
 * any point. Returns false while the launcher's container is not there; throws WiringError when the netns does not
 * allow what the VMI asks for.
 */
export async function startLauncher(tools: NodeTools, vmi: Vmi, pod: Pod, migrationUid?: string): Promise<boolean> {
  const pid = await findLauncherPid(tools.node, pod);
  if (pid === undefined) return false;
  const netns = `/proc/${pid}/ns/net`;
  const wired = await ensureWired(tools, vmi, { pod, netns });
  const dir = tools.records.dirOf(wired.podUid);
  const record = { ...wired, dhcp: wired.dhcp ?? (await serveDhcp({ record: wired, dir, netns, pid }, vmi)) };
  const options = { image: tools.image, dir, netns, name: record.vmi, ...deriveMachine(record, vmi) };
  if (migrationUid === undefined) {
    await tools.records.save({ ...record, stage: 'booted', qemu: await startQemu(options) });
    return true;
  }
  const incoming = join(dir, 'mig');
  const relay = await openTarget(tools, dir, incoming);
  const qemu = await startQemu({ ...options, incoming });
  await tools.records.save({ ...record, stage: 'incoming', relay, migrationUid, qemu });
  return true;
}

function deriveMachine(record: GuestRecord, vmi: Vmi): Pick<GuestOptions, 'nics' | 'memoryMiB'> {
  return {
    nics: record.nics.map((nic) => ({ tap: namesOf(nic).tap, mac: nic.mac, mtu: nic.mtu })),
    memoryMiB: parseMebibytes(vmi.spec.domain.memory?.guest ?? '128Mi'),
  };
}

async function startQemu(options: GuestOptions): Promise<Process> {
  const pid = await startGuest(options);
  return findProcess(pid) ?? { pid, start: '' };
}

async function ensureWired(
  tools: NodeTools,
  vmi: Vmi,
  { pod, netns }: { pod: Pod; netns: string },
): Promise<GuestRecord> {
  const { uid: podUid, name: podName } = identityOf(pod);
  const known = (await tools.records.load()).find((one) => one.podUid === podUid);
  if (known !== undefined) return resumeWiring(known, netns);
  const { name, namespace, uid: vmiUid } = identityOf(vmi);
  const nics = planNics(vmi.spec, await readPodNetwork(netns), tools.plugins());
  const identity = { podUid, podName, namespace, vmi: name, vmiUid, node: tools.node.name };
  await tools.records.save({ ...identity, stage: 'preparing', nics });
  await setUpNetwork(netns, nics).catch((error: unknown) => {
    throw error instanceof CommandError ? new WiringError(error.message) : error;
  });
  const prepared: GuestRecord = { ...identity, stage: 'prepared', nics };
  await tools.records.save(prepared);
  return prepared;
}

/** Goes on after a restart. As in KubeVirt, a netns that was left half wired is a failure. */
async function resumeWiring(known: GuestRecord, netns: string): Promise<GuestRecord> {
  if (known.stage !== 'preparing' || (await isSetUp(netns, known.nics))) return { ...known, stage: 'prepared' };
  throw new WiringError('the node half was stopped while it wired the launcher');
}

type Launcher = { record: GuestRecord; dir: string; netns: string; pid: number };

async function serveDhcp({ record, dir, netns, pid }: Launcher, vmi: Vmi) {
  const resolver = parseResolver(await readFile(`/proc/${pid}/root/etc/resolv.conf`, 'utf8').catch(() => ''));
  return startDhcp(record.nics, { netns, dir, hostname: formatHostname(record.vmi, vmi.spec.hostname), resolver });
}

function openTarget(tools: NodeTools, dir: string, socket: string) {
  const { netns, migrationIp: address } = tools.node;
  return startTargetRelay({ netns: `/run/netns/${netns}`, address, socket, log: join(dir, 'relay.log') });
}

/** Asks the guest to power off, again every half second, and ends QEMU when the VMI's grace period is over. */
export async function shutDown(tools: NodeTools, { record }: Guest, graceSeconds: number): Promise<number> {
  const since = record.shutdownSince ?? Date.now();
  if (record.shutdownSince === undefined) await tools.records.save({ ...record, shutdownSince: since });
  const qmp = await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid));
  const late = Date.now() - since > graceSeconds * 1000;
  if (late || qmp === undefined) kill(record.qemu);
  else await qmp.execute('system_powerdown').catch(() => undefined);
  return POWERDOWN_EVERY_MS;
}

/** Ends what a launcher holds on the node, and the launcher itself with code 0, or 1 when it `failed`. */
export async function reap(tools: NodeTools, guest: Guest, failed = false): Promise<void> {
  const { record, pod } = guest;
  tools.monitors.drop(record.podUid);
  for (const known of [record.qemu, record.relay, ...(record.dhcp ?? [])]) kill(known);
  await tools.records.save({ ...record, released: true });
  const pid = pod === undefined ? undefined : await findLauncherPid(tools.node, pod);
  if (pid !== undefined) process.kill(pid, failed ? 'SIGUSR2' : 'SIGUSR1');
}

/** Forgets a launcher that has ended. Whatever of it still runs is ended first. */
export async function forget(tools: NodeTools, { record }: Guest): Promise<void> {
  tools.monitors.drop(record.podUid);
  for (const known of [record.qemu, record.relay, ...(record.dhcp ?? [])]) kill(known);
  await tools.records.drop(record.podUid);
}

/** Starts the outgoing migration over the migration network. */
export async function send(tools: NodeTools, { record, migrate }: Guest, state: MigrationState): Promise<undefined> {
  const dir = tools.records.dirOf(record.podUid);
  const qmp = await tools.monitors.find(record.podUid, dir);
  const port = Object.entries(state.targetDirectMigrationNodePorts ?? {}).find(([, role]) => role === 49152)?.[0];
  if (qmp === undefined || port === undefined) throw new Error('cannot send: no monitor or no port');
  let { relay } = record;
  if (migrate !== 'active' && migrate !== 'setup') {
    kill(relay);
    const socket = join(dir, 'out');
    const address = state.targetNodeAddress ?? '';
    const netns = `/run/netns/${tools.node.netns}`;
    relay = await startSourceRelay({ netns, socket, address, port: Number(port), log: join(dir, 'relay.log') });
    const limits = { 'downtime-limit': DOWNTIME_LIMIT_MS, 'max-bandwidth': BANDWIDTH };
    await qmp.execute('migrate-set-parameters', limits);
    await qmp.execute('migrate', { uri: `unix:${socket}` });
  }
  await tools.records.save({ ...record, migrationUid: state.migrationUid, ...(relay === undefined ? {} : { relay }) });
}

export async function cancel(tools: NodeTools, { record }: Guest): Promise<void> {
  const qmp = await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid));
  await qmp?.execute('migrate_cancel');
}

type MigrateInfo = {
  downtime?: number;
  'total-time'?: number;
  'setup-time'?: number;
  'error-desc'?: string;
  ram?: { transferred?: number };
};

/** Reads QEMU's own account of a migration that has ended; returns why it failed, if it says so. */
export async function takeFigures(tools: NodeTools, record: GuestRecord): Promise<string | undefined> {
  const qmp = await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid));
  const info = (await qmp?.execute('query-migrate').catch(() => undefined)) as MigrateInfo | undefined;
  if (info?.downtime !== undefined && record.migrationUid !== undefined) {
    saveFigures(tools.labDir, {
      ...{ uid: record.migrationUid, namespace: record.namespace, vmi: record.vmi, qemuDowntimeMs: info.downtime },
      ...(info['total-time'] === undefined ? {} : { totalMs: info['total-time'] }),
      ...(info['setup-time'] === undefined ? {} : { setupMs: info['setup-time'] }),
      ...(info.ram?.transferred === undefined ? {} : { transferredBytes: info.ram.transferred }),
    });
  }
  return info?.['error-desc'];
}
