import { expect, it } from 'vitest';
import { deriveMtu } from './mtu.ts';

const NODES = new Set(['a', 'b', 'c']);
const isNode = (name: string) => NODES.has(name);

it.each<[string, { name: string; mtu?: number }[], number | undefined]>([
  ['nobody tells', [{ name: 'a' }], undefined],
  ['there is no chassis', [], undefined],
  ['the least uplink decides', [{ name: 'a', mtu: 8900 }, { name: 'b', mtu: 1400 }, { name: 'c' }], 1400],
  [
    'a chassis whose node is gone does not count',
    [
      { name: 'a', mtu: 8900 },
      { name: 'gone', mtu: 1400 },
    ],
    8900,
  ],
  [
    'nobody is believed who claims less than IPv6 needs',
    [
      { name: 'a', mtu: 8900 },
      { name: 'b', mtu: 100 },
    ],
    1280,
  ],
])('%s', (_cause, chassis, expected) => {
  expect(deriveMtu(chassis, isNode)).toBe(expected);
});
