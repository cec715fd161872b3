import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NicModel } from '../../../src/api/nic-devices.ts';
import { formatGroupCommand, GUEST_CGROUP } from '../process.ts';
import type { GuestImage } from './image.ts';

/**
 * One NIC of a guest: the tap device that is there already, the MAC that the guest sees, its MTU, and the PCIe port that
 * it sits in, which by default is its place in the list. The tap of a NIC with more than one pair of queues was made for
 * several. Lab guests have a driver for virtio only.
 */
export type GuestNic = {
  tap: string;
  mac: string;
  mtu?: number;
  slot?: number;
  model?: NicModel;
  queues?: number;
};
/** NICs that a guest has room for. */
export const SLOTS = 8;

export type GuestOptions = {
  image: GuestImage;
  /** Folder for sockets, log and pid file; its path stays under 80 characters (unix sockets allow 107). */
  dir: string;
  /** Network namespace that holds the taps, as a path for nsenter. */
  netns: string;
  nics: readonly GuestNic[];
  memoryMiB?: number;
  name?: string;
  /** An image of a disk with cloud-init's data, the same on both sides of a migration. */
  seed?: string;
  /** Waits for a migration on this unix socket instead of booting. */
  incoming?: string;
};

/** Paths of a guest's folder. Whoever runs the guest holds the monitor `qmp`; `ask` is a second one, for tests. */
export type GuestPaths = { qmp: string; ask: string; console: string; log: string; pid: string };

export function pathsOf(dir: string): GuestPaths {
  return {
    qmp: join(dir, 'qmp'),
    ask: join(dir, 'ask'),
    console: join(dir, 'con'),
    log: join(dir, 'qemu.log'),
    pid: join(dir, 'pid'),
  };
}

const KERNEL_ARGUMENTS = [
  'console=ttyS0 quiet loglevel=0 panic=-1 rdinit=/init',
  'tsc=reliable no_timer_check mitigations=off rcupdate.rcu_expedited=1 nokaslr audit=0 apparmor=0 nowatchdog',
  'i8042.nokbd i8042.noaux i8042.nopnp random.trust_cpu=on 8250.nr_uarts=1',
].join(' ');

/**
 * QEMU's arguments. Offloads are off (`vnet_hdr=off`): a userspace switch behind the tap cannot finish a checksum
 * that was left open. The machine is the same on both sides of a migration, NIC by NIC.
 */
export function deriveArguments(options: GuestOptions): string[] {
  const paths = pathsOf(options.dir);
  const incoming = options.incoming === undefined ? [] : ['-incoming', `unix:${options.incoming}`];
  return [
    ...['-name', options.name ?? 'guest', '-machine', 'q35', '-accel', 'tcg,thread=single', '-smp', '1'],
    ...['-m', formatMemory(options.memoryMiB ?? 128), '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-chardev', `socket,id=con,path=${paths.console},server=on,wait=off,logfile=${paths.console}.log`],
    ...['-serial', 'chardev:con', '-qmp', `unix:${paths.qmp},server=on,wait=off`],
    ...['-qmp', `unix:${paths.ask},server=on,wait=off`],
    ...Array.from({ length: SLOTS }, formatPort).flat(),
    ...options.nics.flatMap(formatNic),
    ...(options.seed === undefined ? [] : formatSeed(options.seed)),
    ...['-kernel', options.image.kernel, '-initrd', options.image.initrd, '-append', KERNEL_ARGUMENTS],
    ...incoming,
  ];
}

/**
 * Memory that is no multiple of 256 KiB. QEMU before 9.0 forgets under TCG to reset its TLB where it reads the dirty
 * bitmap of such large aligned ranges, so that stores during a migration are lost and now and then a guest dies of it
 * (fixed by QEMU's commit "physmem: Fix migration dirty bitmap coherency with TCG memory access").
 */
function formatMemory(mebibytes: number): string {
  return `${mebibytes * 1024 - 8}K`;
}

/** Only what sits in a PCIe port of its own can be plugged and unplugged while the guest runs. */
function formatPort(_: unknown, slot: number): string[] {
  return [
    '-device',
    `pcie-root-port,id=port${slot},chassis=${slot + 1},slot=${slot + 1},addr=0x${(slot + 4).toString(16)}`,
  ];
}

/** At a place of its own: it is not to be plugged, and must be found where it was on the other side. */
function formatSeed(path: string): string[] {
  const drive = `file=${path},if=none,id=seed,format=raw,readonly=on`;
  return ['-drive', drive, '-device', 'virtio-blk-pci,drive=seed,id=seed-disk,addr=0x10'];
}

function formatNic(nic: GuestNic, index: number): string[] {
  const { netdev, device } = deriveDevices({ ...nic, slot: nic.slot ?? index });
  return ['-netdev', formatOptions('type', netdev), '-device', formatOptions('driver', device)];
}

/** A NIC's two halves with the words of QMP's `netdev_add` and `device_add`, which the command line takes as well. */
export function deriveDevices(nic: GuestNic & { slot: number }): { netdev: DeviceOptions; device: DeviceOptions } {
  const { slot, tap, mac, model = 'virtio', queues = 1 } = nic;
  const quiet = { script: 'no', downscript: 'no', vhost: false, vnet_hdr: false };
  return {
    netdev: { type: 'tap', id: `net${slot}`, ifname: tap, ...quiet, ...(queues > 1 ? { queues } : {}) },
    device: {
      driver: model === 'virtio' ? 'virtio-net-pci' : model,
      netdev: `net${slot}`,
      id: `nic${slot}`,
      bus: `port${slot}`,
      mac,
      ...(model === 'virtio' ? deriveVirtio(nic) : {}),
      romfile: '',
    },
  };
}

/** Only virtio tells the guest an MTU and has several queues, each with a vector for either way and two for the rest. */
function deriveVirtio({ mtu, queues = 1 }: GuestNic): DeviceOptions {
  return {
    ...(mtu === undefined ? {} : { host_mtu: mtu }),
    ...(queues > 1 ? { mq: true, vectors: 2 * queues + 2 } : {}),
  };
}

type DeviceOptions = Record<string, string | number | boolean>;

function formatOptions(first: string, { [first]: head, ...rest }: DeviceOptions): string {
  const words = { true: 'on', false: 'off' } as Record<string, string>;
  const options = Object.entries(rest).map(([key, value]) => `${key}=${words[String(value)] ?? value}`);
  return [head, ...options].join(',');
}

/** Starts QEMU inside `netns`, apart from this process, and returns its pid, which is also written to the pid file. */
export async function startGuest(options: GuestOptions): Promise<number> {
  await mkdir(options.dir, { recursive: true });
  const paths = pathsOf(options.dir);
  const log = openSync(paths.log, 'a');
  const qemu = ['nsenter', `--net=${options.netns}`, 'qemu-system-x86_64', ...deriveArguments(options)];
  const [shell, ...args] = formatGroupCommand(GUEST_CGROUP, qemu);
  const child = spawn(shell, args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  if (child.pid === undefined) throw new Error('qemu: no pid');
  await writeFile(paths.pid, String(child.pid));
  return child.pid;
}
