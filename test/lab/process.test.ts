import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deriveNode } from './config.ts';
import {
  findProcess,
  findStartTime,
  formatNodeCommand,
  isAlive,
  listCgroupDirs,
  listProcesses,
  parseProcess,
  parseStartTime,
  signalProcess,
} from './process.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-process-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const stat = (state: string, name = 'sh') =>
  `7 (${name}) ${state} 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 9988 1000 100`;

describe('parseStartTime', () => {
  it.each([
    ['a running process', stat('R'), '9988'],
    ['a name with brackets and blanks', stat('S', 'a) R 1 (b'), '9988'],
    ['a zombie, which is as good as gone', stat('Z'), undefined],
    ['a dead one', stat('X'), undefined],
  ])('reads %s', (_case, text, expected) => {
    expect(parseStartTime(text)).toBe(expected);
  });
});

describe('recorded processes', () => {
  const record = (pid: number, startTime: string) => ({ name: 'p', pid, startTime, argv: ['p'], log: '/l' });

  it('sees ourselves alive', () => {
    expect(isAlive(record(process.pid, findStartTime(process.pid) ?? ''))).toBe(true);
  });
  it('takes a reused pid for gone', () => {
    expect(isAlive(record(process.pid, '1'))).toBe(false);
  });
  it('never signals a process whose pid was reused', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    expect(signalProcess(record(child.pid ?? 0, '1'), 'SIGKILL')).toBe(false);
    expect(findStartTime(child.pid ?? 0)).toBeDefined();
    expect(signalProcess(record(child.pid ?? 0, findStartTime(child.pid ?? 0) ?? ''), 'SIGKILL')).toBe(true);
    await once(child, 'exit');
  });
  it('finds records by name and skips damaged ones', () => {
    mkdirSync(join(dir, 'processes'));
    writeFileSync(join(dir, 'processes/a.json'), JSON.stringify(record(1, '2')));
    writeFileSync(join(dir, 'processes/b.json'), '{"name":');
    writeFileSync(join(dir, 'processes/c.json.new'), '{}');
    expect(listProcesses(dir)).toEqual([record(1, '2')]);
    expect(findProcess(dir, 'p')?.pid).toBe(1);
    expect(findProcess(dir, 'q')).toBeUndefined();
  });
  it('has none where there is no lab', () => {
    expect(listProcesses(join(dir, 'none'))).toEqual([]);
  });
  it.each([['null'], ['{}'], ['{"name":"a","pid":"1","startTime":"2"}'], ['']])(
    'does not take %j for a record',
    (text) => {
      expect(parseProcess(text)).toBeUndefined();
    },
  );
});

describe('formatNodeCommand', () => {
  it('enters network, mount and hostname namespaces and passes the command as words', () => {
    const node = { ...deriveNode('/lab', 1), mountNsPid: 42 };
    const words = formatNodeCommand(node, ['echo', 'a b; c']);
    expect(words.join(' ')).toContain('-t 42 -m -u --net=/run/netns/lab-node1 --');
    expect(words.at(-1)).toBe('a b; c');
  });
});

describe('listCgroupDirs', () => {
  it('finds one directory per hierarchy of cgroup v1', () => {
    for (const name of ['cpu', 'pids', 'notes']) mkdirSync(join(dir, name));
    for (const name of ['cpu', 'pids']) writeFileSync(join(dir, name, 'cgroup.procs'), '');
    expect(listCgroupDirs('lab', dir)).toEqual([join(dir, 'cpu/lab'), join(dir, 'pids/lab')]);
  });
  it('finds the one directory of cgroup v2', () => {
    writeFileSync(join(dir, 'cgroup.controllers'), 'cpu pids');
    expect(listCgroupDirs('lab', dir)).toEqual([join(dir, 'lab')]);
  });
});
