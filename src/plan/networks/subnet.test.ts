import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Subnet } from '../../api/types.gen.ts';
import { isSameFooting, isSamePlan } from './subnet.ts';
import { judgeSubnets, makeSubnet as subnet } from './testing/subnets.ts';

const judge = (...subnets: Subnet[]): string[] =>
  judgeSubnets(subnets).map((plan) => `${plan.name} ${plan.problem?.reason ?? plan.warning?.reason ?? 'usable'}`);

describe('subnets beside each other', () => {
  it.each<[string, Subnet[], string[]]>([
    ['two apart', [subnet('a', {}), subnet('b', { cidrBlock: '10.0.1.0/24' })], ['a usable', 'b usable']],
    [
      'the younger of two that overlap has to wait, whatever their names',
      [subnet('a', { cidrBlock: '10.0.0.0/16' }, '2026-02-01T00:00:00Z'), subnet('z', {})],
      ['z usable', 'a CIDROverlap'],
    ],
    [
      'one family in common',
      [subnet('a', { cidrBlock: '10.0.0.0/24,fd01::/64' }), subnet('b', { cidrBlock: 'fd01::/48' })],
      ['a usable', 'b CIDROverlap'],
    ],
    [
      'the same in two VPCs, of which nodes can reach one',
      [subnet('a', {}), subnet('b', { vpc: 'blue' })],
      ['a usable', 'b NotReachableFromNodes'],
    ],
    [
      'twice in the other VPC',
      [subnet('a', { vpc: 'blue' }), subnet('b', { vpc: 'blue' })],
      ['a usable', 'b CIDROverlap'],
    ],
    ['a VPC that is not there', [subnet('a', { vpc: 'red' })], ['a VpcNotFound']],
    [
      'one that is in no VPC takes nothing from others',
      [subnet('a', { vpc: 'red' }), subnet('b', {})],
      ['a VpcNotFound', 'b usable'],
    ],
    [
      'one that is wrong harms nobody',
      [subnet('a', { cidrBlock: '10.0.0.1/24' }), subnet('b', {})],
      ['a InvalidCIDR', 'b usable'],
    ],
    [
      'one that is wrong by overlap harms nobody else',
      [subnet('a', {}), subnet('b', { cidrBlock: '10.0.0.0/16' }), subnet('c', { cidrBlock: '10.0.9.0/24' })],
      ['a usable', 'b CIDROverlap', 'c usable'],
    ],
    ['the join network', [subnet('a', { cidrBlock: '100.64.9.0/24' })], ['a CIDROverlap']],
    [
      'the join network under another VPC',
      [subnet('a', { cidrBlock: '100.64.9.0/24', vpc: 'blue' })],
      ['a NotReachableFromNodes'],
    ],
    [
      'the network of another plugin, which is not ours',
      [subnet('a', { provider: 'macvlan.default' }), subnet('b', { provider: 'attachnet.default.ovn' })],
      ['a usable', 'b usable'],
    ],
    [
      'two on one network of another plugin',
      [subnet('a', { provider: 'macvlan.default' }), subnet('b', { provider: 'macvlan.default' })],
      ['a usable', 'b CIDROverlap'],
    ],
    ['another plugin with a VPC that is not there', [subnet('a', { provider: 'm.d', vpc: 'red' })], ['a usable']],
  ])('%s', (_cause, subnets, expected) => {
    expect(judge(...subnets)).toEqual(expected);
  });

  it('are many, and each overlap is found', () => {
    const many = Array.from({ length: 2000 }, (_, index) =>
      subnet(`s${String(index).padStart(4, '0')}`, { cidrBlock: `10.${index >> 8}.${index & 255}.0/24` }),
    );
    const late = '2027-01-01T00:00:00Z';
    const inside = subnet('inside', { cidrBlock: '10.3.77.128/25' }, late);
    const around = subnet('around', { cidrBlock: '10.0.0.0/8' }, late);
    const beside = subnet('beside', { cidrBlock: '10.200.0.0/16' }, late);
    const plans = judgeSubnets([...many, inside, around, beside]);
    expect(plans.filter(({ usable }) => usable)).toHaveLength(2001);
    expect(plans.filter(({ usable }) => !usable).map(({ problem }) => problem?.message)).toEqual([
      '10.0.0.0/8 overlaps subnet s0000 of VPC default',
      '10.3.77.128/25 overlaps subnet s0845 of VPC default',
    ]);
  });
});

describe('the manual', () => {
  it('shows subnets that are usable beside each other, and nothing without effect', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/networks.md'), 'utf8');
    const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].flatMap(([, text = '']) => parseAllDocuments(text));
    const subnets = blocks.map((block) => block.toJS() as Subnet).filter(({ kind }) => kind === 'Subnet');
    const plans = judgeSubnets(subnets);
    expect(plans.length).toBeGreaterThan(5);
    const told = plans.flatMap(({ name, problem, notes }) =>
      [problem?.message ?? [], notes].flat().map((text) => `${name}: ${text}`),
    );
    expect(told).toEqual([]);
  });
});

