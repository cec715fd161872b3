import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import type { Links } from './context.ts';
import { createZombieReaper, listZombies, parseStat } from './zombies.ts';

let proc: string;
/** Numbers that the kernel was asked for, and those that it does not give. */
let asked: number[];
let refused: Set<number>;
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'proc-'));
  await writeFile(join(proc, 'uptime'), '1 1');
  asked = [];
  refused = new Set();
});
afterEach(() => rm(proc, { recursive: true, force: true }));

const format = (pid: number, name: string, { state = 'Z', parent = 1, born = 100 } = {}) =>
  `${pid} (${name}) ${state} ${parent} ${Array.from({ length: 17 }, () => 0).join(' ')} ${born} 0 0\n`;
const show = async (pid: number, more = {}) => {
  await mkdir(join(proc, String(pid)), { recursive: true });
  await writeFile(join(proc, String(pid), 'stat'), format(pid, 'sleep', more));
};
const links = {
  run: async (job: { kind: string; pids: readonly number[] }) => {
    expect(job.kind).toBe('reapChildren');
    asked.push(...job.pids);
    return { reaped: job.pids.filter((pid) => !refused.has(pid)) };
  },
} as unknown as Links;
const reaper = () => createZombieReaper({ links, log: createRecordingLogger(), parent: 1, proc });

describe('a line of proc(5)', () => {
  test.each([
    ['an ordinary name', format(7, 'sleep'), { state: 'Z', parent: 1, bornAt: '100' }],
    [
      'a name that looks like the rest',
      format(7, 'a) S 1 (b', { parent: 9 }),
      { state: 'Z', parent: 9, bornAt: '100' },
    ],
    ['a process that runs', format(7, 'sleep', { state: 'S' }), { state: 'S', parent: 1, bornAt: '100' }],
    ['nothing, as it has gone', '', { state: '', parent: 0, bornAt: '' }],
  ])('%s', (_cause, text, expected) => {
    expect(parseStat(text)).toEqual(expected);
  });

  test('is what the kernel of this machine writes', async () => {
    const own = parseStat(await readFile('/proc/self/stat', 'utf8'));
    expect(own).toEqual({
      state: expect.stringMatching(/^[RSD]$/),
      parent: process.ppid,
      bornAt: expect.stringMatching(/^[1-9][0-9]*$/),
    });
    expect(await listZombies('/proc', process.pid)).toEqual([]);
  });
});

describe('a zombie', () => {
  test('is reaped when it is dead at two rounds, as Node waits for its own at once', async () => {
    await show(7);
    const { round } = reaper();
    expect(await round()).toBe(0);
    expect(asked).toEqual([]);
    expect(await round()).toBe(1);
    expect(asked).toEqual([7]);
  });

  test.each([
    ['still runs', { state: 'S' }],
    ['is the child of another process', { parent: 12 }],
  ])('is none that %s', async (_cause, more) => {
    await show(7, more);
    const { round } = reaper();
    for (const _round of [1, 2, 3]) expect(await round()).toBe(0);
    expect(asked).toEqual([]);
  });

  test('of a number that was given anew meanwhile is looked at afresh', async () => {
    await show(7);
    const { round } = reaper();
    await round();
    await show(7, { born: 200 });
    expect(await round()).toBe(0);
    expect(await round()).toBe(1);
  });

  test('that goes by itself between two rounds is nobody’s business', async () => {
    await show(7);
    const { round } = reaper();
    await round();
    await rm(join(proc, '7'), { recursive: true });
    expect(await round()).toBe(0);
    expect(asked).toEqual([]);
  });

  test('that the kernel does not give is not counted', async () => {
    await show(7);
    await show(8);
    refused.add(7);
    const { round } = reaper();
    await round();
    expect(await round()).toBe(1);
  });
});
