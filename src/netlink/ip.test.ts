import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findBroadcast, formatCidr, formatIp, formatMac, maskCidr, parseCidr, parseIp, parseMac } from './ip.ts';

describe('addresses', () => {
  test.each([
    ['10.16.0.5', '0a100005', '10.16.0.5'],
    ['::', '00'.repeat(16), '::'],
    ['fd00:10::5', 'fd000010000000000000000000000005', 'fd00:10::5'],
    ['FD00:0010:0:0:0:0:0:5', 'fd000010000000000000000000000005', 'fd00:10::5'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001', '::ffff:a00:1'],
  ])('%s', (input, hex, canonical) => {
    const { bytes } = parseIp(input);
    expect(bytes.toString('hex')).toBe(hex);
    expect(formatIp(bytes)).toBe(canonical);
  });

  test.each(['', '10.0.0', '010.0.0.1', '10.0.0.1/24', 'fe80::1%eth0', '1', 'localhost', '10.0.0.256'])(
    'not an address: %j',
    (input) => {
      expect(() => parseIp(input)).toThrow(/EINVAL/);
    },
  );

  test('what is formatted parses to the same bytes', () => {
    const sizes = fc.constantFrom(4, 16);
    const bytes = sizes.chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
    fc.assert(
      fc.property(bytes, (input) => {
        const formatted = formatIp(input);
        expect(input.length === 4 ? isIPv4(formatted) : isIPv6(formatted)).toBe(true);
        expect([...parseIp(formatted).bytes]).toEqual([...input]);
      }),
    );
  });

  test('bytes of any other length are no address', () => {
    expect(() => formatIp(new Uint8Array(5))).toThrow(/EBADMSG/);
  });
});

describe('prefixes', () => {
  test.each([
    ['10.16.3.5/16', '10.16.0.0/16', '0a10ffff'],
    ['10.16.3.5/20', '10.16.0.0/20', '0a100fff'],
    ['10.16.3.5/30', '10.16.3.4/30', '0a100307'],
    ['10.16.3.5/31', '10.16.3.4/31', undefined],
    ['10.16.3.5/32', '10.16.3.5/32', undefined],
    ['10.16.3.5/0', '0.0.0.0/0', 'ffffffff'],
    ['fd00:10::5/64', 'fd00:10::/64', undefined],
    ['fd00:10::5/0', '::/0', undefined],
  ])('%s: network and broadcast', (input, network, broadcast) => {
    const cidr = parseCidr(input);
    expect(formatCidr(maskCidr(cidr))).toBe(network);
    expect(findBroadcast(cidr)?.toString('hex')).toBe(broadcast);
  });

  test.each(['10.0.0.1', '10.0.0.1/33', 'fd00::/129', '10.0.0.1/', '/24', '10.0.0.1/-1', '10.0.0.1/24/3'])(
    'not a prefix: %j',
    (input) => {
      expect(() => parseCidr(input)).toThrow(/EINVAL/);
    },
  );
});

describe('MAC addresses', () => {
  test('come back in lower case', () => {
    expect(formatMac(parseMac('0A:58:0a:10:00:05'))).toBe('0a:58:0a:10:00:05');
  });

  test.each([
    '',
    '0a:58:0a:10:00',
    '0a-58-0a-10-00-05',
    '0a:58:0a:10:00:0g',
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
  ])('not a unicast MAC: %j', (input) => {
    expect(() => parseMac(input)).toThrow(/EINVAL/);
  });
});
