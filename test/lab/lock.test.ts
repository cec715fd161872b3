import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';
import { findStartTime } from './process.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-lock-'));
  path = join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('withLock', () => {
  it('holds the lock during the work and leaves nothing', async () => {
    expect(await withLock(path, 0, async () => existsSync(path))).toBe(true);
    expect(readdirSync(dir)).toEqual([]);
  });
  it('lets go when the work fails', async () => {
    await expect(withLock(path, 0, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(dir)).toEqual([]);
  });
  it('says who holds a lock that stays', async () => {
    writeFileSync(path, `${process.pid} ${findStartTime(process.pid)}`);
    await expect(withLock(path, 0, async () => 1)).rejects.toThrow(`process ${process.pid} is working on the lab`);
    expect(existsSync(path)).toBe(true);
  });
  it.each([
    ['whose pid was reused', `${process.pid} 1`],
    ['whose process is gone', '4194304 77'],
    ['that is damaged', ''],
  ])('takes over a lock %s', async (_case, text) => {
    writeFileSync(path, text);
    expect(await withLock(path, 0, async () => 7)).toBe(7);
  });
});
