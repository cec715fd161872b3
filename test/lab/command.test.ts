import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildEnvironment, CommandError, runCommand, tryCommand, waitFor } from './command.ts';

describe('runCommand', () => {
  it('passes input and words as they are and returns the output', async () => {
    expect(await runCommand(['sh', '-c', 'cat; echo "$1"', 'sh', 'a b; $c'], { input: 'in ' })).toBe('in a b; $c\n');
  });
  it('throws the exit code and the end of what a failing program said', async () => {
    const failing = runCommand(['sh', '-c', 'echo wrong >&2; exit 3']);
    await expect(failing).rejects.toThrow(CommandError);
    await expect(failing).rejects.toMatchObject({ code: 3, message: expect.stringContaining('exited with 3: wrong') });
  });
  it('survives a program that ends before it has read its input', async () => {
    expect((await tryCommand(['true'], { input: 'x'.repeat(1 << 20) })).code).toBe(0);
  });
  it('rejects when there is no such program', async () => {
    await expect(tryCommand(['/no/such/program'])).rejects.toThrow('ENOENT');
  });
  it('ends a program that takes too long', async () => {
    expect((await tryCommand(['sleep', '60'], { timeoutMs: 50 })).code).toBe(137);
  });
  it('writes a log and names it in the error', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lab-command-'));
    const log = join(dir, 'log');
    await expect(runCommand(['sh', '-c', 'echo deep; exit 1'], { log })).rejects.toThrow(`see ${log}`);
    expect(readFileSync(log, 'utf8')).toBe('deep\n');
    rmSync(dir, { recursive: true });
  });
});

describe('buildEnvironment', () => {
  it('has the system directories on the path and the added values', () => {
    const env = buildEnvironment({ A: 'b' });
    expect(env.PATH).toContain('/usr/sbin');
    expect(env.A).toBe('b');
  });
});

describe('waitFor', () => {
  it('returns the first value', async () => {
    let turn = 0;
    expect(await waitFor(async () => (++turn === 3 ? turn : undefined), 5000, 1)).toBe(3);
  });
  it('gives up with undefined', async () => {
    expect(await waitFor(async () => undefined, 5, 1)).toBeUndefined();
  });
});
