import { describe, expect, it } from 'vitest';
import { type Cidr, containsAddress, parseAddress, parseCidr } from '../../api/address.ts';
import type { SubnetSpec } from '../../api/types.gen.ts';
import type { Wanted } from '../rows.ts';
import { deriveMac } from '../settings.ts';
import { makeSubnet, makeTestSettings, planTestRows } from './testing/subnets.ts';

/** Rows as lines, without our ids. */
function show(wanted: Wanted): string[] {
  const list = (map?: ReadonlyMap<string, string>) =>
    [...(map ?? [])].map(([key, value]) => `${key}=${value}`).join(' ');
  return [
    ...wanted.switches.map((row) => `switch ${row.name}`),
    ...wanted.routerPorts.map((row) =>
      `router port ${row.name} ${row.networks.join()} ${list(row.ipv6RaConfigs)}`.trim(),
    ),
    ...wanted.dhcpOptions.map((row) => `dhcp ${row.row} ${row.cidr} ${list(row.options)}`),
    ...wanted.ports.map((row) => `port ${row.switch} ${row.name} ${row.type} ${list(row.options)}`),
    ...wanted.acls.map((row) => `acl ${row.row} ${row.priority} ${row.direction} ${row.action} ${row.match}`),
    ...wanted.policies.map((row) =>
      `policy ${row.row} ${row.priority} ${row.match} ${row.action} ${row.nexthop ?? ''}`.trim(),
    ),
  ];
}

/** The networks in the set of a match. */
const listCidrs = (match: string): Cidr[] =>
  (/\{(.*)\}/.exec(match)?.[1] ?? '').split(', ').flatMap((text) => parseCidr(text) ?? []);

const rows = (spec: Partial<SubnetSpec>): string[] => show(planTestRows([makeSubnet('net1', spec)]));
const DUAL = '10.0.1.0/24,fd01:1::/64';
const MAC = deriveMac('vpc/default/subnet/net1');

