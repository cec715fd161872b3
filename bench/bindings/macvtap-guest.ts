import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../test/lab/command.ts';
import { deriveArguments, type GuestOptions } from '../../test/lab/guest/guest.ts';
import type { GuestImage } from '../../test/lab/guest/image.ts';
import { kill, startDetached } from '../../test/lab/kubevirt/handler/netns.ts';
import type { Process } from '../../test/lab/kubevirt/handler/record.ts';
import { formatGroupCommand, GUEST_CGROUP } from '../../test/lab/process.ts';
import type { LabNode, LabState } from '../../test/lab/state.ts';
import type { PodFacts } from './ends.ts';

/** Where such a guest lives: on a node, in the network namespace of a pod that stands for its launcher. */
export type Berth = { readonly node: LabNode; readonly carrier: PodFacts };
export type MacvtapNic = { readonly master: string; readonly mac: string };

const LINK = 'tap0';
/** The descriptor by which QEMU gets the link: there is no other way to a macvtap (qemu(1), -netdev tap). */
const FD = 3;
/**
 * Without offloads, as all guests of the lab are. QEMU turns a tap's off by `vnet_hdr=off`, which a descriptor does not take;
 * so the device offers none.
 */
const NO_OFFLOADS = ['csum', 'gso', 'host_tso4', 'host_tso6', 'host_ecn', 'host_ufo']
  .concat(['guest_csum', 'guest_tso4', 'guest_tso6', 'guest_ecn', 'guest_ufo'])
  .map((name) => `${name}=off`);

const dirOf = (lab: LabState): string => join(lab.dir, 'bench-bindings');

/** QEMU's arguments for a guest whose only NIC is the descriptor. */
export function deriveMacvtapArguments(options: Omit<GuestOptions, 'nics'>, mac: string): string[] {
  const device = ['virtio-net-pci', 'netdev=net0', 'id=nic0', 'bus=port0', `mac=${mac}`, 'romfile=', ...NO_OFFLOADS];
  const nic = ['-netdev', `tap,id=net0,fd=${FD},vhost=off`, '-device', device.join(',')];
  return [...deriveArguments({ ...options, nics: [] }), ...nic];
}

/**
 * Boots a guest the way KubeVirt's macvtap plugin hands it the network: a macvtap in bridge mode on the node's own link, made
 * in the launcher's network namespace, whose character device QEMU opens. Returns the folder with its console.
 */
export async function startMacvtapGuest(
  lab: LabState,
  { node, carrier }: Berth,
  { image, nic }: { image: GuestImage; nic: MacvtapNic },
): Promise<string> {
  const dir = join(dirOf(lab), carrier.name);
  mkdirSync(dir, { recursive: true });
  const device = await addMacvtap(dir, { node, carrier }, nic);
  const options = { image, dir, netns: carrier.netns, name: carrier.name };
  const qemu = ['qemu-system-x86_64', ...deriveMacvtapArguments(options, nic.mac)];
  const open = ['/bin/sh', '-c', `exec ${FD}<>"$0"; exec "$@"`, device, ...qemu];
  const argv = formatGroupCommand(GUEST_CGROUP, ['nsenter', `--net=${carrier.netns}`, '--', ...open]);
  writeFileSync(join(dir, 'process.json'), JSON.stringify(await startDetached(argv, join(dir, 'qemu.log'))));
  return dir;
}

/** Makes the link and its character device, which udev would make on a node; returns the device's path. */
async function addMacvtap(dir: string, { node, carrier }: Berth, { master, mac }: MacvtapNic): Promise<string> {
  const place = ['address', mac, 'netns', String(carrier.pid), 'type', 'macvtap', 'mode', 'bridge'];
  await runCommand(['ip', '-n', node.netns, 'link', 'add', 'link', master, 'name', LINK, ...place]);
  const inside = ['nsenter', `--net=${carrier.netns}`, '--'];
  await runCommand([...inside, 'ip', 'link', 'set', LINK, 'up']);
  // Only a sysfs that is mounted in the namespace shows its links.
  const look = `mount -t sysfs sysfs /sys && cat /sys/class/net/${LINK}/macvtap/tap*/dev`;
  const numbers = await runCommand([...inside, 'unshare', '-m', '/bin/sh', '-c', look]);
  const [major = '', minor = ''] = numbers.trim().split(':');
  const device = join(dir, 'tap');
  rmSync(device, { force: true });
  await runCommand(['mknod', device, 'c', major, minor]);
  return device;
}

/** Ends every guest of ours, also of a run that was killed: each by its pid and start time. */
export function endLeftGuests(lab: LabState): void {
  for (const name of listNames(dirOf(lab))) {
    const text = readOr(join(dirOf(lab), name, 'process.json'));
    if (text !== '') kill(JSON.parse(text) as Process);
  }
  rmSync(dirOf(lab), { recursive: true, force: true });
}

function listNames(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // nothing was left
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it was killed before it started QEMU
  }
}
