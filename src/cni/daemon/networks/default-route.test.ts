import { expect, test } from 'vitest';
import { listGateways } from './default-route.ts';

const result = { ips: [{ gateway: '10.0.0.1' }, { gateway: 'fd00::1' }, { gateway: '10.0.0.1' }, {}] };

test.each([
  ['nobody asks', undefined, []],
  ['one is asked for', ['10.0.0.254'], ['10.0.0.254']],
  ['the choice is left to the network', [], ['10.0.0.1', 'fd00::1']],
])('gateways when %s', (_cause, asked, expected) => {
  expect(listGateways({ result }, asked)).toEqual(expected);
});

test('a network without gateway has none to offer', () => {
  expect(listGateways({}, [])).toEqual([]);
});
