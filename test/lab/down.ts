import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { deleteCgroups, listCgroupProcesses } from './cgroups.ts';
import { runCommand, tryCommand, waitFor } from './command.ts';
import { isLabLink, isLabNamespace } from './network.ts';
import { findStartTime, isAlive, listProcesses } from './process.ts';
import { LabError } from './progress.ts';

/** Points to the state directory of the lab that runs on this machine: there is one at a time. */
export const POINTER = '/run/mooring-lab';

/** Marks a directory as the lab's own: nothing else is ever deleted, whatever $MOORING_LAB says. */
export const MARKER = '.mooring-lab';

/** What is left of a lab on this machine, whatever became of the run that made it. */
export type Leftovers = {
  readonly processes: readonly number[];
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly mounts: readonly string[];
  readonly dirs: readonly string[];
};

/** Mount points below one of `dirs`, deepest first, from the text of /proc/self/mountinfo (proc(5)). */
export function parseMounts(text: string, dirs: readonly string[]): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) => path.replaceAll('\\040', ' '))
    .filter((path) => dirs.some((dir) => path === dir || path.startsWith(`${dir}/`)))
    .reverse();
}

/** Finds everything that belongs to a lab: by record, by cgroup, by namespace and by name. */
export async function findLeftovers(dir: string): Promise<Leftovers> {
  const dirs = [...new Set([dir, ...readPointer()])].filter((path) => existsSync(join(path, MARKER)));
  const namespaces = (existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter(isLabNamespace);
  const inside = await Promise.all(namespaces.map(listNamespaceProcesses));
  const recorded = dirs.flatMap(listProcesses).filter(isAlive);
  const family = listAncestors(process.pid);
  const found = new Set([...recorded.map((record) => record.pid), ...listCgroupProcesses(), ...inside.flat()]);
  return {
    processes: [...found].filter((pid) => !family.has(pid)),
    namespaces,
    links: readdirSync('/sys/class/net').filter(isLabLink),
    mounts: parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'), dirs),
    dirs,
  };
}

/** True when nothing of a lab is on this machine. */
export function isClean(left: Leftovers): boolean {
  return [left.processes, left.namespaces, left.links, left.mounts, left.dirs].every((list) => list.length === 0);
}

function readPointer(): string[] {
  return existsSync(POINTER) ? [readFileSync(POINTER, 'utf8').trim()].filter((path) => path.startsWith('/')) : [];
}

async function listNamespaceProcesses(name: string): Promise<number[]> {
  const result = await tryCommand(['ip', 'netns', 'pids', name]);
  return result.stdout.split('\n').map(Number).filter(Boolean);
}

/** Ourselves and everybody above us: never to be ended, even when called from inside a node. */
function listAncestors(pid: number): Set<number> {
  const family = new Set<number>();
  let current = pid;
  while (current > 0 && !family.has(current)) {
    family.add(current);
    current = findParent(current);
  }
  return family;
}

function findParent(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

async function killAll(dir: string): Promise<void> {
  const none = await waitFor(async () => {
    const { processes } = await findLeftovers(dir);
    const living = processes.filter((pid) => findStartTime(pid) !== undefined);
    for (const pid of living) kill(pid);
    return living.length === 0 ? true : undefined;
  }, 20_000);
  if (none === undefined)
    throw new LabError('down', 'some processes do not end', { todo: 'look at `ps` and try again' });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone between the look and the kill: what we wanted.
  }
}

/** Removes every trace of a lab: processes, namespaces, links, mounts, cgroups and the state directory. Idempotent. */
export async function removeLab(dir: string): Promise<void> {
  await killAll(dir);
  const left = await findLeftovers(dir);
  for (const name of left.namespaces) await runCommand(['ip', 'netns', 'delete', name]);
  const lines = readdirSync('/sys/class/net').filter(isLabLink);
  for (const link of lines) await tryCommand(['ip', 'link', 'delete', 'dev', link]);
  for (const mount of left.mounts) await runCommand(['umount', '-l', mount]);
  if (!(await deleteCgroups())) throw new LabError('down', 'the cgroup mooring-lab is still in use');
  for (const path of left.dirs) rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  rmSync(POINTER, { force: true });
}
