import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTree } from './cgroups.ts';
import { isClean, type Leftovers, parseMounts } from './down.ts';

const MOUNTS = `22 1 0:21 / /proc rw - proc proc rw
50 1 0:40 / /lab/nodes rw - tmpfs tmpfs rw
51 50 0:41 / /lab/nodes/a\\040b rw - tmpfs tmpfs rw
52 1 0:42 / /laboratory rw - tmpfs tmpfs rw
`;

describe('parseMounts', () => {
  it('finds mounts below a directory, the deepest first, and no namesake', () => {
    expect(parseMounts(MOUNTS, ['/lab'])).toEqual(['/lab/nodes/a b', '/lab/nodes']);
  });
  it('finds a mount on the directory itself', () => {
    expect(parseMounts(MOUNTS, ['/laboratory'])).toEqual(['/laboratory']);
  });
  it('finds nothing without directories', () => {
    expect(parseMounts(MOUNTS, [])).toEqual([]);
  });
});

describe('isClean', () => {
  const none: Leftovers = { processes: [], namespaces: [], links: [], mounts: [], dirs: [] };
  it('is true when nothing is left', () => {
    expect(isClean(none)).toBe(true);
  });
  it.each([
    ['a process', { processes: [1] }],
    ['a namespace', { namespaces: ['lab-node1'] }],
    ['a link', { links: ['lab-m1'] }],
    ['a mount', { mounts: ['/lab'] }],
    ['a directory', { dirs: ['/lab'] }],
  ])('is false when %s is left', (_case, left) => {
    expect(isClean({ ...none, ...left })).toBe(false);
  });
});

describe('listTree', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lab-tree-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('lists directories, children before parents', () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    mkdirSync(join(dir, 'c'));
    writeFileSync(join(dir, 'a/cgroup.procs'), '');
    const tree = listTree(dir);
    expect(tree.toSorted()).toEqual([dir, join(dir, 'a'), join(dir, 'a/b'), join(dir, 'c')]);
    expect(tree.indexOf(join(dir, 'a/b'))).toBeLessThan(tree.indexOf(join(dir, 'a')));
    expect(tree.at(-1)).toBe(dir);
  });
  it('is empty for a directory that is not there', () => {
    expect(listTree(join(dir, 'none'))).toEqual([]);
  });
});