describe('one subnet', () => {
  it.each<[string, Parameters<typeof subnet>[1], string]>([
    ['no gateway node', { gatewayType: 'centralized' }, 'InvalidGateway gatewayType centralized needs gatewayNode'],
    ['commas for gateway nodes', { gatewayType: 'centralized', gatewayNode: ' , ' }, 'needs gatewayNode'],
    ['a gateway node that is no name', { gatewayType: 'centralized', gatewayNode: 'n1,N 2' }, '"N 2" is neither'],
    ['an address that is none', { gatewayType: 'centralized', gatewayNode: 'n1:10.0.0' }, '"n1:10.0.0" is neither'],
    ['an open door that is none', { private: true, allowSubnets: ['10.1.0.0/33'] }, '"10.1.0.0/33" is not a CIDR'],
    ['an MTU too small for IPv6', { cidrBlock: '10.0.0.0/24,fd01::/64', mtu: 1000 }, 'InvalidMTU mtu 1000 is not'],
    [
      'an unknown way out',
      { gatewayType: 'both' as never },
      'InvalidSpec gatewayType "both" is none of distributed, c',
    ],
    [
      'an unknown policy',
      { releasePolicy: 'Never' as never },
      'InvalidSpec releasePolicy "Never" is none of WithOwner',
    ],
    ['an MTU too small for anything', { mtu: 68 }, 'InvalidMTU mtu 68 is not between 576'],
  ])('%s', (_cause, spec, expected) => {
    const [plan] = judgeSubnets([subnet('a', spec)]);
    expect(plan?.usable).toBe(false);
    expect(`${plan?.problem?.reason} ${plan?.problem?.message}`).toContain(expected);
  });

  it.each<[string, Parameters<typeof subnet>[1], string[]]>([
    ['plain', { natOutgoing: true, gatewayType: 'distributed', private: false }, []],
    [
      'of another plugin',
      { provider: 'macvlan.default', private: true, gatewayType: 'centralized', natOutgoing: false, enableDHCP: true },
      [
        'private, natOutgoing, gatewayType, enableDHCP have no effect on NICs of the provider macvlan.default, which another CNI plugin makes',
      ],
    ],
    ['open with exceptions', { allowSubnets: ['10.1.0.0/16'] }, ['allowSubnets has no effect without private']],
    [
      'gateway nodes of a distributed one',
      { gatewayNode: 'n1' },
      ['gatewayNode has no effect without gatewayType centralized'],
    ],
    ['not there yet', { vlan: 'v', enableLb: true }, ['vlan, enableLb have no effect yet']],
    [
      'centralized where nothing leads out',
      { vpc: 'blue', gatewayType: 'centralized' },
      ['gatewayType has no effect outside the default VPC, as nothing leads out'],
    ],
    [
      'addresses of gateway nodes',
      { gatewayType: 'centralized', gatewayNode: 'n1:172.18.0.2' },
      ['the addresses in gatewayNode have no effect: a node masquerades to the address of its route'],
    ],
    ['advertisements without IPv6', { enableIPv6RA: true }, ['enableIPv6RA has no effect without an IPv6 range']],
    [
      'DHCPv6 without advertisements',
      { cidrBlock: 'fd01::/64', enableDHCP: true },
      ['guests learn no IPv6 router: DHCPv6 cannot name one, set enableIPv6RA'],
    ],
  ])('with nothing that would have no effect: %s', (_cause, spec, notes) => {
    const [plan] = judgeSubnets([subnet('a', spec)]);
    expect(plan).toMatchObject({ usable: true, notes });
  });

  it.each([
    [undefined, true],
    ['', true],
    ['ovn', true],
    ['attachnet.default.ovn', true],
    ['macvlan.default', false],
    ['macvlan.ovn', false],
  ])('with the provider %s has rows of ours: %s', (provider, ovn) => {
    const [plan] = judgeSubnets([subnet('a', provider === undefined ? {} : { provider })]);
    expect(plan).toMatchObject({ usable: true, ovn, natOutgoing: ovn });
  });
});

describe('what a change concerns', () => {
  const pair = (...change: [object, object]) => change.map((spec) => judgeSubnets([subnet('a', spec)])[0]);

  it.each<[string, object, object, [plan: boolean, footing: boolean]]>([
    ['nothing', {}, {}, [true, true]],
    ['the range', {}, { cidrBlock: '10.1.0.0/24' }, [false, false]],
    ['the way out', {}, { natOutgoing: false }, [false, false]],
    ['the VPC', {}, { vpc: 'blue' }, [false, false]],
    ['DHCP', {}, { enableDHCP: true }, [false, true]],
    ['whose DHCP it is', {}, { dhcp: { server: 'KubeVirt' } }, [false, true]],
    ['privacy', {}, { private: true }, [false, true]],
    ['exceptions', { private: true }, { private: true, allowSubnets: ['10.1.0.0/16'] }, [false, true]],
    ['a problem', {}, { cidrBlock: 'x' }, [false, false]],
  ])('%s', (_cause, before, now, same) => {
    const [a, b] = pair(before, now);
    expect([isSamePlan(a, b), isSameFooting(a, b)]).toEqual(same);
  });

  it('a centralized subnet concerns those of its VPC, and no others', () => {
    const others = [subnet('b', { cidrBlock: '10.0.1.0/24' }), subnet('c', { cidrBlock: '10.9.0.0/24', vpc: 'blue' })];
    const before = judgeSubnets([subnet('a', {}), ...others]);
    const now = judgeSubnets([subnet('a', { gatewayType: 'centralized', gatewayNode: 'n1' }), ...others]);
    expect(before.map((plan, index) => isSamePlan(plan, now[index]))).toEqual([false, false, true]);
    expect(now.map(({ guarded }) => guarded)).toEqual([true, true, false]);
  });
});
