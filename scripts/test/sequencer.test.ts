import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listLongest, sortFirst } from './sequencer.ts';

const sort = (paths: string[], first: string[]) => sortFirst(paths, (path) => path, first);

describe('sortFirst', () => {
  it('puts those that are named first, in the order in which they are named', () => {
    expect(sort(['/r/a.ts', '/r/b.ts', '/r/c.ts'], ['c.ts', 'b.ts'])).toEqual(['/r/c.ts', '/r/b.ts', '/r/a.ts']);
  });

  it('leaves the others in their order', () => {
    expect(sort(['/r/d.ts', '/r/a.ts', '/r/c.ts'], ['c.ts'])).toEqual(['/r/c.ts', '/r/d.ts', '/r/a.ts']);
  });

  it('takes no other file whose name only ends the same', () => {
    expect(sort(['/r/x.ts', '/r/aa.ts'], ['a.ts'])).toEqual(['/r/x.ts', '/r/aa.ts']);
  });
});

it('each of the longest files is there', () => {
  const root = resolve(import.meta.dirname, '../..');
  expect(listLongest().filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
