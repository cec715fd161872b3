import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NicModel } from '../../../../src/api/nic-devices.ts';

/** A process told from a later one of the same pid by its start time (clock ticks since boot). */
export type Process = { pid: number; start: string };

/** QEMU's device of a NIC. What is missing is as KubeVirt has it by default: virtio, the pod's MTU, one queue, link up. */
export type Device = {
  readonly model?: NicModel;
  readonly mtu?: number;
  readonly queues?: number;
  readonly linkDown?: boolean;
};

/** How one NIC of a guest is wired in its launcher; addresses are those that the CNI had given the pod interface. */
export type NicPlan = {
  name: string;
  binding: 'bridge' | 'masquerade' | 'managedTap';
  podInterface: string;
  primary: boolean;
  index: number;
  /** MAC that the guest sees. */
  mac: string;
  /** MAC that the CNI had given. */
  podMac: string;
  mtu: number;
  /** Pairs of queues that the tap is made for; without it one. */
  queues?: number;
  /** As the VMI asks for it or a hook has set it at the boot, with the link as it is now. */
  device?: Device;
  /** With prefix length, global scope only. */
  ipv4: string[];
  ipv6: string[];
  /** Next hop of the first IPv4 route, when it has one. */
  gateway?: string;
  routes: { destination: string; gateway: string }[];
  ports: { port: number; protocol: 'tcp' | 'udp' }[];
  /** False while QEMU has not got it: a NIC that was added to a running guest. */
  plugged?: boolean;
};

/** What the node half remembers of one launcher, so that it can be restarted at any time. */
export type GuestRecord = {
  podUid: string;
  podName: string;
  namespace: string;
  vmi: string;
  vmiUid: string;
  node: string;
  /** `preparing` until the netns is set up; a guest that is `incoming` waits for its migration. */
  stage: 'preparing' | 'prepared' | 'booted' | 'incoming';
  nics: NicPlan[];
  qemu?: Process;
  dhcp?: Process[];
  /** The end of this side's migration traffic in the virt-handler pod; a target's also knows where it listens. */
  relay?: Process & { port?: number; address?: string; network?: 'pod' | 'migration' };
  /** The migration that this guest last took part in. */
  migrationUid?: string;
  shutdownSince?: number;
  /** When its QEMU was first missed during a migration, ms since the epoch. */
  missedAt?: number;
  /** How the guest ended by itself, as QEMU said it. */
  ended?: 'Succeeded' | 'Failed';
  /** The launcher was told to end. */
  released?: boolean;
};

/** Folder with one sub-folder per launcher; names are pod UIDs. */
export type Records = {
  dirOf(podUid: string): string;
  load(): Promise<GuestRecord[]>;
  save(record: GuestRecord): Promise<void>;
  drop(podUid: string): Promise<void>;
};

export function createRecords(base: string): Records {
  const dirOf = (podUid: string): string => join(base, podUid);
  const load = async (): Promise<GuestRecord[]> => {
    await mkdir(base, { recursive: true });
    const names = (await readdir(base)).filter((name) => existsSync(join(base, name, 'record.json')));
    return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(base, name, 'record.json'), 'utf8'))));
  };
  const save = async (record: GuestRecord): Promise<void> => {
    const path = join(dirOf(record.podUid), 'record.json');
    await mkdir(dirOf(record.podUid), { recursive: true });
    await writeFile(`${path}.new`, JSON.stringify(record));
    await rename(`${path}.new`, path);
  };
  return { dirOf, load, save, drop: (podUid) => rm(dirOf(podUid), { recursive: true, force: true }) };
}
