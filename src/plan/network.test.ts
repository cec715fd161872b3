import { describe, expect, it } from 'vitest';
import { parseNodeNetwork } from '../api/node-network.ts';
import type { Node } from '../api/objects.ts';
import type { Subnet, SubnetSpec } from '../api/types.gen.ts';
import type { Wanted } from '../ovn/wanted.ts';
import { planVpc } from './network.ts';
import { allocateNode, planNode, rebuildJoinPool } from './node.ts';
import { deriveMac, planJoin, type Settings } from './settings.ts';
import { parseDhcpOptions, planSubnetRows, planSubnets } from './subnet.ts';

function makeSettings(): Settings {
  const join = planJoin('100.64.0.0/16');
  if (!join.ok) throw new Error('fixture');
  return { cluster: 'c', join: join.value, mtu: 1400, defaultVpc: 'default', defaultSubnet: 'default', primary: true };
}
const settings = makeSettings();

const subnet = (name: string, spec: Partial<SubnetSpec>, created = '2026-01-01T00:00:00Z'): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, uid: `uid-${name}`, creationTimestamp: created },
  spec: { cidrBlock: '10.0.0.0/24', ...spec },
});

/** Rows as lines, without our ids. */
function show(wanted: Wanted): string[] {
  const list = (map?: ReadonlyMap<string, string>) =>
    [...(map ?? [])].map(([key, value]) => `${key}=${value}`).join(' ');
  return [
    ...wanted.switches.map((row) => `switch ${row.name}`),
    ...wanted.routers.map((row) => `router ${row.name}`),
    ...wanted.routerPorts.map((row) => `router port ${row.name} ${row.networks.join()}`),
    ...wanted.routes.map((row) => `route ${row.ipPrefix} ${row.nexthop} ${row.outputPort}`),
    ...wanted.dhcpOptions.map((row) => `dhcp ${row.row} ${row.cidr} ${list(row.options)}`),
    ...wanted.ports.map(
      (row) => `port ${row.switch} ${row.name} ${row.type} ${row.addresses.join()} ${list(row.options)}`,
    ),
  ];
}

describe('planVpc', () => {
  it('gives the default VPC its router, the join switch, the gateway and the way out', () => {
    expect(show(planVpc('default', settings))).toEqual([
      'switch join',
      'router vpc/default',
      'router port vpc/default/join 100.64.0.1/16',
      'route 0.0.0.0/0 100.64.0.2 vpc/default/join',
      'port join join/vpc/default router router router-port=vpc/default/join',
      `port join gateway localport ${deriveMac('gateway')} 100.64.0.2 `,
    ]);
  });

  it('gives another VPC a router and nothing that leads out of it', () => {
    expect(show(planVpc('blue', settings))).toEqual(['router vpc/blue']);
  });
});

describe('planJoin', () => {
  it.each(['100.64.0.0/29', 'fd00::/64', '100.64.0.1/16', 'x'])('refuses %s', (cidr) => {
    expect(planJoin(cidr)).toMatchObject({ ok: false, problem: { reason: 'InvalidCIDR' } });
  });
});

describe('planSubnets', () => {
  const judge = (...subnets: Subnet[]) =>
    [...planSubnets(subnets, settings).values()].map((plan) => `${plan.name} ${plan.problem?.reason ?? 'usable'}`);

  it.each<[string, Subnet[], string[]]>([
    ['two beside each other', [subnet('a', {}), subnet('b', { cidrBlock: '10.0.1.0/24' })], ['a usable', 'b usable']],
    [
      'the younger of two that overlap has to wait, whatever their names',
      [subnet('a', { cidrBlock: '10.0.0.0/16' }, '2026-02-01T00:00:00Z'), subnet('z', {})],
      ['z usable', 'a CIDROverlap'],
    ],
    [
      'one family in common',
      [subnet('a', { cidrBlock: '10.0.0.0/24,fd00::/64' }), subnet('b', { cidrBlock: 'fd00::/48' })],
      ['a usable', 'b CIDROverlap'],
    ],
    ['the same in two VPCs', [subnet('a', {}), subnet('b', { vpc: 'blue' })], ['a usable', 'b usable']],
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
      'the join network seen from another VPC',
      [subnet('a', { cidrBlock: '100.64.9.0/24', vpc: 'blue' })],
      ['a usable'],
    ],
  ])('%s', (_cause, subnets, expected) => {
    expect(judge(...subnets)).toEqual(expected);
  });
});

