import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJson, parseJson } from './json.ts';
import { parseSchema } from './schema.ts';
import {
  type AtomicType,
  type ColumnType,
  decodeValue,
  defaultValue,
  encodeValue,
  equalValues,
  sortedMap,
  sortedSet,
  type Value,
  ValueError,
  ZERO_UUID,
} from './values.ts';

const UUID = '550e8400-e29b-41d4-a716-446655440000';
const OTHER = '550e8400-e29b-41d4-a716-446655440001';

function column(key: AtomicType, min = 1, max = 1, value?: AtomicType): ColumnType {
  const base = { key: { type: key }, min, max, ephemeral: false, mutable: true };
  return value === undefined ? base : { ...base, value: { type: value } };
}

const MANY = Number.POSITIVE_INFINITY;

const CASES: readonly [name: string, type: ColumnType, wire: unknown, value: Value][] = [
  ['integer', column('integer'), 7, 7n],
  ['integer beyond 2^53', column('integer'), 9007199254740993n, 9007199254740993n],
  ['real', column('real'), 1.5, 1.5],
  ['boolean', column('boolean'), true, true],
  ['string', column('string'), '', ''],
  ['uuid', column('uuid'), ['uuid', UUID], UUID],
  ['optional, present', column('string', 0), 'a', 'a'],
  [
    'set of uuids',
    column('uuid', 0, MANY),
    [
      'set',
      [
        ['uuid', UUID],
        ['uuid', OTHER],
      ],
    ],
    [UUID, OTHER],
  ],
  [
    'map',
    column('string', 0, MANY, 'integer'),
    [
      'map',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    new Map([
      ['a', 1n],
      ['b', 2n],
    ]),
  ],
  ['map of at most one', column('string', 0, 1, 'string'), ['map', [['a', 'b']]], new Map([['a', 'b']])],
];

describe('decodeValue', () => {
  it.each(CASES)('reads %s', (_name, type, wire, value) => {
    expect(decodeValue(wire, type)).toEqual(value);
  });

  it.each<[string, ColumnType, unknown, Value]>([
    ['an absent optional', column('string', 0), ['set', []], undefined],
    ['an optional written as a set of one', column('string', 0), ['set', ['a']], 'a'],
    ['a scalar written as a set of one', column('string'), ['set', ['a']], 'a'],
    ['a set of one, written bare', column('integer', 0, MANY), 3, [3n]],
    ['a set in any order, with doubles', column('string', 0, MANY), ['set', ['b', 'a', 'b']], ['a', 'b']],
    ['integers by size, not by digits', column('integer', 0, MANY), ['set', [10, 9, -1]], [-1n, 9n, 10n]],
    ['a real without a fraction', column('real'), 2, 2],
    ['an empty map', column('string', 0, MANY, 'string'), ['map', []], new Map()],
  ])('reads %s', (_name, type, wire, value) => {
    expect(decodeValue(wire, type)).toEqual(value);
  });

  it('keeps map keys in order, so that two replicas print alike', () => {
    const map = decodeValue(
      [
        'map',
        [
          ['b', '1'],
          ['a', '2'],
        ],
      ],
      column('string', 0, MANY, 'string'),
    );
    expect([...(map as ReadonlyMap<string, string>).keys()]).toEqual(['a', 'b']);
  });

  it('takes __proto__ as a map key like any other', () => {
    const map = decodeValue(['map', [['__proto__', 'x']]], column('string', 0, MANY, 'string'));
    expect((map as ReadonlyMap<string, string>).get('__proto__')).toBe('x');
  });

  it.each<[string, ColumnType, unknown]>([
    ['a string for an integer', column('integer'), '1'],
    ['a fraction for an integer', column('integer'), 1.5],
    ['null', column('string'), null],
    ['a bare uuid string', column('uuid'), UUID],
    ['a named uuid', column('uuid'), ['named-uuid', 'x']],
    ['two elements for an optional', column('string', 0), ['set', ['a', 'b']]],
    ['an empty set for a scalar', column('string'), ['set', []]],
    ['a set for a map', column('string', 0, MANY, 'string'), ['set', []]],
    ['a map pair of three', column('string', 0, MANY, 'string'), ['map', [['a', 'b', 'c']]]],
    ['a set whose content is no list', column('string', 0, MANY), ['set', 'a']],
  ])('refuses %s', (_name, type, wire) => {
    expect(() => decodeValue(wire, type)).toThrow(ValueError);
  });
});

describe('encodeValue', () => {
  it.each(CASES)('writes %s so that it reads back', (_name, type, _wire, value) => {
    expect(decodeValue(encodeValue(value, type), type)).toEqual(value);
  });

  it.each<[string, ColumnType, Value, unknown]>([
    ['nothing for an optional', column('string', 0), undefined, ['set', []]],
    ['nothing for a map', column('string', 0, MANY, 'string'), undefined, ['map', []]],
    ['a row name for a uuid', column('uuid', 0, MANY), ['row1'], ['set', [['named-uuid', 'row1']]]],
    ['a set without its doubles, which servers refuse', column('string', 0, MANY), ['a', 'a'], ['set', ['a']]],
    ['a small number for an integer', column('integer'), 5, 5n],
  ])('writes %s', (_name, type, value, wire) => {
    expect(encodeValue(value, type)).toEqual(wire);
  });

  it.each<[string, ColumnType, Value]>([
    ['nothing for a scalar', column('string'), undefined],
    ['a number beyond 2^53 for an integer', column('integer'), 2 ** 53],
    ['65 bits', column('integer'), 2n ** 63n],
    ['a string for an integer', column('integer'), '1'],
    ['NaN', column('real'), Number.NaN],
    ['a boolean for a string', column('string'), true],
    ['a Map for a set', column('string', 0, MANY), new Map()],
    ['an array for a map', column('string', 0, MANY, 'string'), ['a']],
  ])('refuses %s', (_name, type, value) => {
    expect(() => encodeValue(value, type)).toThrow(ValueError);
  });
});

describe('round trip over JSON text', () => {
  const atoms = {
    integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    real: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)),
    boolean: fc.boolean(),
    string: fc.string({ unit: 'grapheme' }),
    uuid: fc.uuid(),
  };
  it.each(Object.keys(atoms) as AtomicType[])('holds for scalars, sets and maps of %s', (type) => {
    const through = (value: Value, as: ColumnType): Value =>
      decodeValue(parseJson(formatJson(encodeValue(value, as))), as);
    fc.assert(
      fc.property(fc.array(atoms[type] as fc.Arbitrary<string>), (list) => {
        const set = sortedSet(list);
        const map = sortedMap(list.map((atom) => [atom, atom] as const));
        expect(through(set, column(type, 0, MANY))).toEqual(set);
        expect(equalValues(through(map, column(type, 0, MANY, type)), map)).toBe(true);
        const first = list[0];
        expect(through(first, column(type, 0))).toEqual(first);
      }),
    );
  });
});

