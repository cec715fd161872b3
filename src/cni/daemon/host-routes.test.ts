import { describe, expect, test } from 'vitest';
import type { NodeNetwork } from '../../api/node-network.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { planHostRoutes } from './host-routes.ts';

const network: NodeNetwork = {
  nodeIps: ['100.64.0.5/16', 'fd00:100:64::5/112'],
  nodeMac: '0a:58:64:40:00:05',
  gatewayIps: ['100.64.0.2', 'fd00:100:64::2'],
  gatewayMac: '0a:58:64:40:00:02',
  routerIps: ['100.64.0.1', 'fd00:100:64::1'],
  podCidrs: ['10.16.0.0/16'],
  masqueradeCidrs: [],
  vpcs: [
    { name: 'blue', routerIps: ['100.64.0.8', 'fd00:100:64::8'] },
    { name: 'red', routerIps: ['100.64.0.9', 'fd00:100:64::9'] },
    { name: 'four', routerIps: ['100.64.0.10'] },
  ],
  mtu: 1400,
};

type Change = { ips?: string[]; subnet?: string; node?: string; interface?: string; created?: string };

const port = (name: string, { ips = ['10.99.0.5'], subnet = 'blue', ...rest }: Change = {}) =>
  ({
    metadata: { name, namespace: 'ns', creationTimestamp: rest.created ?? '2026-01-01T00:00:00Z' },
    spec: { ips, subnet, attachments: [{ node: rest.node ?? 'n1', interface: rest.interface ?? 'eth0' }] },
  }) as unknown as LogicalPort;

/** Each subnet is in the VPC of its name, `default` in none that it names. */
const findSubnet = (name: string) => ({ spec: name === 'default' ? {} : { vpc: name } }) as Subnet;

const plan = (...ports: LogicalPort[]) => planHostRoutes({ node: 'n1', network, ports, findSubnet });
const show = (...ports: LogicalPort[]) => plan(...ports).routes.map(({ dst, gw }) => `${dst} ${gw}`);

describe('an address that the node depends on', () => {
  test.each([
    '192.0.2.1',
    '203.0.113.9',
    'fd99::9',
    '169.254.169.254',
    '127.0.0.53',
    '224.0.0.5',
    'fe80::1',
    'ff02::1',
  ])('%s gets no route, and its port is named', (ip) => {
    const ports = [port('a', { ips: [ip] }), port('b', { ips: ['10.99.0.7'] })];
    const reserved = ['192.0.2.1', '203.0.113.0/24', 'fd99:0::9', 'db.example', 'flow', ''];
    const found = planHostRoutes({ node: 'n1', network, ports, findSubnet, reserved });
    expect(found.routes.map(({ dst }) => dst)).toEqual(['10.99.0.7/32']);
    expect(found.reserved).toEqual([{ ip, port: ports[0] }]);
  });
});

describe('a host route', () => {
  test('leads each family of a pod to the router of its VPC', () => {
    expect(
      show(port('a', { ips: ['10.99.0.5', 'fd99::5'] }), port('b', { ips: ['10.99.0.4'], subnet: 'red' })),
    ).toEqual(['10.99.0.4/32 100.64.0.9', '10.99.0.5/32 100.64.0.8', 'fd99::5/128 fd00:100:64::8']);
  });

  test.each<[string, Change, string[]]>([
    ['a pod of the default VPC', { subnet: 'default' }, []],
    ['a pod of a VPC that the node has not been told of', { subnet: 'new' }, []],
    ['a pod of another node', { node: 'n2' }, []],
    ['an interface that no kubelet probes', { interface: 'net1' }, []],
    ['a port without an address', { ips: [] }, []],
    ['an address that is none', { ips: ['x'] }, []],
    ['an address of the default VPC', { ips: ['10.16.3.4'] }, []],
    ['an address of the join network', { ips: ['100.64.7.7', 'fd00:100:64::77'] }, []],
    ['a family without a router', { subnet: 'four', ips: ['10.99.0.5', 'fd99::5'] }, ['10.99.0.5/32 100.64.0.10']],
  ])('is not made for %s', (_cause, change, expected) => {
    expect(show(port('a', change))).toEqual(expected);
  });

  test('of two pods with one address the older has it, and the other is named', () => {
    const older = port('z', { created: '2026-01-01T00:00:00Z' });
    const younger = port('a', { subnet: 'red', created: '2026-02-01T00:00:00Z' });
    const { routes, rivals } = plan(younger, older);
    expect(routes.map(({ gw }) => gw)).toEqual(['100.64.0.8']);
    expect(rivals).toEqual([{ port: younger, ip: '10.99.0.5', older }]);
    expect(plan(older).rivals).toEqual([]);
  });

  test('source and target of a migration on one node are no rivals', () => {
    expect(plan(port('a'), port('b', { created: '2026-02-01T00:00:00Z' })).rivals).toEqual([]);
  });
});
