import { describe, expect, it } from 'vitest';
import { countAddresses, formatValue, planRanges } from './ranges.ts';

type Spec = Parameters<typeof planRanges>[0];

const describeRanges = (spec: Spec): string[] => {
  const planned = planRanges(spec);
  if (!planned.ok) return [`${planned.problem.reason}: ${planned.problem.message}`];
  return planned.value.map(({ cidr, gateway, free }) => {
    const show = (value: bigint) => formatValue(cidr.family, value);
    return `${show(gateway)} | ${free.map(({ first, last }) => `${show(first)}..${show(last)}`).join(' ')}`;
  });
};

describe('planRanges', () => {
  it.each<[string, Spec, string[]]>([
    ['the first address is the gateway', { cidrBlock: '10.0.1.0/24' }, ['10.0.1.1 | 10.0.1.2..10.0.1.254']],
    [
      'a gateway in the middle',
      { cidrBlock: '10.0.1.0/29', gateway: '10.0.1.3' },
      ['10.0.1.3 | 10.0.1.1..10.0.1.2 10.0.1.4..10.0.1.6'],
    ],
    [
      'excludes, one overlapping the gateway and another the broadcast address',
      {
        cidrBlock: '172.17.0.0/28',
        gateway: '172.17.0.1',
        excludeIps: ['172.17.0.0..172.17.0.5', '172.17.0.9', '172.17.0.14..172.17.0.15'],
      },
      ['172.17.0.1 | 172.17.0.6..172.17.0.8 172.17.0.10..172.17.0.13'],
    ],
    [
      'overlapping excludes in any order',
      { cidrBlock: '10.0.0.0/28', excludeIps: ['10.0.0.8..10.0.0.14', '10.0.0.5..10.0.0.9'] },
      ['10.0.0.1 | 10.0.0.2..10.0.0.4'],
    ],
    ['everything excluded', { cidrBlock: '10.0.0.0/30', excludeIps: ['10.0.0.2'] }, ['10.0.0.1 | ']],
    ['a point-to-point network', { cidrBlock: '10.0.0.4/31' }, ['10.0.0.4 | 10.0.0.5..10.0.0.5']],
    ['IPv6 keeps its anycast address', { cidrBlock: 'fd00:1::/126' }, ['fd00:1::1 | fd00:1::2..fd00:1::3']],
    [
      'both families, IPv4 first whatever the order',
      { cidrBlock: 'fd00::/125,10.0.0.0/29', gateway: 'fd00::7,10.0.0.6', protocol: 'Dual' },
      ['10.0.0.6 | 10.0.0.1..10.0.0.5', 'fd00::7 | fd00::1..fd00::6'],
    ],
  ])('%s', (_cause, spec, expected) => {
    expect(describeRanges(spec)).toEqual(expected);
  });

  it.each<[string, Spec, RegExp]>([
    ['host bits', { cidrBlock: '10.0.1.5/24' }, /^InvalidCIDR: .*did you mean 10\.0\.1\.0\/24/],
    ['no CIDR', { cidrBlock: 'net1' }, /^InvalidCIDR: "net1" is not a CIDR/],
    ['empty', { cidrBlock: '' }, /^InvalidCIDR/],
    ['a trailing comma', { cidrBlock: '10.0.0.0/24,' }, /^InvalidCIDR/],
    ['two of a family', { cidrBlock: '10.0.0.0/24,10.1.0.0/24' }, /^InvalidCIDR: .*more than one/],
    ['three', { cidrBlock: '10.0.0.0/24,fd00::/64,fd01::/64' }, /^InvalidCIDR/],
    ['a single address', { cidrBlock: '10.0.0.1/32' }, /^InvalidCIDR: .*no room/],
    ['multicast', { cidrBlock: '224.0.0.0/24' }, /^InvalidCIDR: .*meaning of its own/],
    ['all of IPv4', { cidrBlock: '0.0.0.0/0' }, /^InvalidCIDR/],
    ['link-local', { cidrBlock: 'fe80::/64' }, /^InvalidCIDR/],
    ['the other protocol', { cidrBlock: '10.0.0.0/24', protocol: 'IPv6' }, /^InvalidCIDR: protocol IPv6/],
    ['half of dual stack', { cidrBlock: '10.0.0.0/24', protocol: 'Dual' }, /^InvalidCIDR: protocol Dual/],
    ['a gateway outside', { cidrBlock: '10.0.0.0/24', gateway: '10.0.1.1' }, /^InvalidGateway: 10\.0\.1\.1/],
    ['a gateway on the broadcast address', { cidrBlock: '10.0.0.0/24', gateway: '10.0.0.255' }, /^InvalidGateway/],
    ['a gateway of the other family', { cidrBlock: '10.0.0.0/24', gateway: 'fd00::1' }, /^InvalidGateway/],
    ['a gateway that is no address', { cidrBlock: '10.0.0.0/24', gateway: '10.0.0.01' }, /^InvalidGateway/],
    ['two gateways', { cidrBlock: '10.0.0.0/24', gateway: '10.0.0.1,10.0.0.2' }, /^InvalidGateway: two/],
    ['an exclude outside', { cidrBlock: '10.0.0.0/24', excludeIps: ['10.0.1.1'] }, /^InvalidExcludeIps: "10\.0\.1\.1"/],
    ['a range half outside', { cidrBlock: '10.0.0.0/24', excludeIps: ['10.0.0.250..10.0.1.3'] }, /^InvalidExcludeIps/],
    ['a range backwards', { cidrBlock: '10.0.0.0/24', excludeIps: ['10.0.0.9..10.0.0.3'] }, /^InvalidExcludeIps/],
    ['a range of three', { cidrBlock: '10.0.0.0/24', excludeIps: ['10.0.0.1..10.0.0.2..10.0.0.3'] }, /^InvalidExclude/],
  ])('refuses %s', (_cause, spec, expected) => {
    expect(describeRanges(spec)[0]).toMatch(expected);
  });

  it('cuts what it quotes', () => {
    expect(describeRanges({ cidrBlock: 'x'.repeat(10_000) })[0]?.length).toBeLessThan(200);
  });

  it('counts without walking', () => {
    const planned = planRanges({ cidrBlock: 'fd00::/64' });
    if (!planned.ok) throw new Error('fixture');
    expect(planned.value.map(({ free }) => countAddresses(free))).toEqual([(1n << 64n) - 2n]);
  });
});
