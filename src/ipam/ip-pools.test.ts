import { describe, expect, it } from 'vitest';
import { allocate } from './allocate.ts';
import { planPools } from './ip-pools.ts';
import { countPool, countReserved, createPool, hold, type Pool, release } from './pool.ts';
import { formatValue, planRanges, type SubnetRanges } from './ranges.ts';

const rangesOf = (cidrBlock: string, excludeIps: string[] = []): SubnetRanges => {
  const planned = planRanges({ cidrBlock, excludeIps });
  if (!planned.ok) throw new Error(planned.problem.message);
  return planned.value;
};

type PoolSpec = { name: string; ips: string[]; namespaces?: string[]; subnet?: string; age?: string };

const makeObject = ({ name, ips, namespaces, subnet = 's', age = '2026-01-01' }: PoolSpec) => ({
  metadata: { name, creationTimestamp: age },
  spec: { subnet, ips, ...(namespaces === undefined ? {} : { namespaces }) },
});

const DUAL = rangesOf('10.0.0.0/24,fd00::/64');
const subnets = new Map([
  ['s', { usable: true, ranges: DUAL }],
  ['broken', { usable: false, ranges: [] }],
]);

function describePools(...specs: PoolSpec[]): string[] {
  return [...planPools(specs.map(makeObject), subnets).values()].map(({ name, intervals, problem }) => {
    const show = (family: 4 | 6) =>
      intervals[family].map(({ first, last }) => `${formatValue(family, first)}-${formatValue(family, last)}`);
    return [name, ...show(4), ...show(6), ...(problem ? [`${problem.reason}: ${problem.message}`] : [])].join(' ');
  });
}

describe('planPools', () => {
  it('reads addresses, ranges and CIDRs of both families, and joins what touches', () => {
    expect(
      describePools({
        name: 'p',
        ips: ['10.0.0.16/30', '10.0.0.9', '10.0.0.10..10.0.0.12', 'fd00::10/126', '10.0.0.17'],
      }),
    ).toEqual(['p 10.0.0.9-10.0.0.12 10.0.0.16-10.0.0.19 fd00::10-fd00::13']);
  });

  it.each([
    ['no address', 'x', 'is not an address, a range a..b or a CIDR'],
    ['a range backwards', '10.0.0.9..10.0.0.3', 'is not an address, a range a..b or a CIDR'],
    ['a range of two families', '10.0.0.9..fd00::9', 'is not an address, a range a..b or a CIDR'],
    ['a CIDR with host bits', '10.0.0.5/30', 'is not an address, a range a..b or a CIDR'],
    ['an address outside', '10.0.1.5', 'is not in 10.0.0.0/24,fd00::/64'],
    ['a range half outside', '10.0.0.250..10.0.1.3', 'is not in 10.0.0.0/24,fd00::/64'],
    ['a CIDR that is more than the subnet', '10.0.0.0/23', 'is not in 10.0.0.0/24,fd00::/64'],
  ])('refuses %s and names the entry, but keeps the good ones from others', (_cause, entry, problem) => {
    expect(describePools({ name: 'p', ips: ['10.0.0.77', entry] })).toEqual([
      `p 10.0.0.77-10.0.0.77 InvalidPool: ${JSON.stringify(entry)} ${problem}`,
    ]);
  });

  it.each([
    ['the same address', '10.0.0.15'],
    ['a range over its beginning', '10.0.0.1..10.0.0.10'],
    ['a range over its end', '10.0.0.20..10.0.0.30'],
    ['a CIDR around it', '10.0.0.0/24'],
  ])('gives %s to the older of two pools', (_cause, entry) => {
    const older = { name: 'z-old', ips: ['10.0.0.10..10.0.0.20'], age: '2026-01-01' };
    const younger = { name: 'a-new', ips: [entry], age: '2026-01-02' };
    for (const order of [
      [older, younger],
      [younger, older],
    ]) {
      expect(describePools(...order)).toEqual([
        'z-old 10.0.0.10-10.0.0.20',
        `a-new InvalidPool: "${entry}" overlaps IPPool z-old`,
      ]);
    }
  });

  it('tells a pool whose subnet is missing or unusable', () => {
    expect(
      describePools(
        { name: 'a', ips: ['10.0.0.9'], subnet: 'gone' },
        { name: 'b', ips: ['10.0.0.9'], subnet: 'broken' },
      ),
    ).toEqual([
      'a SubnetNotFound: subnet gone does not exist',
      'b SubnetNotReady: subnet broken is not usable; see its own condition',
    ]);
  });

  it('bounds the number of entries and the length of what it quotes', () => {
    const many = Array.from({ length: 5000 }, () => '10.0.0.9');
    expect(describePools({ name: 'p', ips: many })[0]).toBe('p 10.0.0.9-10.0.0.9 InvalidPool: more than 1024 entries');
    expect(describePools({ name: 'p', ips: ['x'.repeat(100_000)] })[0]?.length).toBeLessThan(250);
  });
});

