import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  containsAddress,
  formatAddress,
  formatCidr,
  getLastAddress,
  overlaps,
  parseAddress,
  parseCidr,
  parseMac,
} from './address.ts';

describe('parseAddress', () => {
  it.each([
    ['10.16.0.1', 4, 0x0a100001n],
    ['0.0.0.0', 4, 0n],
    ['255.255.255.255', 4, 0xffffffffn],
    ['::', 6, 0n],
    ['fd00::1', 6, (0xfd00n << 112n) + 1n],
  ] as const)('%s', (text, family, value) => {
    expect(parseAddress(text)).toEqual({ family, value });
  });

  it.each([
    '010.0.0.1',
    '1',
    '10.1',
    '10.0.0.256',
    'fe80::1%eth0',
    '10.0.0.1/24',
    ' 10.0.0.1',
    '',
    'x',
    '1'.repeat(100),
    '::1::',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('round-trips', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(formatAddress(parseAddress(ip) ?? { family: 6, value: 0n })).toBe(ip);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
        expect(parseAddress(formatAddress({ family: 6, value }))).toEqual({ family: 6, value });
      }),
    );
  });
});

describe('networks', () => {
  it('tells host bits and the ends', () => {
    const cidr = parseCidr('10.0.1.5/24');
    expect(cidr).toMatchObject({ family: 4, prefix: 24, network: 0x0a000100n, hostBits: true });
    expect(cidr && formatCidr(cidr)).toBe('10.0.1.0/24');
    expect(cidr && getLastAddress(cidr)).toBe(0x0a0001ffn);
  });

  it.each(['10.0.0.0/33', '10.0.0.0', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', 'fd00::/129', '10.0.0/8'])(
    'refuses %j',
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  it('overlap is symmetric and needs one family', () => {
    const [a, b, c, d] = ['10.0.0.0/16', '10.0.5.0/24', '10.1.0.0/16', '::/0'].map((t) => parseCidr(t));
    if (!a || !b || !c || !d) throw new Error('fixture');
    expect([overlaps(a, b), overlaps(b, a), overlaps(a, c), overlaps(a, d)]).toEqual([true, true, false, false]);
    expect(containsAddress(a, { family: 4, value: 0x0a00ffffn })).toBe(true);
    expect(containsAddress(a, { family: 6, value: 0x0a00ffffn })).toBe(false);
  });
});

describe('parseMac', () => {
  it('lower-cases a unicast MAC', () => expect(parseMac('00:00:00:53:6B:B6')).toBe('00:00:00:53:6b:b6'));
  it.each(['01:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '0-0', '0a:00:00:00:00', ''])(
    'refuses %j',
    (text) => expect(parseMac(text)).toBeUndefined(),
  );
});
