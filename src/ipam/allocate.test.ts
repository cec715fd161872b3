import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, chooseLease, type RandomBytes } from './allocate.ts';
import { countPool, createPool, hold, listRivals, type Pool, release } from './pool.ts';
import { planRanges } from './ranges.ts';

function makePool(cidrBlock: string, excludeIps: string[] = []): Pool {
  const planned = planRanges({ cidrBlock, excludeIps });
  if (!planned.ok) throw new Error(planned.problem.message);
  return createPool(planned.value);
}

/** Counts up, so that a test sees which byte went where. */
function makeRandom(): RandomBytes {
  let next = 0;
  return (length) => {
    next += 1;
    return Uint8Array.from({ length }, (_, index) => (index === length - 1 ? next : 0));
  };
}

const ask = (pool: Pool, holder: string, over: { ips?: string[]; mac?: string } = {}) =>
  allocate(pool, { holder, subnet: 's', ...over }, makeRandom());
const ipsOf = (result: ReturnType<typeof ask>) => (result.ok ? result.value.ips.join() : result.problem.reason);

describe('allocate', () => {
  it('gives ascending addresses, and those that were given back last of all', () => {
    const pool = makePool('10.0.0.0/29');
    expect(['a', 'b', 'c'].map((holder) => ipsOf(ask(pool, holder)))).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    release(pool, 'c');
    release(pool, 'a');
    expect(['d', 'e', 'f', 'g', 'h'].map((holder) => ipsOf(ask(pool, holder)))).toEqual([
      '10.0.0.5',
      '10.0.0.6',
      '10.0.0.4',
      '10.0.0.2',
      'SubnetFull',
    ]);
  });

  it('gives a holder the same again, whatever it asks the second time', () => {
    const pool = makePool('10.0.0.0/29');
    const first = ask(pool, 'a');
    expect(ask(pool, 'a', { ips: ['10.0.0.5'] })).toEqual(first);
  });

  it('gives an address of each family, or nothing: IPv6 full (F64)', () => {
    const pool = makePool('10.0.0.0/24,fd00::/126');
    expect([ipsOf(ask(pool, 'a')), ipsOf(ask(pool, 'b'))]).toEqual(['10.0.0.2,fd00::2', '10.0.0.3,fd00::3']);
    expect(ipsOf(ask(pool, 'c'))).toBe('SubnetFull');
    expect(countPool(pool)).toEqual([
      { family: 4, used: 2n, available: 251n },
      { family: 6, used: 2n, available: 0n },
    ]);
    release(pool, 'a');
    expect(ipsOf(ask(pool, 'd'))).toBe('10.0.0.4,fd00::2');
  });

  it.each([
    ['10.0.1.9', 'AddressOutsideSubnet'],
    ['fd00::9', 'AddressOutsideSubnet'],
    ['10.0.0.0', 'AddressReserved'],
    ['10.0.0.1', 'AddressReserved'],
    ['10.0.0.255', 'AddressReserved'],
    ['10.0.0.50', 'AddressReserved'],
    ['10.0.0.7', 'AddressInUse'],
    ['nonsense', 'InvalidRequest'],
    ['10.0.0.07', 'InvalidRequest'],
  ])('a fixed address %s: %s (F33)', (ip, reason) => {
    const pool = makePool('10.0.0.0/24', ['10.0.0.40..10.0.0.60']);
    hold(pool, 'other', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:99' });
    expect(ipsOf(ask(pool, 'a', { ips: [ip] }))).toBe(reason);
    expect(pool.leases.has('a')).toBe(false);
  });

  it('takes a fixed address of one family and chooses the other', () => {
    const pool = makePool('10.0.0.0/24,fd00::/64');
    expect(ipsOf(ask(pool, 'a', { ips: ['10.0.0.9'] }))).toBe('10.0.0.9,fd00::2');
    expect(ipsOf(ask(pool, 'b', { ips: ['10.0.0.10', '10.0.0.11'] }))).toBe('InvalidRequest');
  });

  it('names the holder of an address only within its own namespace', () => {
    const pool = makePool('10.0.0.0/24');
    hold(pool, 'ns/db.default.vm', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:99' });
    const tell = (holder: string, over: { ips?: string[]; mac?: string }) => {
      const result = ask(pool, holder, over);
      return result.ok ? '' : result.problem.message;
    };
    expect(tell('ns/a', { ips: ['10.0.0.7'] })).toBe('10.0.0.7 in subnet s is held by ns/db.default.vm');
    expect(tell('n/a', { ips: ['10.0.0.7'] })).toBe('10.0.0.7 in subnet s belongs to another owner');
    expect(tell('n/a', { mac: '0a:00:00:00:00:99' })).toBe('MAC 0a:00:00:00:00:99 belongs to another owner');
  });

  it('makes locally administered unicast MACs and never one that is held', () => {
    const pool = makePool('10.0.0.0/24');
    const same: RandomBytes = (length) => new Uint8Array(length).fill(0xff);
    const macs = ['a', 'b', 'c'].map((holder) => {
      const result = allocate(pool, { holder, subnet: 's' }, same);
      return result.ok ? result.value.mac : '';
    });
    expect(macs).toEqual(['0a:ff:ff:ff:ff:ff', '0a:00:00:00:00:00', '0a:00:00:00:00:01']);
  });

  it.each([
    ['00:00:00:53:6B:B6', '00:00:00:53:6b:b6'],
    ['01:00:00:00:00:01', 'InvalidRequest'],
    ['0a:00:00:00:00:99', 'AddressInUse'],
  ])('a fixed MAC %s: %s', (mac, expected) => {
    const pool = makePool('10.0.0.0/24');
    hold(pool, 'other', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:99' });
    const result = ask(pool, 'a', { mac });
    expect(result.ok ? result.value.mac : result.problem.reason).toBe(expected);
  });
});

describe('a MAC that others may share', () => {
  const MAC = '02:00:00:00:00:07';
  const sharesMac = (other: string) => other.startsWith('n/');
  const holders = (...names: string[]) => {
    const pool = makePool('10.0.0.0/24');
    for (const [index, name] of names.entries()) hold(pool, name, { ips: [`10.0.0.${index + 100}`], mac: MAC });
    return pool;
  };

  it.each<[string, string[], boolean, string]>([
    ['of nobody', [], true, MAC],
    ['of one who shares it', ['n/a'], true, MAC],
    ['of two who share it', ['n/a', 'n/b'], true, MAC],
    ['of one who is about to get it and shares it', ['+n/a'], true, MAC],
    ['of one who does not share it', ['m/a'], true, 'AddressInUse'],
    ['of one who shares it and one who does not', ['n/a', 'router'], true, 'AddressInUse'],
    ['of another system', ['n/a', 'ovn:n/a'], true, 'AddressInUse'],
    ['of one who would, where nobody asks for sharing', ['n/a'], false, 'AddressInUse'],
  ])('%s', (_cause, names, isAsked, expected) => {
    const pool = holders(...names);
    const request = { holder: 'n/new', subnet: 's', mac: MAC, ...(isAsked ? { sharesMac } : {}) };
    const result = chooseLease(pool, request, { random: () => new Uint8Array(5) });
    expect(result.ok ? result.value.mac : result.problem.reason).toBe(expected);
  });

  it('is kept by one who has it, and another one is made for whoever asks for none', () => {
    const pool = holders('n/a', 'n/b');
    const current = { ips: ['10.0.0.101'], mac: MAC };
    const ask = { holder: 'n/b', subnet: 's' };
    const random = () => new Uint8Array(5);
    expect(chooseLease(pool, { ...ask, sharesMac }, { random, current })).toMatchObject({ value: { mac: MAC } });
    const made = chooseLease(pool, { ...ask, holder: 'n/c', sharesMac }, { random });
    expect(made.ok && made.value.mac).not.toBe(MAC);
  });

  it('leaves each its own address', () => {
    const pool = holders('n/a');
    const asked = { holder: 'n/b', subnet: 's', mac: MAC, ips: ['10.0.0.100'], sharesMac };
    expect(chooseLease(pool, asked, { random: () => new Uint8Array(5) })).toMatchObject({
      problem: { reason: 'AddressInUse', message: expect.stringContaining('10.0.0.100') },
    });
  });
});

describe('hold', () => {
  it('tells rivals: by IP or by MAC, and no longer once one let go', () => {
    const pool = makePool('10.0.0.0/24');
    hold(pool, 'a', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:01' });
    hold(pool, 'b', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:02' });
    hold(pool, 'c', { ips: ['10.0.0.8'], mac: '0a:00:00:00:00:02' });
    expect(
      ['a', 'b', 'c', 'd'].map((holder) => listRivals(pool, holder, pool.leases.get(holder) ?? { ips: [], mac: '' })),
    ).toEqual([['b'], ['a', 'c'], ['b'], []]);
    release(pool, 'b');
    expect(listRivals(pool, 'a', { ips: ['10.0.0.7'], mac: '0a:00:00:00:00:01' })).toEqual([]);
    expect(ipsOf(ask(pool, 'e', { ips: ['10.0.0.7'] }))).toBe('AddressInUse');
  });

  it('keeps addresses outside the range from nobody (F34: the range shrank)', () => {
    const pool = makePool('10.0.0.0/29');
    hold(pool, 'old', { ips: ['10.9.9.9', '10.0.0.200'], mac: '0a:00:00:00:00:01' });
    expect(countPool(pool)).toEqual([{ family: 4, used: 0n, available: 5n }]);
    release(pool, 'old');
    expect(countPool(pool)).toEqual([{ family: 4, used: 0n, available: 5n }]);
  });
});

/** The same as the pool, as simple as can be: all free addresses in the order in which they are given. */
class Model {
  queue: string[];
  held = new Map<string, string>();
  constructor(first: number, last: number) {
    this.queue = Array.from({ length: last - first + 1 }, (_, index) => `10.0.0.${first + index}`);
  }
  take(holder: string, fixed?: string): string {
    const known = this.held.get(holder);
    if (known !== undefined) return known;
    const ip = fixed ?? this.queue[0];
    if (ip === undefined) return 'SubnetFull';
    if (!this.queue.includes(ip)) return 'AddressInUse';
    this.queue = this.queue.filter((other) => other !== ip);
    this.held.set(holder, ip);
    return ip;
  }
  give(holder: string): void {
    const ip = this.held.get(holder);
    if (ip !== undefined) this.queue.push(ip);
    this.held.delete(holder);
  }
}

describe('the pool against a naive model', () => {
  const holder = fc.integer({ min: 0, max: 9 }).map(String);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('take' as const), holder }),
    fc.record({ kind: fc.constant('fixed' as const), holder, ip: fc.integer({ min: 2, max: 6 }) }),
    fc.record({ kind: fc.constant('give' as const), holder }),
  );

  it('gives the same addresses in the same order, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = makePool('10.0.0.0/29');
        const model = new Model(2, 6);
        for (const action of steps) {
          if (action.kind === 'give') {
            release(pool, action.holder);
            model.give(action.holder);
            continue;
          }
          const fixed = action.kind === 'fixed' ? `10.0.0.${action.ip}` : undefined;
          const got = ipsOf(ask(pool, action.holder, fixed === undefined ? {} : { ips: [fixed] }));
          expect(got).toBe(model.take(action.holder, fixed));
        }
        const ips = [...pool.leases.values()].flatMap((lease) => lease.ips);
        const macs = [...pool.leases.values()].map((lease) => lease.mac);
        expect(new Set(ips).size).toBe(ips.length);
        expect(new Set(macs).size).toBe(macs.length);
        expect(countPool(pool)).toEqual([{ family: 4, used: BigInt(ips.length), available: BigInt(5 - ips.length) }]);
      }),
      { numRuns: 500 },
    );
  });

  it('rebuilt from what is held, has the same addresses left (I11)', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 2, max: 6 })), (taken) => {
        const pool = makePool('10.0.0.0/29');
        for (const last of taken) hold(pool, `h${last}`, { ips: [`10.0.0.${last}`], mac: `02:00:00:00:00:0${last}` });
        const left = [2, 3, 4, 5, 6].filter((last) => !taken.includes(last)).map((last) => `10.0.0.${last}`);
        expect(left.map((_, index) => ipsOf(ask(pool, `n${index}`)))).toEqual(left);
        expect(ipsOf(ask(pool, 'more'))).toBe('SubnetFull');
      }),
    );
  });
});