function makePool(ranges: SubnetRanges, ...specs: PoolSpec[]): Pool {
  const plans = planPools(specs.map(makeObject), new Map([['s', { usable: true, ranges }]]));
  return createPool(ranges, { pools: plans });
}

type Ask = { pool?: string; ips?: string[]; candidates?: string[][]; ordinal?: number };
const ask = (pool: Pool, holder: string, over: Ask = {}): string => {
  const result = allocate(pool, { holder, subnet: 's', ...over }, () => new Uint8Array(5));
  return result.ok
    ? `${result.value.ips.join()}${result.value.pool ? ` of ${result.value.pool}` : ''}`
    : result.problem.reason;
};

describe('allocation from IPPools', () => {
  it('keeps the pool from everybody who does not name it', () => {
    const pool = makePool(rangesOf('10.0.0.0/29'), { name: 'p', ips: ['10.0.0.2..10.0.0.4'] });
    expect(['1', '2', '3'].map((name) => ask(pool, `n/${name}`))).toEqual(['10.0.0.5', '10.0.0.6', 'SubnetFull']);
    expect(['4', '5', '6', '7'].map((name) => ask(pool, `n/${name}`, { pool: 'p' }))).toEqual([
      '10.0.0.2 of p',
      '10.0.0.3 of p',
      '10.0.0.4 of p',
      'PoolFull',
    ]);
    expect(countReserved(pool, 'p')).toEqual([{ family: 4, used: 3n, available: 0n }]);
    expect(countPool(pool)).toEqual([{ family: 4, used: 5n, available: 0n }]);
    release(pool, 'n/5');
    expect(ask(pool, 'n/1b')).toBe('SubnetFull');
    expect(countReserved(pool, 'p')).toEqual([{ family: 4, used: 2n, available: 1n }]);
    expect(ask(pool, 'n/8', { pool: 'p' })).toBe('10.0.0.3 of p');
  });

  it('refuses a fixed address of a pool without the right to it (PoolNotAllowed), held or not', () => {
    const ranges = rangesOf('10.0.0.0/24');
    const pool = makePool(
      ranges,
      { name: 'p', ips: ['10.0.0.20/30'] },
      { name: 'q', ips: ['10.0.0.40'], namespaces: ['own'] },
    );
    hold(pool, 'x/y', { ips: ['10.0.0.21'], mac: '' });
    expect(ask(pool, 'n/a', { ips: ['10.0.0.20'] })).toBe('PoolNotAllowed');
    expect(ask(pool, 'n/a', { ips: ['10.0.0.21'] })).toBe('PoolNotAllowed');
    expect(ask(pool, 'n/a', { ips: ['10.0.0.20'], pool: 'p' })).toBe('10.0.0.20 of p');
    expect(ask(pool, 'n/b', { ips: ['10.0.0.21'], pool: 'p' })).toBe('AddressInUse');
    expect(ask(pool, 'n/b', { ips: ['10.0.0.99'], pool: 'p' })).toBe('PoolNotAllowed');
    expect(ask(pool, 'n/c', { ips: ['10.0.0.40'], pool: 'q' })).toBe('PoolNotAllowed');
    expect(ask(pool, 'n/c', { ips: ['10.0.0.40'] })).toBe('PoolNotAllowed');
    expect(ask(pool, 'own/c', { ips: ['10.0.0.40'] })).toBe('10.0.0.40 of q');
    expect(ask(pool, 'n/d', { pool: 'nowhere' })).toBe('PoolNotFound');
  });

  it('takes the addresses of a namespace from its own pools, oldest first, and from nowhere else', () => {
    const pool = makePool(
      rangesOf('10.0.0.0/24'),
      { name: 'b', ips: ['10.0.0.50'], namespaces: ['own', 'too'], age: '2026-01-01' },
      { name: 'a', ips: ['10.0.0.60'], namespaces: ['own'], age: '2026-01-02' },
    );
    expect(['1', '2', '3'].map((name) => ask(pool, `own/${name}`))).toEqual([
      '10.0.0.50 of b',
      '10.0.0.60 of a',
      'PoolFull',
    ]);
    expect(ask(pool, 'other/1')).toBe('10.0.0.2');
  });

  it('F64 takes the family that a pool does not have from the subnet, and both or none', () => {
    const pool = makePool(
      rangesOf('10.0.0.0/24,fd00::/126'),
      { name: 'v4', ips: ['10.0.0.9..10.0.0.10'] },
      { name: 'v6', ips: ['fd00::3'] },
    );
    expect(ask(pool, 'n/a', { pool: 'v4' })).toBe('10.0.0.9,fd00::2 of v4');
    expect(ask(pool, 'n/b', { pool: 'v4' })).toBe('SubnetFull');
    expect(countReserved(pool, 'v4')).toEqual([{ family: 4, used: 1n, available: 1n }]);
    expect(ask(pool, 'n/b', { pool: 'v6' })).toBe('10.0.0.2,fd00::3 of v6');
  });

  it('gives nothing of a pool that is not usable, and keeps its good entries from others', () => {
    const pool = makePool(rangesOf('10.0.0.0/29'), {
      name: 'p',
      ips: ['10.0.0.2..10.0.0.5', 'x'],
      namespaces: ['own'],
    });
    expect(ask(pool, 'n/a', { pool: 'p' })).toBe('PoolNotAllowed');
    expect(ask(pool, 'own/a', { pool: 'p' })).toBe('InvalidPool');
    expect(ask(pool, 'own/a')).toBe('InvalidPool');
    expect(ask(pool, 'own/a', { ips: ['10.0.0.2'] })).toBe('InvalidPool');
    expect([ask(pool, 'n/a'), ask(pool, 'n/b')]).toEqual(['10.0.0.6', 'SubnetFull']);
  });

  it('F33 does not give what the subnet excludes, also when a pool names it', () => {
    const pool = makePool(rangesOf('10.0.0.0/28', ['10.0.0.5']), { name: 'p', ips: ['10.0.0.4/30'] });
    expect(ask(pool, 'n/a', { ips: ['10.0.0.5'], pool: 'p' })).toBe('AddressReserved');
    expect(['a', 'b', 'c', 'd'].map((name) => ask(pool, `n/${name}`, { pool: 'p' }))).toEqual([
      '10.0.0.4 of p',
      '10.0.0.6 of p',
      '10.0.0.7 of p',
      'PoolFull',
    ]);
  });
});

