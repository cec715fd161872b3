import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand, tryCommand, waitFor } from '../command.ts';
import { ensureProgram } from './build.ts';

const NETNS = `flow${process.pid % 100_000}`;
const FILE_BYTES = 700_000;
const [PORT, GIVES, NOBODY] = ['5201', '5202', '5203'];

let dir: string;
let flow: string;
const children: ChildProcess[] = [];

const inside = (...argv: string[]): string[] => ['nsenter', `--net=/run/netns/${NETNS}`, '--', ...argv];
const runFlow = (...args: string[]): Promise<string> => runCommand(inside(flow, ...args));

async function start(...args: string[]): Promise<void> {
  const [file = '', ...rest] = inside(flow, ...args);
  children.push(spawn(file, rest, { stdio: 'ignore' }));
  const listens = async (): Promise<true | undefined> =>
    (await runCommand(inside('ss', '-Hltn'))).includes(`:${args[1]} `) || undefined;
  expect(await waitFor(listens, 5000, 20)).toBe(true);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flow-'));
  flow = await ensureProgram(dir, 'flow');
  await runCommand(['ip', 'netns', 'add', NETNS]);
  await runCommand(['ip', '-n', NETNS, 'link', 'set', 'lo', 'up']);
  writeFileSync(join(dir, 'file'), Buffer.alloc(FILE_BYTES, 'x'));
  await start('serve', PORT);
  await start('give', GIVES, join(dir, 'file'));
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await runCommand(['ip', 'netns', 'del', NETNS]);
  rmSync(dir, { recursive: true, force: true });
});

describe('flow', () => {
  it('tells the round trip of each request', async () => {
    const lines = (await runFlow('ping', '127.0.0.1', PORT, '50')).trim().split('\n');
    expect(lines).toHaveLength(50);
    for (const line of lines) expect(Number(line)).toBeGreaterThan(0);
  });

  it('tells each request that nobody answers', async () => {
    expect(await runFlow('ping', '127.0.0.1', NOBODY, '3')).toBe('lost\nlost\nlost\n');
  });

  it('tells what the receiver counted, and for how long', async () => {
    const [bytes = 0, ns = 0] = (await runFlow('fill', '127.0.0.1', PORT, '300')).trim().split(' ').map(Number);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(ns).toBeGreaterThan(100_000_000);
  });

  it('fails where nobody listens', async () => {
    const { code, stderr } = await tryCommand(inside(flow, 'fill', '127.0.0.1', NOBODY, '100'));
    expect([code, stderr]).toEqual([1, 'connect: Connection refused\n']);
  });

  it('gives the whole file to one after the other, also to one that has nothing to say', async () => {
    const fetch = `/bin/busybox nc 127.0.0.1 ${GIVES} </dev/null >"$0"`;
    for (const name of ['first', 'second']) {
      await runCommand(inside('/bin/sh', '-c', fetch, join(dir, name)));
      expect(readFileSync(join(dir, name)).equals(readFileSync(join(dir, 'file')))).toBe(true);
    }
  });

  it('says how it is used', async () => {
    expect((await tryCommand([flow, 'ping'])).code).toBe(2);
  });
});
