import { describe, expect, it } from 'vitest';
import { formatNetworkConfig } from '../../api/network-config.ts';
import type { LogicalPort, Subnet, SubnetSpec } from '../../api/types.gen.ts';
import { planNetworkConfig } from './network-config.ts';

const MAC = '02:00:5e:00:00:01';

function makePort(nic: string, spec: Partial<LogicalPort['spec']> = {}, phase?: string): LogicalPort {
  return {
    metadata: { name: nic, namespace: 'ns' },
    spec: { nic, subnet: 'red', ips: ['10.1.0.5'], mac: MAC, ...spec },
    ...(phase === undefined ? {} : { status: { phase } }),
  } as LogicalPort;
}

const plan = (ports: LogicalPort[], spec: Partial<SubnetSpec> = {}, mtu = 1400) =>
  planNetworkConfig(
    ports,
    (name) =>
      name === 'red' ? ({ metadata: { name }, spec: { cidrBlock: '10.1.0.0/24', ...spec } } as Subnet) : undefined,
    mtu,
  ).nics;

describe('planNetworkConfig', () => {
  it('gives the port’s address the prefix and the gateway of its subnet', () => {
    const nics = plan([makePort('a')], {}, 0);
    expect(nics).toEqual([
      { name: 'a', mac: MAC, ips: ['10.1.0.5/24'], gateways: ['10.1.0.1'], dns: [], search: [], routes: [] },
    ]);
  });

  it('tells in both families what DHCP would', () => {
    const subnet: Partial<SubnetSpec> = {
      cidrBlock: 'fd00:1::/64,10.1.0.0/16',
      gateway: '10.1.0.254,fd00:1::fe',
      mtu: 1300,
      dhcp: {
        dnsServers: ['10.1.0.2', 'fd00:1::2', 'nobody'],
        domainName: 'example',
        routes: [
          { dst: '192.168.0.0/16', gw: '10.1.0.9' },
          { dst: 'fd00:9::/48', gw: 'fd00:1::9' },
          { dst: '192.168.1.1/16', gw: '10.1.0.9' },
          { dst: 'fd00:8::/48', gw: '10.1.0.9' },
          { dst: 'x', gw: 'y' },
        ],
      },
    };
    expect(plan([makePort('a', { ips: ['fd00:1:0::5', '10.1.0.5'] })], subnet)).toEqual([
      {
        name: 'a',
        mac: MAC,
        ips: ['10.1.0.5/16', 'fd00:1::5/64'],
        gateways: ['10.1.0.254', 'fd00:1::fe'],
        dns: ['10.1.0.2', 'fd00:1::2'],
        search: ['example'],
        routes: [
          { dst: '192.168.0.0/16', gw: '10.1.0.9' },
          { dst: 'fd00:9::/48', gw: 'fd00:1::9' },
        ],
        mtu: 1300,
      },
    ]);
  });

  it('a default route of the subnet’s stands for its gateway', () => {
    const dhcp = { routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.7' }] };
    expect(plan([makePort('a')], { dhcp })).toMatchObject([{ gateways: ['10.1.0.7'], routes: [] }]);
  });

  it('the port’s own routes stand for the subnet’s, and say whether there is a way out', () => {
    const dhcp = { routes: [{ dst: '192.168.0.0/16', gw: '10.1.0.9' }] };
    const withRoutes = (routes: { dst: string; gw?: string }[]) => plan([makePort('a', { routes })], { dhcp });
    expect(withRoutes([])).toMatchObject([{ gateways: [], routes: [] }]);
    expect(withRoutes([{ dst: '0.0.0.0/0' }, { dst: '172.16.0.0/12' }])).toMatchObject([
      { gateways: ['10.1.0.1'], routes: [{ dst: '172.16.0.0/12', gw: '10.1.0.1' }] },
    ]);
    expect(withRoutes([{ dst: '0.0.0.0/0', gw: '10.1.0.7' }])).toMatchObject([{ gateways: ['10.1.0.7'], routes: [] }]);
  });

  it('says nothing of a family that the port has no address of', () => {
    const dhcp = { routes: [{ dst: 'fd00:9::/48', gw: 'fd00:1::9' }] };
    const nics = plan([makePort('a')], { cidrBlock: '10.1.0.0/24,fd00:1::/64', dhcp });
    expect(nics).toMatchObject([{ ips: ['10.1.0.5/24'], gateways: ['10.1.0.1'], routes: [] }]);
  });

  it('search domains stand for the domain, and bad ones are left out', () => {
    const dhcp = { domainName: 'example', searchDomains: ['a.example', 'b c', 'b.example'] };
    expect(plan([makePort('a')], { dhcp })).toMatchObject([{ search: ['a.example', 'b.example'] }]);
  });

  it('the cluster’s MTU is for subnets that name none', () => {
    expect(plan([makePort('a')])).toMatchObject([{ mtu: 1400 }]);
    expect(plan([makePort('a')], { mtu: 9000 })).toMatchObject([{ mtu: 9000 }]);
  });

  it.each<[string, LogicalPort, Partial<SubnetSpec>]>([
    ['no MAC yet', makePort('a', { mac: '' }), {}],
    ['no address yet', makePort('a', { ips: [] }), {}],
    ['no subnet', makePort('a', { subnet: 'blue' }), {}],
    ['a subnet that cannot be read', makePort('a'), { cidrBlock: 'nonsense' }],
    ['an address of another one’s', makePort('a', {}, 'Conflict'), {}],
    ['addresses that cannot be read', makePort('a', { ips: ['x'] }), {}],
  ])('a port with %s is left out', (_cause, port, subnet) => {
    expect(plan([port, makePort('b')], subnet).map(({ name }) => name)).not.toContain('a');
  });

  it('of two ports of one NIC the first counts, so that it can be written', () => {
    const nics = plan([makePort('a'), makePort('a', { ips: ['10.1.0.6'], mac: '02:00:5e:00:00:02' })]);
    expect(nics).toMatchObject([{ ips: ['10.1.0.5/24'] }]);
  });

  it('never has more than can be written', () => {
    const many = (count: number, make: (n: number) => string) => Array.from({ length: count }, (_, n) => make(n));
    const dhcp = {
      dnsServers: many(40, (n) => `10.1.0.${n}`),
      searchDomains: many(40, (n) => `d${n}.example`),
      routes: many(100, (n) => `172.16.${n}.0/24`).map((dst) => ({ dst, gw: '10.1.0.9' })),
    };
    expect(() => formatNetworkConfig({ nics: plan([makePort('a')], { dhcp }) })).not.toThrow();
  });
});
