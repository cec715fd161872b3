import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LAB = '/mooring-lab/';
const FORWARDER = 'ovs-vswitchd';
/** The kernel's own part: what one link hands to the next. */
const KERNEL = /^ksoftirqd\/\d+$/;
/** Below the prober's, which would else be late itself. */
const PRIORITY = '2';

/** Where processes and cgroups are found, and what sets a thread's scheduling. */
export type Machine = {
  readonly proc: string;
  readonly cgroups: string;
  readonly chrt: (args: readonly string[]) => void;
};

const THIS_MACHINE: Machine = {
  proc: '/proc',
  cgroups: '/sys/fs/cgroup',
  chrt: (args) => void execFileSync('chrt', args, { stdio: ['ignore', 'ignore', 'pipe'] }),
};

/** One thread that forwards packets, with the file of the cgroup that it came from, if it must leave it. */
type Thread = { readonly tid: string; readonly home: string | undefined };

/**
 * Lets what forwards the lab's packets run before all other programs, until this is disposed. On a node whose kernel has
 * the datapath, packets pass in softirqs, before any program; the lab's pass through a thread of userspace Open vSwitch,
 * which would else wait for its turn behind API server, kubelets and shells on the same two cores. A real-time thread has to
 * stand in the root cgroup, as others have no share of real time (cgroup v1, sched(7)).
 */
export function preferDatapath(machine: Machine = THIS_MACHINE): Disposable {
  const { cgroups, chrt } = machine;
  const root = join(cgroups, 'cpu/tasks');
  const threads = listThreads(machine).map((thread) => ({
    ...thread,
    home: existsSync(root) ? thread.home : undefined,
  }));
  for (const { tid, home } of threads) {
    if (home !== undefined) writeFileSync(root, tid);
    chrt(['--rr', '-p', PRIORITY, tid]);
  }
  return {
    [Symbol.dispose]: () => {
      for (const thread of threads) if (existsSync(join(machine.proc, thread.tid))) restore(machine, thread);
    },
  };
}

function restore({ chrt }: Machine, { tid, home }: Thread): void {
  chrt(['--other', '-p', '0', tid]);
  if (home !== undefined && existsSync(home)) writeFileSync(home, tid);
}

function listThreads({ proc, cgroups }: Machine): Thread[] {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid): Thread[] => {
    const name = readOr(join(proc, pid, 'comm')).trim();
    if (KERNEL.test(name)) return [{ tid: pid, home: undefined }];
    const cgroup = name === FORWARDER ? parseCpuCgroup(readOr(join(proc, pid, 'cgroup'))) : undefined;
    if (!cgroup?.startsWith(LAB)) return [];
    return readdirSync(join(proc, pid, 'task')).map((tid) => ({ tid, home: join(cgroups, 'cpu', cgroup, 'tasks') }));
  });
}

/** Path of a process's cgroup from /proc/PID/cgroup: of the cpu hierarchy of v1, or the only one of v2 (cgroups(7)). */
export function parseCpuCgroup(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.split(':'));
  const found = lines.find(([, names]) => names?.split(',').includes('cpu')) ?? lines.find(([id]) => id === '0');
  return found?.slice(2).join(':');
}

/** Empty for a process that ended while we looked. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