describe('the rows of a subnet', () => {
  it('dual stack', () => {
    expect(rows({ cidrBlock: DUAL, gateway: '10.0.1.254' })).toEqual([
      'switch subnet/net1',
      'router port vpc/default/subnet/net1 10.0.1.254/24,fd01:1::1/64',
      'port subnet/net1 subnet/net1/vpc/default router router-port=vpc/default/subnet/net1',
    ]);
  });

  it.each<[string, Partial<SubnetSpec>]>([
    ['it is not usable', { cidrBlock: '10.0.1.1/24' }],
    ['another CNI makes its NICs', { provider: 'macvlan.default', private: true, enableDHCP: true }],
  ])('are none while %s', (_cause, spec) => {
    expect(rows(spec)).toEqual([]);
  });

  it('private: its own ports, the nodes and whoever is allowed may begin connections, and what it began is answered', () => {
    const spec = { cidrBlock: DUAL, private: true, allowSubnets: ['10.7.0.0/16', '192.0.2.9', 'fd07::/16'] };
    expect(rows(spec).filter((row) => row.startsWith('acl'))).toEqual([
      'acl subnet/net1/private/from 1800 from-lport allow-related ip',
      'acl subnet/net1/private/router 2400 to-lport allow-related outport == "subnet/net1/vpc/default" && ip',
      expect.stringMatching(/^acl subnet\/net1\/private\/strangers\/v4 2300 to-lport drop ip4\.src == \{/),
      expect.stringMatching(/^acl subnet\/net1\/private\/strangers\/v6 2300 to-lport drop ip6\.src == \{/),
      'acl subnet/net1/private/rest 1800 to-lport allow-related ip',
    ]);
  });

  it.each<[string, boolean]>([
    ['10.0.1.9', true],
    ['100.64.0.3', true],
    ['10.7.255.255', true],
    ['192.0.2.9', true],
    ['192.0.2.8', false],
    ['10.0.0.255', false],
    ['10.0.2.0', false],
    ['8.8.8.8', false],
    ['fd01:1::9', true],
    ['fd00:100:64::3', true],
    ['fe80::1', true],
    ['fd07::1', true],
    ['fd01:2::9', false],
    ['2001:db8::1', false],
  ])('private: whether %s may begin a connection: %s', (text, admitted) => {
    const spec = { cidrBlock: DUAL, private: true, allowSubnets: ['10.7.0.0/16', '192.0.2.9', 'fd07::/16'] };
    const { acls } = planTestRows([makeSubnet('net1', spec)]);
    const dropped = acls.filter(({ action }) => action === 'drop').flatMap(({ match }) => listCidrs(match));
    const address = parseAddress(text);
    expect(dropped.some((cidr) => address !== undefined && containsAddress(cidr, address))).toBe(!admitted);
  });

  it.each<[string, string[], string[]]>([
    ['a family that nobody is admitted of is dropped whole', [], ['ip6']],
    ['a family that everybody is admitted of is not dropped', ['0.0.0.0/0'], ['ip6']],
  ])('private: %s', (_cause, allowSubnets, expected) => {
    const settings = makeTestSettings('100.64.0.0/16');
    const subnet = makeSubnet('net1', { cidrBlock: '10.0.1.0/24', private: true, allowSubnets });
    const { acls } = planTestRows([subnet], undefined, settings);
    const drops = acls.flatMap(({ action, match }) => (action === 'drop' ? match : []));
    expect(drops.filter((match) => !match.startsWith('ip4'))).toEqual(expected);
    expect(drops.some((match) => match.startsWith('ip4'))).toBe(allowSubnets.length === 0);
  });
});

describe('the way out of a centralized subnet', () => {
  const net1 = makeSubnet('net1', { cidrBlock: DUAL, gatewayType: 'centralized', gatewayNode: 'n1,n2' });
  const active = { node: 'n2', ips: ['100.64.0.4', 'fd00:100:64::4'] };
  const policies = (...given: Parameters<typeof planTestRows>) =>
    show(planTestRows(...given)).filter((row) => row.startsWith('policy'));

  it('leads over the active node; what stays inside does not', () => {
    expect(policies([net1], active)).toEqual([
      'policy vpc/default/subnet/net1/inside/v4 31000 ip4.dst == 10.0.1.0/24 allow',
      'policy vpc/default/subnet/net1/inside/v6 31000 ip6.dst == fd01:1::/64 allow',
      'policy vpc/default/subnet/net1/nodes/v4 31000 ip4.src == 10.0.1.0/24 && ip4.dst == 100.64.0.0/16 allow',
      'policy vpc/default/subnet/net1/out/v4 29000 ip4.src == 10.0.1.0/24 reroute 100.64.0.4',
      'policy vpc/default/subnet/net1/nodes/v6 31000 ip6.src == fd01:1::/64 && ip6.dst == fd00:100:64::/112 allow',
      'policy vpc/default/subnet/net1/out/v6 29000 ip6.src == fd01:1::/64 reroute fd00:100:64::4',
    ]);
  });

  it('is shut while no node can carry it', () => {
    expect(policies([net1])).toContain('policy vpc/default/subnet/net1/out/v4 29000 ip4.src == 10.0.1.0/24 drop');
  });

  it('is only of families that the join network has', () => {
    const settings = makeTestSettings('100.64.0.0/16');
    const found = policies([net1], { node: 'n2', ips: ['100.64.0.4'] }, settings);
    expect(found.filter((row) => row.includes('/out/'))).toHaveLength(1);
  });

  it('is not taken to another subnet of the VPC', () => {
    expect(policies([makeSubnet('other', { cidrBlock: '10.0.2.0/24' }), net1])).toEqual([
      'policy vpc/default/subnet/other/inside/v4 31000 ip4.dst == 10.0.2.0/24 allow',
    ]);
    expect(policies([makeSubnet('other', { cidrBlock: '10.0.2.0/24' })])).toEqual([]);
  });
});

describe('what guests are told', () => {
  it('DHCP with options of the user, which win', () => {
    const spec = {
      cidrBlock: '10.0.1.0/24',
      enableDHCP: true,
      mtu: 1300,
      dhcpV4Options: 'lease_time=60,dns_server={1.1.1.1, 8.8.8.8}',
    };
    expect(rows(spec)[2]).toBe(
      `dhcp subnet/net1/v4 10.0.1.0/24 lease_time=60 router=10.0.1.1 server_id=10.0.1.1 server_mac=${MAC} mtu=1300 dns_server={1.1.1.1, 8.8.8.8}`,
    );
  });

  it('typed options and advertisements, in both families', () => {
    const spec = {
      cidrBlock: DUAL,
      enableDHCP: true,
      enableIPv6RA: true,
      dhcp: { dnsServers: ['10.0.0.53', 'fd01::53'], searchDomains: ['example.org', 'corp.example.org'] },
    };
    expect(rows(spec).slice(1, 4)).toEqual([
      'router port vpc/default/subnet/net1 10.0.1.1/24,fd01:1::1/64 address_mode=dhcpv6_stateful send_periodic=true mtu=1400 rdnss=fd01::53 dnssl=example.org,corp.example.org',
      `dhcp subnet/net1/v4 10.0.1.0/24 lease_time=3600 router=10.0.1.1 server_id=10.0.1.1 server_mac=${MAC} mtu=1400 dns_server=10.0.0.53 domain_search_list="example.org,corp.example.org"`,
      `dhcp subnet/net1/v6 fd01:1::/64 server_id=${MAC} dns_server=fd01::53 domain_search="example.org,corp.example.org"`,
    ]);
  });
});
