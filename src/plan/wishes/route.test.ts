import { describe, expect, it } from 'vitest';
import { parseRoutesText } from './route.ts';

const show = (text: string): string => {
  const parsed = parseRoutesText(text);
  if (!parsed.ok) return `${parsed.problem.reason}: ${parsed.problem.message}`;
  return parsed.value === undefined
    ? 'nothing'
    : parsed.value.map(({ dst, gw }) => `${dst ?? 'default'}>${gw ?? 'gateway'}`).join(' ');
};

describe('parseRoutesText', () => {
  it.each([
    [
      'the example of the guide, whose destination has host bits',
      '[{"dst":"192.168.0.101/24","gw":"172.17.0.254"},{"gw":"172.17.0.254"}]',
      '192.168.0.0/24>172.17.0.254 default>172.17.0.254',
    ],
    ['nothing', ' ', 'nothing'],
    ['an empty list', '[]', ''],
    ['no gateway', '[{"dst":"10.0.0.0/8"}]', '10.0.0.0/8>gateway'],
    ['IPv6', '[{"dst":"FD01::1/64","gw":"fd05::0fe"}]', 'fd01::/64>fd05::fe'],
    ['a default route by its CIDR', '[{"dst":"0.0.0.0/0","gw":"172.17.0.9"}]', '0.0.0.0/0>172.17.0.9'],
    ['keys that mean nothing', '[{"gw":"172.17.0.254","metric":5,"__proto__":{"dst":"x"}}]', 'default>172.17.0.254'],
  ])('%s', (_cause, text, expected) => {
    expect(show(text)).toBe(expected);
  });

  it.each([
    ['no JSON', '192.168.0.0/24 via 172.17.0.254', /not a JSON list/],
    ['an object', '{}', /not a JSON list/],
    ['a list of texts', '["10.0.0.0/8"]', /a route is not an object/],
    ['an empty route', '[{}]', /a route needs dst or gw/],
    ['a destination without prefix', '[{"dst":"10.0.0.1","gw":"172.17.0.254"}]', /dst cannot be "10\.0\.0\.1"/],
    ['a destination that is no text', '[{"dst":7}]', /dst cannot be number/],
    ['a gateway with a prefix', '[{"gw":"172.17.0.254/16"}]', /gw cannot be/],
    ['families that differ', '[{"dst":"fd00::/64","gw":"172.17.0.254"}]', /of different families/],
    ['65 routes', JSON.stringify(Array.from({ length: 65 }, () => ({ gw: '172.17.0.254' }))), /more than 64 routes/],
    ['too much text', `[${' '.repeat(70_000)}]`, /not a JSON list/],
  ])('refuses %s', (_cause, text, expected) => {
    expect(show(text)).toMatch(/^InvalidRequest: /);
    expect(show(text)).toMatch(expected);
  });
});
