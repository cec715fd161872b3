import { describe, expect, it } from 'vitest';
import type { SubnetSpec } from '../../api/types.gen.ts';
import { planRanges } from '../../ipam/ranges.ts';
import { planDhcp } from './dhcp.ts';
import { parseDhcpOptions } from './dhcp-options.ts';

type Spec = Parameters<typeof planDhcp>[0];
const SERVER = { mac: '0a:00:00:00:00:01', mtu: 1400 };

function plan(spec: Spec, cidrBlock = '10.0.0.0/24,fd01::/64') {
  const ranges = planRanges({ cidrBlock });
  if (!ranges.ok) throw new Error(ranges.problem.message);
  return planDhcp({ enableDHCP: true, enableIPv6RA: true, ...spec }, ranges.value, SERVER);
}

describe('DHCPv4', () => {
  const v4 = (dhcp: SubnetSpec['dhcp'] = {}, more: Spec = {}) => Object.fromEntries(plan({ dhcp, ...more }).v4 ?? []);

  it('says what the typed fields say', () => {
    const dhcp = { leaseSeconds: 600, ntpServers: ['10.0.0.3', '10.0.0.4', 'fd01::3'], domainName: 'example.org' };
    expect(v4(dhcp)).toMatchObject({
      lease_time: '600',
      ntp_server: '{10.0.0.3, 10.0.0.4}',
      domain_name: '"example.org"',
    });
  });

  it('has the default route among the routes, which take the place of the router (RFC 3442)', () => {
    const routes = [{ dst: '192.0.2.0/24', gw: '10.0.0.9' }];
    expect(v4({ routes }).classless_static_route).toBe('{192.0.2.0/24, 10.0.0.9, 0.0.0.0/0, 10.0.0.1}');
  });

  it('has the default route that the user names', () => {
    const routes = [{ dst: '0.0.0.0/0', gw: '10.0.0.9' }];
    expect(v4({ routes }).classless_static_route).toBe('{0.0.0.0/0, 10.0.0.9}');
  });

  it('says no MTU that nobody knows', () => {
    const ranges = planRanges({ cidrBlock: '10.0.0.0/24' });
    if (!ranges.ok) throw new Error('fixture');
    const { v4: options } = planDhcp({ enableDHCP: true }, ranges.value, { ...SERVER, mtu: 0 });
    expect(options?.has('mtu')).toBe(false);
  });

  it('is off until it is asked for', () => {
    expect(plan({ enableDHCP: false, enableIPv6RA: false })).toEqual({ problems: [] });
  });
});

describe('advertisements', () => {
  it('never let a guest make an address of its own', () => {
    for (const enableDHCP of [true, false]) {
      expect(plan({ enableDHCP }).ra?.get('address_mode')).toBe('dhcpv6_stateful');
    }
  });

  it('name one DNS server, the search domains and further routes', () => {
    const dhcp = {
      dnsServers: ['10.0.0.53', 'fd01::53', 'fd01::54'],
      domainName: 'example.org',
      routes: [{ dst: 'fd09::/48', gw: 'fd01::1' }],
    };
    expect(Object.fromEntries(plan({ dhcp }).ra ?? [])).toMatchObject({
      rdnss: 'fd01::53',
      dnssl: 'example.org',
      route_info: 'MEDIUM-fd09::/48',
    });
  });
});

describe('what cannot be told', () => {
  it.each<[string, Spec, string]>([
    ['an option that OVN has not', { dhcpV4Options: 'colour=red' }, 'OVN has no DHCPv4 option "colour"'],
    ['an option of the other family', { dhcpV6Options: 'router=10.0.0.1' }, 'OVN has no DHCPv6 option "router"'],
    ['no name', { dhcpV4Options: 'x' }, '"x" has no name'],
    ['an address that is none', { dhcpV4Options: 'router=10.0.0' }, '"10.0.0" is no value for router'],
    ['an address of the other family', { dhcpV4Options: 'dns_server=fd01::1' }, 'is no value for dns_server'],
    ['a number that is none', { dhcpV4Options: 'lease_time=long' }, '"long" is no value for lease_time'],
    ['a number too large', { dhcpV4Options: 'mtu=70000' }, '"70000" is no value for mtu'],
    ['what would end the string', { dhcpV4Options: 'hostname="a\\"); drop; ("' }, 'is no value for hostname'],
    ['what would end the options', { dhcpV4Options: 'router=10.0.0.1); output; (' }, 'is no value for router'],
    ['routes without braces', { dhcpV4Options: 'classless_static_route=1.0.0.0/8' }, 'is no value for classless'],
    ['a server id that is no MAC', { dhcpV6Options: 'server_id=x' }, '"x" is no value for server_id'],
    ['too much', { dhcpV4Options: 'x'.repeat(5000) }, 'longer than 4096'],
    ['a route of two families', { dhcp: { routes: [{ dst: 'fd09::/48', gw: '10.0.0.1' }] } }, 'of one family'],
    ['a route with host bits', { dhcp: { routes: [{ dst: '10.1.0.1/24', gw: '10.0.0.1' }] } }, 'is not a network'],
    [
      'an IPv6 route by another router',
      { dhcp: { routes: [{ dst: 'fd09::/48', gw: 'fd01::9' }] } },
      'the gateway of the',
    ],
    ['a domain that is none', { dhcp: { domainName: 'a"b' } }, 'cannot be told'],
    ['a server that is none', { dhcp: { dnsServers: ['resolver'] } }, 'dhcp.dnsServers: "resolver"'],
  ])('%s', (_cause, spec, expected) => {
    const { problems, v4 } = plan(spec);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
    expect(v4?.get('router')).toBe('10.0.0.1');
  });
});

describe('raw options', () => {
  it.each<[string, [string, string][]]>([
    ['', []],
    [' , ,', []],
    ['lease_time=60', [['lease_time', '60']]],
    [
      'router=10.0.0.9,dns_server={1.1.1.1,8.8.8.8},domain_name=example.org',
      [
        ['router', '10.0.0.9'],
        ['dns_server', '{1.1.1.1, 8.8.8.8}'],
        ['domain_name', '"example.org"'],
      ],
    ],
    [
      'domain_search_list="a.org,b.org", tftp_server=boot.example.org',
      [
        ['domain_search_list', '"a.org,b.org"'],
        ['tftp_server', '"boot.example.org"'],
      ],
    ],
    [
      'classless_static_route={30.0.0.0/24,10.0.0.10, 0.0.0.0/0,10.0.0.1}',
      [['classless_static_route', '{30.0.0.0/24, 10.0.0.10, 0.0.0.0/0, 10.0.0.1}']],
    ],
  ])('%j', (text, options) => {
    expect(parseDhcpOptions(text, 4)).toEqual({ options, problems: [] });
  });
});
