import { join } from 'node:path';
import type { Qmp } from '../../guest/qmp.ts';
import type { MigrationConfiguration, MigrationState } from '../objects.ts';
import { parseBytes } from '../quantity.ts';
import { type MigrationFigures, saveFigures } from './figures.ts';
import { isAlive, kill } from './netns.ts';
import type { GuestRecord } from './record.ts';
import { startSourceRelay, startTargetRelay } from './relay.ts';
import type { NodeTools } from './tools.ts';
import type { Guest } from './view.ts';

const DOWNTIME_LIMIT_MS = 50;
/** Bytes a second where KubeVirt has no limit: unbounded copying would take the processor from the guests on two cores. */
export const BANDWIDTH = 64 * 2 ** 20;

export type TargetRelay = NonNullable<GuestRecord['relay']>;

/** QEMU's `max-bandwidth`, bytes a second, by what the KubeVirt CR says; 0 and nothing mean the lab's own limit. */
export function deriveBandwidth(configuration: MigrationConfiguration | undefined): number {
  const asked = parseBytes(String(configuration?.bandwidthPerMigration ?? '0'));
  return asked === 0 ? BANDWIDTH : asked;
}

/** The target's relay in the node's virt-handler pod, opened when it is not; undefined while the pod is not ready. */
export async function ensureTargetRelay(tools: NodeTools, record: GuestRecord): Promise<TargetRelay | undefined> {
  if (isAlive(record.relay)) return record.relay;
  const pod = await tools.traffic.find();
  if (pod === undefined) return undefined;
  const dir = tools.records.dirOf(record.podUid);
  const relay = await startTargetRelay(pod, { socket: join(dir, 'mig'), log: join(dir, 'relay.log') });
  return { ...relay, address: pod.address, network: pod.network };
}

/**
 * Makes a target ready for its source: relay, and the capability that post-copy needs on both sides. Undefined while
 * the virt-handler pod is not ready.
 */
export async function prepareTarget(
  tools: NodeTools,
  { record }: Guest,
  postCopy: boolean,
): Promise<TargetRelay | undefined> {
  const relay = await ensureTargetRelay(tools, record);
  if (relay === undefined) return undefined;
  await tools.records.save({ ...record, relay });
  if (postCopy) await enable(await getMonitor(tools, record), ['postcopy-ram']);
  return relay;
}

type Sending = { state: MigrationState; postCopy: boolean };

/** Starts the outgoing migration through the node's virt-handler pod. False while that pod is not ready. */
export async function send(tools: NodeTools, { record, migrate }: Guest, sending: Sending): Promise<boolean> {
  const { state } = sending;
  const { migrationUid } = state;
  if (migrate === 'active' || migrate === 'setup') {
    await tools.records.save({ ...record, migrationUid });
    return true;
  }
  const target = { address: state.targetNodeAddress ?? '', port: findPort(state) };
  const pod = await tools.traffic.find();
  if (pod === undefined) return false;
  const dir = tools.records.dirOf(record.podUid);
  kill(record.relay);
  const socket = join(dir, 'out');
  const relay = await startSourceRelay(pod, { socket, log: join(dir, 'relay.log') }, target);
  await startMigration(await getMonitor(tools, record), socket, sending);
  await tools.records.save({ ...record, migrationUid, relay });
  saveFigures(tools.labDir, { ...identify(record, migrationUid), address: target.address, fromAddress: pod.address });
  return true;
}

function findPort({ targetDirectMigrationNodePorts: ports = {} }: MigrationState): number {
  const found = Object.entries(ports).find(([, role]) => role === 49152)?.[0];
  if (found === undefined) throw new Error('cannot send: the target told no port');
  return Number(found);
}

/**
 * With a return path, as libvirt asks for it, QEMU counts a migration as completed only when the target runs: a target
 * that dies before leaves the guest to its source, even when everything had been sent.
 */
async function startMigration(qmp: Qmp, socket: string, { state, postCopy }: Sending): Promise<void> {
  await enable(qmp, ['return-path', ...(postCopy ? ['postcopy-ram'] : [])]);
  const bandwidth = deriveBandwidth(state.migrationConfiguration);
  await qmp.execute('migrate-set-parameters', { 'downtime-limit': DOWNTIME_LIMIT_MS, 'max-bandwidth': bandwidth });
  await qmp.execute('migrate', { uri: `unix:${socket}` });
}

async function enable(qmp: Qmp, names: readonly string[]): Promise<void> {
  const capabilities = names.map((capability) => ({ capability, state: true }));
  await qmp.execute('migrate-set-capabilities', { capabilities });
}

/** One command to the guest's monitor. Throws when the guest has none. */
export async function command(tools: NodeTools, { record }: Guest, name: string): Promise<void> {
  await (await getMonitor(tools, record)).execute(name);
}

async function getMonitor(tools: NodeTools, { podUid }: GuestRecord): Promise<Qmp> {
  const qmp = await tools.monitors.find(podUid, tools.records.dirOf(podUid));
  if (qmp === undefined) throw new Error(`the guest of launcher ${podUid} has no monitor`);
  return qmp;
}

type MigrateInfo = {
  status?: string;
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
    saveFigures(tools.labDir, { ...identify(record, record.migrationUid), ...deriveFigures(info) });
  }
  return info?.['error-desc'];
}

/** What QEMU leaves out is left out. */
function deriveFigures(info: MigrateInfo): Partial<MigrationFigures> {
  const { downtime, status, ram } = info;
  const all = { qemuDowntimeMs: downtime, status, totalMs: info['total-time'], setupMs: info['setup-time'] };
  const known = Object.entries({ ...all, transferredBytes: ram?.transferred }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(known);
}

function identify({ namespace, vmi }: GuestRecord, uid: string) {
  return { uid, namespace, vmi };
}
