import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../../command.ts';
import { type GuestOptions, startGuest } from '../../guest/guest.ts';
import { formatHostname } from '../names.ts';
import { identityOf, type Pod, type Vmi } from '../objects.ts';
import { parseMebibytes } from '../quantity.ts';
import { deriveGuestNic, isLinkDown, takeLinksDown } from './device.ts';
import { parseResolver } from './dhcp.ts';
import { endSidecars, findHooks, prepareGuest } from './hooks.ts';
import { findLauncherPid } from './launcher.ts';
import { ensureTargetRelay } from './migrate.ts';
import { findProcess, isSetUp, kill, readPodNetwork, setUpNetwork, startDhcp } from './netns.ts';
import { alignNics } from './plan-plug.ts';
import { createRecords, type Device, type GuestRecord, type NicPlan, type Process } from './record.ts';
import type { NodeTools } from './tools.ts';
import type { Guest } from './view.ts';
import { planNics, WiringError } from './wiring.ts';

const POWERDOWN_EVERY_MS = 500;

/**
 * Wires a launcher's netns, asks its hook sidecars and starts QEMU in it, booting or waiting for a migration. May be repeated
 * after a crash at any point. Returns false while the launcher's container or a sidecar is not there; throws WiringError
 * when the netns does not allow what the VMI asks for.
 */
export async function startLauncher(tools: NodeTools, vmi: Vmi, pod: Pod, migrationUid?: string): Promise<boolean> {
  const pid = await findLauncherPid(tools.node, pod);
  if (pid === undefined) return false;
  const netns = `/proc/${pid}/ns/net`;
  const wired = await ensureWired(tools, vmi, { pod, netns });
  const dir = tools.records.dirOf(wired.podUid);
  const prepared = await prepareGuest({ vmi, pod, record: wired, hooks: findHooks(pid), dir });
  if (prepared === undefined) return false;
  // What hooks make of the domain counts at a boot only: a target gets the source's.
  const nics = migrationUid === undefined ? wired.nics.map((nic) => addDevice(nic, prepared.devices)) : wired.nics;
  const dhcp = wired.dhcp ?? (await serveDhcp({ record: wired, dir, netns, pid }, vmi));
  const record = { ...wired, nics, dhcp };
  const seed = prepared.seed === undefined ? {} : { seed: prepared.seed };
  const options = { image: tools.image, dir, netns, name: record.vmi, ...deriveMachine(record, vmi), ...seed };
  if (migrationUid === undefined) {
    await tools.records.save({ ...record, stage: 'booted', qemu: await startQemu(tools, record, options) });
    return true;
  }
  // Both at once to save time; a relay that cannot be opened now is opened before its address is published.
  const opening = ensureTargetRelay(tools, record).catch(() => undefined);
  const starting = startQemu(tools, record, { ...options, incoming: join(dir, 'mig') });
  const [qemu, relay] = await Promise.all([starting, opening]);
  await tools.records.save({ ...record, stage: 'incoming', migrationUid, qemu, ...(relay && { relay }) });
  return true;
}

function addDevice(nic: NicPlan, devices: ReadonlyMap<string, Device>): NicPlan {
  const device = devices.get(nic.name);
  return device === undefined ? nic : { ...nic, device };
}

function deriveMachine(record: GuestRecord, vmi: Vmi): Pick<GuestOptions, 'nics' | 'memoryMiB'> {
  return {
    nics: record.nics.filter((nic) => nic.plugged !== false).map(deriveGuestNic),
    memoryMiB: parseMebibytes(vmi.spec.domain.memory?.guest ?? '128Mi'),
  };
}

/** With its links as they are to be, as libvirt sees to before it lets the guest run. */
async function startQemu(tools: NodeTools, { podUid, nics }: GuestRecord, options: GuestOptions): Promise<Process> {
  const pid = await startGuest(options);
  const qemu = findProcess(pid) ?? { pid, start: '' };
  if (!nics.some(isLinkDown)) return qemu;
  const monitor = await tools.monitors.find(podUid, options.dir);
  if (monitor === undefined) {
    kill(qemu);
    throw new Error(`QEMU of launcher ${podUid} opens no monitor`);
  }
  await takeLinksDown(monitor, nics);
  return qemu;
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
  const planned = planNics(vmi.spec, await readPodNetwork(netns), tools.plugins());
  const nics = alignNics(planned, await findSourceNics(tools, vmi, podName));
  const identity = { podUid, podName, namespace, vmi: name, vmiUid, node: tools.node.name };
  await tools.records.save({ ...identity, stage: 'preparing', nics });
  await setUpNetwork(netns, nics).catch((error: unknown) => {
    throw error instanceof CommandError ? new WiringError(error.message) : error;
  });
  const prepared: GuestRecord = { ...identity, stage: 'prepared', nics };
  await tools.records.save(prepared);
  return prepared;
}

/** For a target the NICs of the guest that comes; libvirt sends them with the source's XML. */
async function findSourceNics(tools: NodeTools, vmi: Vmi, podName: string): Promise<readonly NicPlan[] | undefined> {
  const { sourceNode = '', sourcePod, targetPod } = vmi.status?.migrationState ?? {};
  if (targetPod !== podName) return undefined;
  const records = await createRecords(join(tools.labDir, 'kubevirt/guests', sourceNode)).load();
  return records.find((record) => record.podName === sourcePod)?.nics;
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
  if (pid === undefined || pod === undefined) return;
  await endSidecars(findHooks(pid), pod);
  process.kill(pid, failed ? 'SIGUSR2' : 'SIGUSR1');
}

/** Forgets a launcher that has ended. Whatever of it still runs is ended first. */
export async function forget(tools: NodeTools, { record }: Guest): Promise<void> {
  tools.monitors.drop(record.podUid);
  for (const known of [record.qemu, record.relay, ...(record.dhcp ?? [])]) kill(known);
  await tools.records.drop(record.podUid);
}
