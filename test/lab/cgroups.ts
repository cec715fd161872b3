import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './command.ts';
import { DAEMON_CGROUP, GUEST_CGROUP, listCgroupDirs } from './process.ts';

const ROOT = 'mooring-lab';

/**
 * CPU shares (1024 is the kernel's own default). Guests and nodes, where packets are forwarded, come before the control
 * plane: on machines of their own they would not wait for it either. The lab as a whole weighs little more than one
 * process outside of it: the kernel's own threads, which carry packets between namespaces, are outside.
 */
const SHARES = { root: 2048, daemons: 1024, guests: 16_384, node: 4096 };

/** Makes the lab's cgroups: one for its own programs and one per node for the kubelet's pods. */
export function createCgroups(nodes: readonly string[]): void {
  const groups: [string, number][] = [
    [ROOT, SHARES.root],
    [DAEMON_CGROUP, SHARES.daemons],
    [GUEST_CGROUP, SHARES.guests],
    ...nodes.map((node): [string, number] => [`${ROOT}/${node}`, SHARES.node]),
  ];
  for (const [name, shares] of groups) {
    for (const dir of listCgroupDirs(name)) {
      createCgroup(dir);
      setShares(dir, shares);
    }
  }
}

/** cgroup v1 counts from 1024, v2 from 100 up to 10000. */
function setShares(dir: string, shares: number): void {
  const v1 = join(dir, 'cpu.shares');
  const v2 = join(dir, 'cpu.weight');
  if (existsSync(v1)) writeFileSync(v1, String(shares));
  if (existsSync(v2)) writeFileSync(v2, String(Math.round((shares * 100) / 1024)));
}

/** A new cpuset of cgroup v1 is empty and takes no process until it has CPUs and memory nodes; v2 needs controllers passed down. */
function createCgroup(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const parent = join(dir, '..');
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const own = join(dir, file);
    if (!existsSync(join(parent, 'cgroup.controllers')) && existsSync(own)) {
      writeFileSync(own, readFileSync(join(parent, file)));
    }
  }
  const available = join(parent, 'cgroup.controllers');
  if (!existsSync(available)) return;
  const controllers = readFileSync(available, 'utf8').trim().split(' ').filter(Boolean);
  writeFileSync(join(parent, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
}

/** Every directory of a cgroup tree, the deepest first. */
export function listTree(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap((entry) => listTree(join(dir, entry.name))), dir];
}

/** Processes in the lab's cgroups, whoever started them. */
export function listCgroupProcesses(): number[] {
  const files = listCgroupDirs(ROOT).flatMap(listTree);
  const pids = files.flatMap((dir) => readPids(join(dir, 'cgroup.procs')));
  return [...new Set(pids)];
}

function readPids(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').map(Number).filter(Boolean);
  } catch {
    return []; // the cgroup went away while we looked
  }
}

/** Removes the lab's cgroups; true when none is left. The kernel keeps a cgroup for a moment after its last process. */
export async function deleteCgroups(): Promise<boolean> {
  const gone = await waitFor(async () => (removeOnce() ? true : undefined), 10_000, 50);
  return gone === true;
}

function removeOnce(): boolean {
  const left = listCgroupDirs(ROOT).flatMap(listTree);
  for (const dir of left) {
    try {
      rmdirSync(dir);
    } catch {
      // Busy: tried again by the caller until its deadline.
    }
  }
  return listCgroupDirs(ROOT).every((dir) => !existsSync(dir));
}
