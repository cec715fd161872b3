import { readFile } from 'node:fs/promises';
import { CommandError, runCommand } from '../../command.ts';
import { deriveDevices } from '../../guest/guest.ts';
import { type Qmp, QmpError } from '../../guest/qmp.ts';
import { formatHostname } from '../names.ts';
import type { Vmi, VmiSpec } from '../objects.ts';
import { deriveGuestNic, setLink, takeLinksDown, withLink } from './device.ts';
import { parseResolver } from './dhcp.ts';
import { findLauncherPid } from './launcher.ts';
import { isSetUp, kill, readPodNetwork, setUpNetwork, startDhcp } from './netns.ts';
import { findFreeSlot } from './plan-plug.ts';
import type { GuestRecord, NicPlan, Process } from './record.ts';
import type { NodeTools } from './tools.ts';
import type { Guest } from './view.ts';
import { namesOf, planNics } from './wiring.ts';

const TRIES = 100;
const TRY_MS = 50;

/**
 * Gives a running guest one more NIC: wires its pod interface as at the start, then adds the device. May be repeated
 * after a crash at any point. Returns false while the launcher or QEMU does not answer; throws WiringError when the
 * CNI has made no such interface.
 */
export async function plugNic(tools: NodeTools, vmi: Vmi, { record, pod }: Guest, name: string): Promise<boolean> {
  const pid = pod === undefined ? undefined : await findLauncherPid(tools.node, pod);
  const dir = tools.records.dirOf(record.podUid);
  const qmp = await tools.monitors.find(record.podUid, dir);
  if (pid === undefined || qmp === undefined) return false;
  const netns = `/proc/${pid}/ns/net`;
  const planned = await ensurePlanned(tools, vmi, { record, netns, name });
  const nic = planned.nics.find((one) => one.name === name);
  if (nic === undefined) return false;
  if (!(await isSetUp(netns, [nic]))) await setUpNetwork(netns, [nic]);
  const resolver = parseResolver(await readFile(`/proc/${pid}/root/etc/resolv.conf`, 'utf8').catch(() => ''));
  const hostname = formatHostname(record.vmi, vmi.spec.hostname);
  await stopServers(planned.dhcp ?? [], nic);
  const dhcp = [...(planned.dhcp ?? []), ...(await startDhcp([nic], { netns, dir, hostname, resolver }))];
  await addDevice(qmp, nic);
  const nics = planned.nics.map((one) => (one.name === name ? { ...nic, plugged: true } : one));
  await tools.records.save({ ...planned, nics, dhcp });
  return true;
}

type Place = { record: GuestRecord; netns: string; name: string };

/** Writes down how a NIC is to be wired before anything is: afterwards its pod interface looks otherwise. */
async function ensurePlanned(tools: NodeTools, vmi: Vmi, { record, netns, name }: Place): Promise<GuestRecord> {
  if (record.nics.some((nic) => nic.name === name)) return record;
  const [nic] = planNics(onlyNic(vmi.spec, name), await readPodNetwork(netns), tools.plugins());
  if (nic === undefined) return record;
  const index = findFreeSlot(record.nics);
  const planned = { ...record, nics: [...record.nics, { ...nic, index, plugged: false }] };
  await tools.records.save(planned);
  return planned;
}

function onlyNic(spec: VmiSpec, name: string): VmiSpec {
  const { domain } = spec;
  const interfaces = (domain.devices.interfaces ?? []).filter((nic) => nic.name === name);
  return { ...spec, domain: { ...domain, devices: { ...domain.devices, interfaces } } };
}

/** Adds a NIC to QEMU, with its link as it is to be; one that is there already is left as it is. */
export async function addDevice(qmp: Qmp, nic: NicPlan): Promise<void> {
  const { netdev, device } = deriveDevices(deriveGuestNic(nic));
  await qmp.execute('netdev_add', netdev).catch(unless(/[Dd]uplicate/));
  await qmp.execute('device_add', device).catch(unless(/[Dd]uplicate/));
  await takeLinksDown(qmp, [{ ...nic, plugged: true }]);
}

/** Puts the link of a guest's NIC up or down; false while QEMU does not answer. */
export async function changeLink(tools: NodeTools, { record }: Guest, nic: NicPlan, down: boolean): Promise<boolean> {
  const qmp = await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid));
  if (qmp === undefined) return false;
  await setLink(qmp, nic, down);
  const nics = record.nics.map((one) => (one.name === nic.name ? withLink(one, down) : one));
  await tools.records.save({ ...record, nics });
  return true;
}

/** Takes a NIC out of QEMU and waits until the guest has let go of it; false when it does not in time. */
export async function removeDevice(qmp: Qmp, { index }: NicPlan): Promise<boolean> {
  for (let count = 0; count < TRIES; count += 1) {
    // A repeated request is refused while the first is under way, and "not found" is what is waited for.
    const error = await qmp.execute('device_del', { id: `nic${index}` }).catch((reason: unknown) => reason);
    if (error instanceof QmpError && error.kind === 'DeviceNotFound') {
      await qmp.execute('netdev_del', { id: `net${index}` }).catch(unless(/not found/));
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  return false;
}

function unless(expected: RegExp): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof QmpError) || !expected.test(error.message)) throw error;
  };
}

/** Takes a NIC from a running guest, with the links that were made for it. The pod interface itself is the CNI's. */
export async function unplugNic(tools: NodeTools, { record, pod }: Guest, nic: NicPlan): Promise<boolean> {
  const qmp = await tools.monitors.find(record.podUid, tools.records.dirOf(record.podUid));
  if (qmp === undefined) return false;
  if (nic.plugged !== false && !(await removeDevice(qmp, nic))) return false;
  await stopServers(record.dhcp ?? [], nic);
  const pid = pod === undefined ? undefined : await findLauncherPid(tools.node, pod);
  if (pid !== undefined) await removeLinks(`/proc/${pid}/ns/net`, nic);
  await tools.records.save({ ...record, nics: record.nics.filter((one) => one.name !== nic.name) });
  return true;
}

async function removeLinks(netns: string, nic: NicPlan): Promise<void> {
  const { tap, bridge, dummyPeer } = namesOf(nic);
  const present = new Set((await readPodNetwork(netns)).links.map((link) => link.name));
  for (const link of [tap, bridge, dummyPeer].filter((name) => present.has(name))) {
    await runCommand(['nsenter', `--net=${netns}`, '--', 'ip', 'link', 'del', link]).catch(unlessGone);
  }
}

/** A link that went while it was looked for. */
function unlessGone(error: unknown): void {
  if (!(error instanceof CommandError) || !error.message.includes('Cannot find device')) throw error;
}

/** Ends the DHCP server of one NIC; it is told from the others by its configuration file. */
async function stopServers(servers: readonly Process[], { index }: NicPlan): Promise<void> {
  for (const server of servers) {
    const line = await readFile(`/proc/${server.pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(`udhcpd.${index}.conf`)) kill(server);
  }
}