describe('K8 candidates', () => {
  const list = [['10.0.0.9'], ['10.0.0.8'], ['10.0.0.7']];

  it('gives the first one that is free, in the order of the list', () => {
    const pool = makePool(rangesOf('10.0.0.0/24'));
    expect(['a', 'b', 'c', 'd'].map((name) => ask(pool, `n/${name}`, { candidates: list }))).toEqual([
      '10.0.0.9',
      '10.0.0.8',
      '10.0.0.7',
      'PoolFull',
    ]);
  });

  it('leaves a holder with what it has when an earlier one becomes free', () => {
    const pool = makePool(rangesOf('10.0.0.0/24'));
    for (const name of ['a', 'b']) ask(pool, `n/${name}`, { candidates: list });
    release(pool, 'n/a');
    expect(ask(pool, 'n/b', { candidates: list })).toBe('10.0.0.8');
  });

  it('gives an ordinal its own one or none', () => {
    const pool = makePool(rangesOf('10.0.0.0/24'));
    expect(ask(pool, 'n/set-1', { candidates: list, ordinal: 1 })).toBe('10.0.0.8');
    expect(ask(pool, 'n/other', { candidates: list, ordinal: 1 })).toBe('AddressInUse');
    expect(ask(pool, 'n/set-3', { candidates: list, ordinal: 3 })).toBe('PoolFull');
    expect(ask(pool, 'n/set--1', { candidates: list, ordinal: -1 })).toBe('PoolFull');
  });

  it('takes a group as a whole or not at all', () => {
    const pool = makePool(rangesOf('10.0.0.0/24,fd00::/64'));
    hold(pool, 'x/y', { ips: ['fd00::9'], mac: '' });
    const candidates = [
      ['10.0.0.9', 'fd00::9'],
      ['10.0.0.8', 'fd00::8'],
    ];
    expect(ask(pool, 'n/a', { candidates })).toBe('10.0.0.8,fd00::8');
    expect(ask(pool, 'n/b', { candidates: [['10.0.0.9']] })).toBe('10.0.0.9,fd00::2');
  });

  it('passes over a candidate that cannot be given, and says so when nothing else is left', () => {
    const pool = makePool(rangesOf('10.0.0.0/24'));
    expect(ask(pool, 'n/a', { candidates: [['10.0.0.1'], ['10.0.0.8']] })).toBe('10.0.0.8');
    const result = allocate(
      pool,
      { holder: 'n/b', subnet: 's', candidates: [['10.0.0.1'], ['10.0.0.8']] },
      () => new Uint8Array(5),
    );
    expect(result).toMatchObject({
      problem: { reason: 'PoolFull', message: expect.stringContaining('10.0.0.1 is reserved in subnet s') },
    });
    expect(ask(pool, 'n/b', { candidates: [['10.9.9.9']] })).toBe('AddressOutsideSubnet');
  });

  it('does not widen a right: a candidate of a pool that the namespace may not use', () => {
    const pool = makePool(rangesOf('10.0.0.0/24'), { name: 'p', ips: ['10.0.0.9'], namespaces: ['own'] });
    expect(ask(pool, 'n/a', { candidates: [['10.0.0.9']] })).toBe('PoolNotAllowed');
    expect(ask(pool, 'own/a', { candidates: [['10.0.0.9']] })).toBe('10.0.0.9 of p');
  });
});
