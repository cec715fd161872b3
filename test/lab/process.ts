import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buildEnvironment, waitFor } from './command.ts';
import type { LabNode, LabState } from './state.ts';

/** One long-running program of the lab. `startTime` (clock ticks since boot) tells it from a later one of the same pid. */
export type ProcessRecord = {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
  readonly argv: readonly string[];
  readonly log: string;
};

export type ProcessSpec = {
  /** Unique in the lab, becomes file names: `kubelet-node1`. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Run inside this node's network, mount and hostname namespaces. */
  readonly node?: LabNode;
  /** Run inside this network namespace of the machine (not together with `node`). */
  readonly netns?: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** Cgroup of every program of the lab: what is left of an aborted run is found there. */
export const DAEMON_CGROUP = 'mooring-lab/daemons';
/** Cgroup of the guests: they must not stand still because the control plane is busy on the same two cores. */
export const GUEST_CGROUP = 'mooring-lab/guests';

/** Field 22 of /proc/PID/stat (proc(5)): when the process started; undefined for a process that is gone or a zombie. */
export function parseStartTime(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Start time of a living process. */
export function findStartTime(pid: number): string | undefined {
  try {
    return parseStartTime(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** True while exactly this process lives: a reused pid has another start time. */
export function isAlive(record: Pick<ProcessRecord, 'pid' | 'startTime'>): boolean {
  return findStartTime(record.pid) === record.startTime;
}

/** The command that enters a node's namespaces. */
export function formatNodeCommand(node: LabNode, argv: readonly string[]): string[] {
  return ['nsenter', '-t', String(node.mountNsPid), '-m', '-u', `--net=/run/netns/${node.netns}`, '--', ...argv];
}

/** The directories of a cgroup: one per hierarchy on v1, a single one on v2. */
export function listCgroupDirs(name: string, root = '/sys/fs/cgroup'): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [join(root, name)];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, 'cgroup.procs')))
    .map((entry) => join(root, entry.name, name));
}

/** The command that joins a cgroup of the lab, where there is one, before it becomes the program. */
export function formatGroupCommand(group: string, argv: readonly string[]): [string, ...string[]] {
  const groups = listCgroupDirs(group).filter((dir) => existsSync(dir));
  const join = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 126; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', join, 'sh', ...groups, '--', ...argv];
}

/**
 * Starts a program that outlives us, with its output in `<state>/log/<name>.log`, and records it.
 * It joins the lab's cgroup before it runs, so that no crash of ours can lose sight of it.
 */
export async function startProcess(lab: LabState, spec: ProcessSpec): Promise<ProcessRecord> {
  const log = join(lab.dir, 'log', `${spec.name}.log`);
  mkdirSync(dirname(log), { recursive: true });
  mkdirSync(join(lab.dir, 'processes'), { recursive: true });
  const out = openSync(log, 'a');
  const [shell, ...args] = formatGroupCommand(DAEMON_CGROUP, enter(spec));
  const child = spawn(shell, args, {
    detached: true,
    stdio: ['ignore', out, out],
    cwd: '/',
    env: buildEnvironment(spec.env),
  });
  closeSync(out);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
  child.unref();
  const record = { name: spec.name, pid, startTime: findStartTime(pid) ?? '', argv: spec.argv, log };
  saveProcess(lab, record);
  return record;
}

function enter(spec: ProcessSpec): readonly string[] {
  if (spec.node !== undefined) return formatNodeCommand(spec.node, spec.argv);
  return spec.netns === undefined ? spec.argv : ['nsenter', `--net=/run/netns/${spec.netns}`, '--', ...spec.argv];
}

function saveProcess(lab: LabState, record: ProcessRecord): void {
  const path = join(lab.dir, 'processes', `${record.name}.json`);
  writeFileSync(`${path}.new`, JSON.stringify(record));
  renameSync(`${path}.new`, path);
}

/** Parses one recorded process; undefined for a damaged record (the cgroup still tells of the process itself). */
export function parseProcess(text: string): ProcessRecord | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProcessRecord>;
    const { name, pid, startTime, argv, log } = value;
    if (typeof name !== 'string' || typeof pid !== 'number' || typeof startTime !== 'string') return undefined;
    return { name, pid, startTime, argv: argv ?? [], log: log ?? '' };
  } catch {
    return undefined;
  }
}

/** Every process that was recorded below `dir` (the lab's state directory), living or not. */
export function listProcesses(dir: string): ProcessRecord[] {
  const folder = join(dir, 'processes');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => parseProcess(readFileSync(join(folder, file), 'utf8')) ?? []);
}

/** The recorded process of that name, living or not. */
export function findProcess(dir: string, name: string): ProcessRecord | undefined {
  return listProcesses(dir).find((record) => record.name === name);
}

/** Sends a signal to exactly this process; false when it is gone (a reused pid is never touched). */
export function signalProcess(record: ProcessRecord, signal: NodeJS.Signals): boolean {
  if (!isAlive(record)) return false;
  try {
    return process.kill(record.pid, signal);
  } catch {
    return false;
  }
}

/** Ends one recorded process: SIGTERM, after `graceMs` SIGKILL; forgets the record. Nothing happens when it is gone. */
export async function stopProcess(lab: LabState, name: string, graceMs = 3000): Promise<void> {
  const record = findProcess(lab.dir, name);
  if (record === undefined) return;
  const gone = async () => (isAlive(record) ? undefined : true);
  if (signalProcess(record, 'SIGTERM') && (await waitFor(gone, graceMs, 20)) === undefined) {
    signalProcess(record, 'SIGKILL');
    await waitFor(gone, 5000, 20);
  }
  rmSync(join(lab.dir, 'processes', `${name}.json`), { force: true });
}