describe('planSubnetRows', () => {
  const rows = (spec: Partial<SubnetSpec>): string[] => {
    const object = subnet('net1', spec);
    const plan = planSubnets([object], settings).get('net1');
    if (plan === undefined) throw new Error('fixture');
    return show(planSubnetRows(object, plan, settings));
  };

  it('dual stack', () => {
    expect(rows({ cidrBlock: '10.0.1.0/24,fd00:1::/64', gateway: '10.0.1.254' })).toEqual([
      'switch subnet/net1',
      'router port vpc/default/subnet/net1 10.0.1.254/24,fd00:1::1/64',
      'port subnet/net1 subnet/net1/vpc/default router router router-port=vpc/default/subnet/net1',
    ]);
  });

  it('DHCP with options of the user, which win', () => {
    const mac = deriveMac('vpc/default/subnet/net1');
    const spec = {
      cidrBlock: '10.0.1.0/24',
      enableDHCP: true,
      mtu: 1300,
      dhcpV4Options: 'lease_time=60,dns_server={1.1.1.1, 8.8.8.8}',
    };
    expect(rows(spec)[2]).toBe(
      `dhcp subnet/net1/v4 10.0.1.0/24 lease_time=60 router=10.0.1.1 server_id=10.0.1.1 server_mac=${mac} mtu=1300 dns_server={1.1.1.1, 8.8.8.8}`,
    );
  });

  it('has none while the subnet is not usable', () => {
    expect(rows({ cidrBlock: '10.0.1.1/24' })).toEqual([]);
  });

  it.each<[string, [string, string][]]>([
    ['', []],
    ['=x,,a', []],
    [
      'a=1,b=',
      [
        ['a', '1'],
        ['b', ''],
      ],
    ],
  ])('reads the options %j', (text, expected) => {
    expect(parseDhcpOptions(text)).toEqual(expected);
  });
});

describe('nodes', () => {
  const node = (name: string, annotation?: string): Node => ({
    metadata: {
      name,
      uid: `uid-${name}`,
      ...(annotation === undefined ? {} : { annotations: { 'mooring.dev/node-network': annotation } }),
    },
  });
  const plans = [
    ...planSubnets(
      [
        subnet('default', {}),
        subnet('inside', { cidrBlock: '10.0.1.0/24', natOutgoing: false }),
        subnet('six', { cidrBlock: 'fd00::/64' }),
        subnet('blue', { cidrBlock: '10.0.2.0/24', vpc: 'blue' }),
        subnet('bad', { cidrBlock: 'x' }),
      ],
      settings,
    ).values(),
  ];

  function plan(name: string, nodes: Node[]) {
    const pool = rebuildJoinPool(nodes, settings.join);
    const lease = allocateNode(pool, name);
    if (!lease.ok) throw new Error(lease.problem.message);
    return planNode(nodes.find((one) => one.metadata.name === name) ?? node(name), lease.value, plans, settings);
  }

  it('has a port on the join switch and an annotation that its agent can read', () => {
    const { annotation, port } = plan('n1', [node('n1')]);
    const mac = deriveMac('node/n1');
    expect(port).toMatchObject({ switch: 'join', name: 'node/n1', addresses: [`${mac} 100.64.0.3`] });
    expect(parseNodeNetwork(annotation)).toEqual({
      ok: true,
      network: {
        nodeIp: '100.64.0.3/16',
        nodeMac: mac,
        gatewayIp: '100.64.0.2',
        gatewayMac: deriveMac('gateway'),
        routerIp: '100.64.0.1',
        podCidrs: ['10.0.0.0/24', '10.0.1.0/24'],
        masqueradeCidrs: ['10.0.0.0/24'],
        mtu: 1400,
      },
    });
  });

  it('keeps the address of its annotation, and gives others the next one', () => {
    const kept = plan('n9', [node('n9')]).annotation.replace('100.64.0.3/16', '100.64.0.7/16');
    const nodes = [node('a'), node('n9', kept)];
    expect(plan('n9', nodes).port.addresses[0]).toMatch(/ 100\.64\.0\.7$/);
    expect(plan('a', nodes).port.addresses[0]).toMatch(/ 100\.64\.0\.3$/);
  });

  it.each([
    ['of another join network', '10.1.0.9/16'],
    ['of the router', '100.64.0.1/16'],
  ])('does not keep an address %s', (_cause, address) => {
    const annotation = plan('n1', [node('n1')]).annotation.replace('100.64.0.3/16', address);
    expect(plan('n1', [node('n1', annotation)]).port.addresses[0]).toMatch(/ 100\.64\.0\.3$/);
  });

  it('of two with one address the first has it', () => {
    const annotation = plan('a', [node('a')]).annotation;
    const nodes = [node('b', annotation), node('a', annotation)];
    expect(plan('a', nodes).port.addresses[0]).toMatch(/ 100\.64\.0\.3$/);
    expect(plan('b', nodes).port.addresses[0]).toMatch(/ 100\.64\.0\.4$/);
  });
});
