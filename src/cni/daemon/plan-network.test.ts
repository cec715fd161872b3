import { describe, expect, test } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { CniError } from './errors.ts';
import { planNetwork } from './plan-network.ts';

const makePort = (spec: object = {}): LogicalPort =>
  ({
    metadata: { namespace: 'shop', name: 'web.net1.pod' },
    spec: { subnet: 's', ips: ['172.17.0.15'], ...spec },
  }) as unknown as LogicalPort;
const makeSubnet = (spec: object = {}): Subnet =>
  ({
    metadata: { name: 's' },
    spec: { cidrBlock: '172.17.0.0/16', gateway: '172.17.0.1', ...spec },
  }) as unknown as Subnet;
const DUAL = makeSubnet({ cidrBlock: '172.17.0.0/16,fd17::/64', gateway: '172.17.0.1,fd17::1' });
const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('routes', () => {
  test.each([
    ['the first interface, nothing asked', 'eth0', {}, [{ dst: '0.0.0.0/0', gw: '172.17.0.1' }]],
    ['another interface, nothing asked', 'net1', {}, []],
    ['the first interface, none wanted', 'eth0', { routes: [] }, []],
    [
      "USAGE.md's routes, host bits and all",
      'net1',
      {
        routes: [
          { dst: '192.168.0.101/24', gw: '172.17.0.254' },
          { dst: '0.0.0.0/0', gw: '172.17.0.254' },
        ],
      },
      [
        { dst: '192.168.0.0/24', gw: '172.17.0.254' },
        { dst: '0.0.0.0/0', gw: '172.17.0.254' },
      ],
    ],
    ['a route without gateway', 'net1', { routes: [{ dst: '10.0.0.0/8' }] }, [{ dst: '10.0.0.0/8', gw: '172.17.0.1' }]],
    ['a single host', 'net1', { routes: [{ dst: '10.0.0.9' }] }, [{ dst: '10.0.0.9/32', gw: '172.17.0.1' }]],
  ])('%s', (_cause, ifname, spec, routes) => {
    expect(planNetwork(ifname, makePort(spec), makeSubnet()).routes).toEqual(routes);
  });

  test('both families have their default route, and each route the gateway of its own', () => {
    const ips = ['172.17.0.15', 'fd17::15'];
    expect(planNetwork('eth0', makePort({ ips }), DUAL).routes).toEqual([
      { dst: '0.0.0.0/0', gw: '172.17.0.1' },
      { dst: '::/0', gw: 'fd17::1' },
    ]);
    const routes = [{ dst: 'fd99::/64' }, { dst: '::/0', gw: 'FD17::2' }];
    expect(planNetwork('net1', makePort({ ips, routes }), DUAL).routes).toEqual([
      { dst: 'fd99::/64', gw: 'fd17::1' },
      { dst: '::/0', gw: 'fd17::2' },
    ]);
  });

  test.each([
    ['a gateway outside of the subnet', { dst: '10.0.0.0/8', gw: '192.168.1.1' }, 'is not in subnet s'],
    ['a gateway of the other family', { dst: '10.0.0.0/8', gw: 'fd17::1' }, 'no gateway of its family'],
    ['a gateway that is none', { dst: '10.0.0.0/8', gw: '$(id)' }, 'no gateway of its family'],
    ['a destination that is none', { dst: '10.0.0/8' }, 'no destination'],
  ])('%s is refused before anything is made', (_cause, route, words) => {
    const message = failure(() => planNetwork('net1', makePort({ routes: [route] }), DUAL));
    expect(message).toContain('invalidConfig: LogicalPort shop/web.net1.pod: route to ');
    expect(message).toContain(words);
  });
});

test('DNS is what DHCP would say', () => {
  expect(planNetwork('net1', makePort(), makeSubnet()).dns).toEqual({});
  const dhcp = {
    dnsServers: ['10.96.0.10'],
    domainName: 'shop.example',
    searchDomains: ['a.example'],
    leaseSeconds: 60,
  };
  expect(planNetwork('net1', makePort(), makeSubnet({ dhcp })).dns).toEqual({
    nameservers: ['10.96.0.10'],
    domain: 'shop.example',
    search: ['a.example'],
  });
});
