import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRecordingLogger } from '../../kube/testing/recording-logger.ts';
import type { KubeObject } from '../../kube/types.ts';
import { createAside, KEPT, planDrop } from './aside.ts';
import { createFakeWorld } from './testing/fake-context.ts';
import { isPassing, readSmall, setAside } from './unreadable.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aside-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const aside = () => join(folder, 'quarantine');
const fileOf = async (name: string, text = 'junk') => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};

describe('a file that cannot be read', () => {
  test('is moved as it is, for root alone, under a name that says whose it was', async () => {
    const log = createRecordingLogger();
    const path = await fileOf('1.del');
    await setAside(aside(), { kind: 'spool', path, why: new Error('no DEL') }, log);
    expect(await readFile(join(aside(), 'spool-1.del.bad'), 'utf8')).toBe('junk');
    expect((await stat(aside())).mode & 0o777).toBe(0o700);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { file: path, err: { message: 'no DEL' } } }]);
  });

  test('stays where it is when it cannot be moved, and nobody is stopped by that', async () => {
    const log = createRecordingLogger();
    const path = await fileOf('1.del');
    await writeFile(aside(), 'no folder');
    await setAside(aside(), { kind: 'spool', path, why: 'x' }, log);
    expect(await readFile(path, 'utf8')).toBe('junk');
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { why: 'x' } }]);
  });

  test('is not taken into memory when it is too large', async () => {
    const path = await fileOf('large', 'x'.repeat(11));
    await expect(readSmall(path, 10)).rejects.toThrow('it has 11 bytes, more than 10');
    expect((await readSmall(path, 11)).length).toBe(11);
    await expect(readSmall(folder, 1e6)).rejects.toMatchObject({ code: 'EISDIR' });
  });

  test.each([
    ['EMFILE', true],
    ['ENOMEM', true],
    ['EIO', false],
    ['ENOENT', false],
  ])('%s: it may be read another time: %s', (code, expected) => {
    expect(isPassing(Object.assign(new Error('x'), { code }))).toBe(expected);
    expect(isPassing(undefined)).toBe(false);
  });
});

describe('what is kept', () => {
  const files = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `f${index}`, bytes, writtenAt: index }));

  test.each([
    ['few', files(3, 10), []],
    ['too many: the oldest go', files(KEPT.files + 2, 10), ['f1', 'f0']],
    ['too large together: the oldest goes', files(3, KEPT.bytes / 2), ['f0']],
    ['one that is too large alone', files(1, KEPT.bytes + 1), ['f0']],
    ['none', [], []],
  ])('%s', (_cause, given, expected) => {
    expect(planDrop(given)).toEqual(expected);
  });

  test('a large one does not drive out small ones that are older', () => {
    const large = { name: 'large', bytes: KEPT.bytes + 1, writtenAt: 9 };
    expect(planDrop([...files(2, 10), large])).toEqual(['large']);
  });

  test('is the same for files of one moment, whatever their order', () => {
    const same = files(4, 1).map((file) => ({ ...file, writtenAt: 1 }));
    const kept = { files: 2, bytes: 10 };
    expect(planDrop(same, kept).toSorted()).toEqual(planDrop(same.toReversed(), kept).toSorted());
  });
});

describe('what was put aside', () => {
  const make = (node: object | null = { metadata: { name: 'n1', uid: 'u' } }) => {
    const world = createFakeWorld();
    const counts: string[] = [];
    const told: { regarding: KubeObject; note: string }[] = [];
    const state = { synced: true };
    const context = {
      ...world.context,
      cluster: {
        ...world.context.cluster,
        hasSynced: () => state.synced,
        findNode: () => (node ?? undefined) as never,
      },
      metrics: {
        count: (name: string, labels = {}) => void counts.push(`${name} ${JSON.stringify(labels)}`),
        observe: () => undefined,
      },
      events: {
        record: (regarding: KubeObject, { note }: { note: string }) => void told.push({ regarding, note }),
      },
    };
    return { ...createAside(context, aside()), counts, told, state, log: world.log };
  };
  const put = async (name: string, writtenAt = 1) => {
    await mkdir(aside(), { recursive: true });
    await writeFile(join(aside(), name), 'junk');
    await utimes(join(aside(), name), writtenAt, writtenAt);
  };

  test('is told of once: log, metric by kind, and an event of the node that names folder and files', async () => {
    await put('spool-1.del.bad');
    await put('networks-x.json');
    const { round, counts, told, log } = make();
    await round();
    await round();
    expect(counts).toEqual(['unreadable_files {"kind":"networks"}', 'unreadable_files {"kind":"spool"}']);
    expect(told).toHaveLength(1);
    expect(told[0]?.regarding).toMatchObject({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    expect(told[0]?.note).toContain(`${aside()} and remove them: networks-x.json, spool-1.del.bad`);
    expect(log.lines).toHaveLength(1);
  });

  test('is told of again when there is more, and only that', async () => {
    await put('spool-1.del.bad');
    const { round, told } = make();
    await round();
    await put('spool-2.del.bad');
    await round();
    expect(told.map(({ note }) => note.split(': ').at(-1))).toEqual(['spool-1.del.bad', 'spool-2.del.bad']);
  });

  test('is not told of before the API was read, and without a Node in log and metric', async () => {
    await put('spool-1.del.bad');
    const { round, told, counts, state, log } = make(null);
    state.synced = false;
    await round();
    expect(counts).toEqual([]);
    state.synced = true;
    await round();
    expect(counts).toHaveLength(1);
    expect(log.lines).toHaveLength(1);
    expect(told).toEqual([]);
  });

  test('is bounded, and the names in one event are few', async () => {
    for (let index = 0; index < KEPT.files + 3; index += 1) await put(`spool-${index}.del.bad`, index + 1);
    const { round, told, counts } = make();
    await round();
    expect(await readdir(aside())).toHaveLength(KEPT.files);
    expect(await readdir(aside())).not.toContain('spool-0.del.bad');
    expect(counts).toHaveLength(KEPT.files + 3);
    expect(told[0]?.note).toMatch(/ and 30 more$/);
    expect(told[0]?.note.length).toBeLessThan(1000);
  });

  test('may be nothing, without a folder', async () => {
    const { round, told, counts } = make();
    await round();
    expect([told, counts]).toEqual([[], []]);
  });
});
