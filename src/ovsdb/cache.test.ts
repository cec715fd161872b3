import { describe, expect, it } from 'vitest';
import { TEST_SCHEMA } from '../../test/ovsdb/schema.ts';
import { applyDifference, Cache, type RowChange } from './cache.ts';
import { ProtocolError } from './errors.ts';
import { parseUpdates, planMonitor } from './monitor.ts';
import { parseSchema } from './schema.ts';
import type { ColumnType, Value } from './values.ts';

const SCHEMA = parseSchema(TEST_SCHEMA);
const TABLES = planMonitor({ Thing: { columns: ['name', 'labels', 'options', 'count'] }, Note: {} }, SCHEMA).tables;
const A = '00000000-0000-4000-8000-00000000000a';
const B = '00000000-0000-4000-8000-00000000000b';

async function filled(): Promise<Cache> {
  const cache = new Cache();
  await cache.replace(
    TABLES,
    parseUpdates({ Thing: { [A]: { initial: { name: 'a', labels: ['set', ['x', 'y']] } } } }, 2),
  );
  return cache;
}

function brief(changes: readonly RowChange[]): unknown[] {
  return changes.map(({ table, uuid, old, new: now }) => [table, uuid, old?.name ?? old?.text, now?.name ?? now?.text]);
}

describe('Cache', () => {
  it('fills in the defaults that the server leaves out', async () => {
    expect((await filled()).table('Thing').get(A)).toEqual({
      _uuid: A,
      name: 'a',
      labels: ['x', 'y'],
      options: new Map(),
      count: 0n,
    });
  });

  it('gives rows that inherit nothing', async () => {
    const row = (await filled()).table('Thing').get(A);
    expect(row?.constructor).toBeUndefined();
    expect(row?.toString).toBeUndefined();
  });

  it('applies insert, modify and delete of one update together', async () => {
    const cache = await filled();
    const changes = cache.apply(
      parseUpdates(
        { Thing: { [A]: { modify: { count: 4 } }, [B]: { insert: { name: 'b' } } }, Note: { [B]: { delete: null } } },
        2,
      ),
    );
    expect(brief(changes)).toEqual([
      ['Thing', A, 'a', 'a'],
      ['Thing', B, undefined, 'b'],
    ]);
    expect(cache.table('Thing').get(A)?.count).toBe(4n);
    expect(brief(cache.apply(parseUpdates({ Thing: { [A]: { delete: null } } }, 2)))).toEqual([
      ['Thing', A, 'a', undefined],
    ]);
    expect([...cache.table('Thing').keys()]).toEqual([B]);
  });

  it('makes a new row on change and leaves the old one as it was', async () => {
    const cache = await filled();
    const [change] = cache.apply(parseUpdates({ Thing: { [A]: { modify: { labels: ['set', ['y', 'z']] } } } }, 2));
    expect(change?.old?.labels).toEqual(['x', 'y']);
    expect(change?.new?.labels).toEqual(['x', 'z']);
    expect(change?.new).toBe(cache.table('Thing').get(A));
  });

  it('keeps one Map per table for good, so that a holder sees later changes', async () => {
    const cache = new Cache();
    const table = cache.table('Thing');
    await cache.replace(TABLES, parseUpdates({ Thing: { [A]: { initial: { name: 'a' } } } }, 2));
    expect(table.size).toBe(1);
  });

  it('turns a complete dump into the difference', async () => {
    const cache = await filled();
    const before = cache.table('Thing').get(A);
    const dump = {
      Thing: { [A]: { initial: { name: 'a', labels: ['set', ['y', 'x']] } }, [B]: { initial: { name: 'b' } } },
    };
    expect(brief(await cache.replace(TABLES, parseUpdates(dump, 2)))).toEqual([['Thing', B, undefined, 'b']]);
    expect(cache.table('Thing').get(A)).toBe(before);
    expect(brief(await cache.replace(TABLES, parseUpdates({}, 2)))).toEqual([
      ['Thing', A, 'a', undefined],
      ['Thing', B, 'b', undefined],
    ]);
  });

  it('pauses while it decodes a large dump, and changes nothing before the end', async () => {
    const cache = await filled();
    const rows = Object.fromEntries(
      Array.from({ length: 2500 }, (_, i) => [`row${i}`, { initial: { name: `n${i}` } }]),
    );
    const sizes: number[] = [];
    await cache.replace(TABLES, parseUpdates({ Thing: rows }, 2), async () => sizes.push(cache.table('Thing').size));
    expect(sizes).toEqual([1, 1]);
    expect(cache.table('Thing').size).toBe(2500);
  });

  it('forgets the rows of a table that the server no longer has', async () => {
    const cache = await filled();
    expect(brief(await cache.replace(new Map(), parseUpdates({}, 2)))).toEqual([['Thing', A, 'a', undefined]]);
  });

  it('understands the updates of RFC 7047 as well', async () => {
    const cache = await filled();
    const update = { Thing: { [A]: { old: { count: 0 }, new: { name: 'a', labels: ['set', ['x', 'y']], count: 1 } } } };
    expect(cache.apply(parseUpdates(update, 1))[0]?.new?.count).toBe(1n);
    expect(brief(cache.apply(parseUpdates({ Thing: { [A]: { old: { name: 'a' } } } }, 1)))).toEqual([
      ['Thing', A, 'a', undefined],
    ]);
  });

  it.each<[string, unknown]>([
    ['an unknown row', { Thing: { [A]: { modify: { count: 1 } }, [B]: { modify: { count: 1 } } } }],
    ['an unknown column', { Thing: { [A]: { modify: { count: 1, ratio: 1 } } } }],
    ['an unknown table', { Thing: { [A]: { modify: { count: 1 } } }, Part: { [A]: { insert: {} } } }],
    ['a value of the wrong type', { Thing: { [A]: { modify: { count: 1 } }, [B]: { insert: { name: 1 } } } }],
  ])('refuses an update of %s and applies nothing of it', async (_name, update) => {
    const cache = await filled();
    expect(() => cache.apply(parseUpdates(update, 2))).toThrow();
    expect(cache.table('Thing').get(A)?.count).toBe(0n);
    expect(cache.table('Thing').size).toBe(1);
  });

  it.each([null, [], { Thing: null }, { Thing: { [A]: 3 } }, { Thing: { [A]: {} } }])(
    'refuses %j as updates',
    async (json) => {
      const cache = await filled();
      expect(() => cache.apply(parseUpdates(json, 2))).toThrow(ProtocolError);
    },
  );
});

