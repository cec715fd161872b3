import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './command.ts';
import { DAEMON_CGROUP, listCgroupDirs } from './process.ts';

const ROOT = 'mooring-lab';

/** Makes the lab's cgroups: one for its own programs and one per node for the kubelet's pods. */
export function createCgroups(nodes: readonly string[]): void {
  for (const name of [ROOT, DAEMON_CGROUP, ...nodes.map((node) => `${ROOT}/${node}`)]) {
    for (const dir of listCgroupDirs(name)) createCgroup(dir);
  }
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
