import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { preferLab } from './priority.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  for (const hierarchy of ['cpu', 'memory']) {
    mkdirSync(join(root, hierarchy, 'mooring-lab'), { recursive: true });
    writeFileSync(join(root, hierarchy, 'cgroup.procs'), '');
  }
  writeFileSync(join(root, 'cpu/mooring-lab/cpu.shares'), '2048\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the lab before all else', () => {
  it('has a larger share while it is measured, and its own afterwards', () => {
    const path = join(root, 'cpu/mooring-lab/cpu.shares');
    {
      using _ = preferLab(root);
      expect(readFileSync(path, 'utf8')).toBe('20480');
    }
    expect(readFileSync(path, 'utf8')).toBe('2048');
  });

  it('ends in peace when the lab was taken down meanwhile', () => {
    const preferred = preferLab(root);
    rmSync(join(root, 'cpu/mooring-lab'), { recursive: true });
    expect(() => preferred[Symbol.dispose]()).not.toThrow();
  });
});
