import { describe, expect, test } from 'vitest';
import { isInterfaceName, parseInterfaceName, parseMtu } from './names.ts';

describe('interface names', () => {
  test.each(['eth0', 'a', 'pod9bdd85331e7', '9bdd85331e7-nic', 'k6t-eth0', 'eth0.100', '123456789012345', 'br_x'])(
    '%j is taken',
    (name) => {
      expect(parseInterfaceName(name)).toBe(name);
    },
  );

  test.each([
    ['empty', ''],
    ['16 bytes', '1234567890123456'],
    ['15 characters of 2 bytes', 'ä'.repeat(15)],
    ['dot', '.'],
    ['two dots', '..'],
    ['slash', 'a/b'],
    ['colon', 'eth0:1'],
    ['pattern', 'eth%d'],
    ['space', 'a b'],
    ['newline', 'a\n'],
    ['NUL', 'a\0b'],
    ['delete', 'a\x7f'],
    ['no-break space', 'a\u00a0b'],
  ])('%s is refused', (_cause, name) => {
    expect(isInterfaceName(name)).toBe(false);
    expect(() => parseInterfaceName(name)).toThrow(/EINVAL/);
  });
});

describe('MTU', () => {
  test.each([68, 1400, 65535])('%i is taken', (mtu) => {
    expect(parseMtu(mtu)).toBe(mtu);
  });

  test.each([0, 67, 65536, 1400.5, Number.NaN, -1])('%d is refused', (mtu) => {
    expect(() => parseMtu(mtu)).toThrow(/EINVAL/);
  });
});
