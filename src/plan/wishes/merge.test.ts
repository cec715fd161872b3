import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeWishes } from './merge.ts';
import type { Wish } from './types.ts';

const merge = (...wishes: Wish[]) => mergeWishes(wishes.map((wish, index) => ({ from: `source ${index + 1}`, wish })));
const show = (...wishes: Wish[]): unknown => {
  const merged = merge(...wishes);
  return merged.ok ? merged.value : merged.problem.message;
};

const LIST: Wish['pool'] = { kind: 'list', candidates: [['10.0.0.7'], ['10.0.0.8']] };
const PAIRS: Wish['pool'] = {
  kind: 'list',
  candidates: [
    ['10.0.0.7', 'fd00::7'],
    ['10.0.0.8', 'fd00::8'],
  ],
};
const NAMED: Wish['pool'] = { kind: 'named', name: 'web' };

describe('mergeWishes', () => {
  it.each<[string, Wish[], Wish]>([
    ['nothing', [], {}],
    ['one source', [{ subnet: 'a', mac: '02:00:00:00:00:01' }], { subnet: 'a', mac: '02:00:00:00:00:01' }],
    ['sources that complete each other', [{ subnet: 'a' }, { ips: ['10.0.0.7'] }], { subnet: 'a', ips: ['10.0.0.7'] }],
    ['sources that agree', [{ ips: ['10.0.0.7'] }, { ips: ['10.0.0.7'] }], { ips: ['10.0.0.7'] }],
    ['a family from each', [{ ips: ['fd00::7'] }, { ips: ['10.0.0.7'] }], { ips: ['10.0.0.7', 'fd00::7'] }],
    ['one that knows both', [{ ips: ['10.0.0.7', 'fd00::7'] }, { ips: ['fd00::7'] }], { ips: ['10.0.0.7', 'fd00::7'] }],
    ['equal lists', [{ pool: LIST }, { pool: LIST }], { pool: LIST }],
    ['an address of the list', [{ pool: LIST }, { ips: ['10.0.0.8'] }], { ips: ['10.0.0.8'] }],
    ['half a pair of the list', [{ pool: PAIRS }, { ips: ['fd00::8'] }], { ips: ['10.0.0.8', 'fd00::8'] }],
    ['an address and an IPPool', [{ pool: NAMED }, { ips: ['10.0.0.9'] }], { pool: NAMED, ips: ['10.0.0.9'] }],
  ])('%s', (_cause, wishes, expected) => {
    expect(show(...wishes)).toEqual(expected);
  });

  it.each<[string, Wish[], string]>([
    ['subnets', [{ subnet: 'a' }, { subnet: 'b' }], 'source 1 asks for a, but source 2 asks for b'],
    [
      'addresses',
      [{ ips: ['10.0.0.7'] }, { ips: ['10.0.0.8'] }],
      'source 1 asks for 10.0.0.7, but source 2 asks for 10.0.0.8',
    ],
    [
      'one family of two',
      [{ ips: ['10.0.0.7', 'fd00::7'] }, { ips: ['fd00::8'] }],
      'source 1 asks for fd00::7, but source 2 asks for fd00::8',
    ],
    ['a later source', [{ mac: 'a' }, {}, { mac: 'b' }], 'source 1 asks for a, but source 3 asks for b'],
    [
      'security groups',
      [{ securityGroups: ['a', 'b'] }, { securityGroups: ['a'] }],
      'source 1 asks for a,b, but source 2 asks for a',
    ],
    ['adoption', [{ adopt: true }, { adopt: false }], 'source 1 asks for true, but source 2 asks for false'],
    [
      'pools',
      [{ pool: NAMED }, { pool: { kind: 'named', name: 'db' } }],
      'source 1 asks for {"kind":"named","name":"web"}, but source 2 asks for {"kind":"named","name":"db"}',
    ],
    [
      'an address that is not in the list',
      [{ pool: LIST }, { ips: ['10.0.0.9'] }],
      '10.0.0.9 is asked for, but ip_pool is 10.0.0.7;10.0.0.8',
    ],
    [
      'halves of two pairs',
      [{ pool: PAIRS }, { ips: ['10.0.0.7', 'fd00::8'] }],
      '10.0.0.7,fd00::8 is asked for, but ip_pool is 10.0.0.7,fd00::7;10.0.0.8,fd00::8',
    ],
  ])('tells of different %s', (_cause, wishes, expected) => {
    expect(show(...wishes)).toBe(expected);
    expect(merge(...wishes)).toMatchObject({ problem: { reason: 'RequestDisagreement' } });
  });

  const some = <T>(...values: T[]) => fc.constantFrom<(T | undefined)[]>(undefined, undefined, ...values);
  const wishes = fc.array(
    fc.record({
      subnet: some('a', 'b'),
      ips: some(['10.0.0.7'], ['10.0.0.8'], ['fd00::7'], ['10.0.0.7', 'fd00::7']),
      pool: some<Wish['pool']>(LIST, PAIRS, NAMED),
      adopt: some(true, false),
    }),
    { maxLength: 4 },
  );

  it('does not depend on the order, and disagreement is symmetric', () => {
    fc.assert(
      fc.property(wishes, fc.nat(), (list, turn) => {
        const named = list.map((wish, index) => ({ from: `${index}`, wish: JSON.parse(JSON.stringify(wish)) as Wish }));
        const at = turn % (named.length + 1);
        const [one, other] = [named, [...named.slice(at).reverse(), ...named.slice(0, at)]].map((each) =>
          mergeWishes(each),
        );
        expect(other?.ok).toBe(one?.ok);
        if (one?.ok === true && other?.ok === true) expect(other.value).toEqual(one.value);
        else expect(other).toMatchObject({ problem: { reason: 'RequestDisagreement' } });
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('agrees with itself however often it is said', () => {
    fc.assert(
      fc.property(wishes, (list) => {
        const clean = JSON.parse(JSON.stringify(list)) as Wish[];
        expect(merge(...clean, ...clean).ok).toBe(merge(...clean).ok);
      }),
      { seed: 2 },
    );
  });
});