describe('equalValues', () => {
  it.each<[Value, Value, boolean]>([
    [1n, 1n, true],
    [1n, 1, false],
    [undefined, undefined, true],
    [undefined, '', false],
    [['a'], ['a'], true],
    [['a'], ['a', 'b'], false],
    [new Map([['a', 1n]]), new Map([['a', 1n]]), true],
    [new Map([['a', 1n]]), new Map([['a', 2n]]), false],
    [new Map([['a', 1n]]), new Map([['b', 1n]]), false],
    [[], new Map(), false],
  ])('%s and %s: %s', (a, b, equal) => {
    expect(equalValues(a, b)).toBe(equal);
  });
});

describe('defaultValue', () => {
  it.each<[string, ColumnType, Value]>([
    ['integer', column('integer'), 0n],
    ['real', column('real'), 0],
    ['boolean', column('boolean'), false],
    ['string', column('string'), ''],
    ['uuid', column('uuid'), ZERO_UUID],
    ['an optional', column('string', 0), undefined],
    ['a set', column('string', 0, MANY), []],
    ['a map', column('string', 0, MANY, 'string'), new Map()],
    ['a set of at least one', column('string', 1, MANY), ['']],
  ])('of %s', (_name, type, value) => {
    expect(defaultValue(type)).toEqual(value);
  });

  it('of an enumeration is its first word', () => {
    const schema = parseSchema({
      name: 'x',
      tables: { T: { columns: { c: { type: { key: { type: 'string', enum: ['set', ['b', 'a']] } } } } } },
    });
    expect(defaultValue(schema.tables.T?.columns.c ?? column('string'))).toBe('b');
  });
});