describe('applyDifference', () => {
  const type = (name: string): ColumnType => {
    const found = SCHEMA.tables.Thing?.columns[name];
    if (found === undefined) throw new Error(name);
    return found;
  };
  it.each<[string, string, Value, unknown, Value]>([
    ['adds to a set', 'labels', ['b'], ['set', ['a']], ['a', 'b']],
    ['removes from a set', 'labels', ['a', 'b'], 'a', ['b']],
    [
      'removes a pair from a map',
      'options',
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
      ['map', [['a', '1']]],
      new Map([['b', '2']]),
    ],
    ['changes a pair of a map', 'options', new Map([['a', '1']]), ['map', [['a', '2']]], new Map([['a', '2']])],
    ['adds a pair to a map', 'options', new Map(), ['map', [['a', '2']]], new Map([['a', '2']])],
    ['replaces a scalar', 'count', 1n, 2, 2n],
    ['clears an optional', 'tag', 1n, ['set', []], undefined],
    ['replaces a map of at most one pair', 'pair', new Map([['a', 1n]]), ['map', [['b', 1]]], new Map([['b', 1n]])],
  ])('%s', (...[, column, old, diff, expected]) => {
    expect(applyDifference(old, diff, type(column))).toEqual(expected);
  });
});

describe('planMonitor', () => {
  it('takes all columns by default and reports what the server lacks', async () => {
    const plan = planMonitor({ Note: {}, Thing: { columns: ['name', 'size'], where: [true] }, Gone: {} }, SCHEMA);
    expect(plan.missing).toEqual(['Thing.size', 'Gone']);
    expect(Object.keys(plan.tables.get('Note')?.columns ?? {})).toEqual(['text']);
    expect(plan.tables.get('Thing')?.where).toEqual([true]);
    expect(plan.tables.has('Gone')).toBe(false);
  });
});
