import { describe, expect, it } from 'vitest';
import { encodeColumns, normalizeValue, rowsOf, type Table } from './typed.ts';
import type { Uuid } from './values.ts';

type ThingRow = {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly parts: readonly Uuid[];
  readonly peer: Uuid | undefined;
  readonly options: ReadonlyMap<string, string>;
};
const rule = { min: 0, max: Number.POSITIVE_INFINITY, ephemeral: false, mutable: true };
const THING: Table<ThingRow> = {
  name: 'Thing',
  isRoot: true,
  indexes: [],
  maxRows: Number.POSITIVE_INFINITY,
  columns: {
    name: { ...rule, key: { type: 'string' }, min: 1, max: 1 },
    parts: { ...rule, key: { type: 'uuid' } },
    peer: { ...rule, key: { type: 'uuid' }, max: 1 },
    options: { ...rule, key: { type: 'string' }, value: { type: 'string' } },
  },
};
const UUID = '01234567-89ab-4def-8123-456789abcdef';

describe('encodeColumns', () => {
  it('writes each column by its own type, and a name for a row of the same transaction', () => {
    const options = new Map([['a', 'b']]);
    expect(encodeColumns(THING, { name: 'x', parts: [UUID, 'part_1'], peer: undefined, options })).toEqual({
      name: 'x',
      parts: [
        'set',
        [
          ['uuid', UUID],
          ['named-uuid', 'part_1'],
        ],
      ],
      peer: ['set', []],
      options: ['map', [['a', 'b']]],
    });
  });

  it('refuses a column that the table does not have, also one that objects inherit', () => {
    for (const column of ['nonsense', 'toString']) {
      expect(() => encodeColumns(THING, { [column]: 'x' })).toThrow(`Thing has no column ${column}`);
    }
  });
});

describe('normalizeValue', () => {
  it.each([
    [
      ['b', 'a', 'b'],
      ['a', 'b'],
    ],
    [
      new Map([
        ['b', '1'],
        ['a', '2'],
      ]),
      new Map([
        ['a', '2'],
        ['b', '1'],
      ]),
    ],
    ['x', 'x'],
    [undefined, undefined],
  ])('%j', (value, expected) => {
    const normal = normalizeValue(value);
    expect(normal).toEqual(expected);
    if (normal instanceof Map && expected instanceof Map) expect([...normal.keys()]).toEqual([...expected.keys()]);
  });
});

describe('rowsOf', () => {
  it("is the replica's own table", () => {
    const rows = new Map();
    expect(
      rowsOf({ table: (name) => (name === 'Thing' ? rows : new Map()), onChange: () => () => undefined }, THING),
    ).toBe(rows);
  });
});
