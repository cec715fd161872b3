import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Machine, parseCpuCgroup, preferDatapath } from './datapath.ts';

const POD = '/mooring-lab/node1/kubepods/burstable/pod1/ovs';
const OTHER = '/user.slice';

let root: string;
let said: string[];
let machine: Machine;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function addProcess(pid: number, { comm, cgroup }: { comm: string; cgroup: string }): void {
  write(`proc/${pid}/comm`, `${comm}\n`);
  write(`proc/${pid}/cgroup`, `4:memory:${cgroup}\n1:cpu:${cgroup}\n`);
  for (const tid of [pid, pid + 1]) mkdirSync(join(root, `proc/${pid}/task/${tid}`), { recursive: true });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'datapath-'));
  said = [];
  machine = {
    proc: join(root, 'proc'),
    cgroups: join(root, 'cgroup'),
    chrt: (args) => void said.push(args.join(' ')),
  };
  write('proc/meminfo', '');
  write('cgroup/cpu/tasks', '');
  write(`cgroup/cpu${POD}/tasks`, '');
  addProcess(100, { comm: 'ovs-vswitchd', cgroup: POD });
  addProcess(200, { comm: 'ovs-vswitchd', cgroup: OTHER });
  addProcess(300, { comm: 'ovsdb-server', cgroup: POD });
  addProcess(22, { comm: 'ksoftirqd/1', cgroup: '/' });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the datapath before all other programs', () => {
  it("is every thread of the lab's Open vSwitch, and the kernel's threads; no other program's", () => {
    using _ = preferDatapath(machine);
    expect(said).toEqual(['--rr -p 2 100', '--rr -p 2 101', '--rr -p 2 22']);
  });

  it('leaves its cgroup first, as only the root has a share of real time', () => {
    const order: string[] = [];
    const root2 = join(root, 'cgroup/cpu/tasks');
    using _ = preferDatapath({
      ...machine,
      chrt: ([, , , tid]) => void order.push(`${tid} in ${readFileSync(root2)}`),
    });
    expect(order.slice(0, 2)).toEqual(['100 in 100', '101 in 101']);
  });

  it('is an ordinary program again afterwards, and back in its cgroup', () => {
    mkdirSync(join(root, 'proc/101'));
    preferDatapath(machine)[Symbol.dispose]();
    expect(said.slice(3).toSorted()).toEqual(['--other -p 0 100', '--other -p 0 101', '--other -p 0 22']);
    expect(readFileSync(join(root, `cgroup/cpu${POD}/tasks`), 'utf8')).toBe('101');
  });

  it('ends in peace when a thread, or its pod, is gone', () => {
    const preferred = preferDatapath(machine);
    rmSync(join(root, 'proc/100'), { recursive: true });
    rmSync(join(root, 'cgroup/cpu/mooring-lab'), { recursive: true });
    expect(() => preferred[Symbol.dispose]()).not.toThrow();
    expect(said).not.toContain('--other -p 0 100');
  });

  it('stays where it is under cgroup v2, which has no such share', () => {
    rmSync(join(root, 'cgroup'), { recursive: true });
    preferDatapath(machine)[Symbol.dispose]();
    expect(said).toContain('--rr -p 2 100');
  });
});

describe("a process's cgroup", () => {
  it.each([
    ['4:memory:/a\n2:cpu,cpuacct:/b:c\n', '/b:c'],
    ['0::/only\n', '/only'],
    ['5:cpuset:/x\n', undefined],
    ['', undefined],
  ])('%j', (text, path) => {
    expect(parseCpuCgroup(text)).toBe(path);
  });
});
