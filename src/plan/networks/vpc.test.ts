import { describe, expect, it } from 'vitest';
import { parseNodeNetwork } from '../../api/node-network.ts';
import type { Node } from '../../api/objects.ts';
import type { Subnet, SubnetSpec } from '../../api/types.gen.ts';
import type { Wanted } from '../../ovn/wanted.ts';
import { deriveMac, planJoin, type Settings } from '../settings.ts';
import { allocateNode, allocateVpc, type JoinRecords, listJoinedVpcs, planNode, rebuildJoinPool } from './node.ts';
import { planSubnets } from './subnet.ts';
import { planVpc } from './vpc.ts';

function makeSettings(joinCidr = '100.64.0.0/16,fd00:100:64::/112'): Settings {
  const join = planJoin(joinCidr);
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
  it('gives the default VPC its router, the join switch, the gateway and the ways out', () => {
    expect(show(planVpc('default', settings))).toEqual([
      'switch join',
      'router vpc/default',
      'router port vpc/default/join 100.64.0.1/16,fd00:100:64::1/112',
      'route 0.0.0.0/0 100.64.0.2 vpc/default/join',
      'route ::/0 fd00:100:64::2 vpc/default/join',
      'port join join/vpc/default router router router-port=vpc/default/join',
      `port join gateway localport ${deriveMac('gateway')} 100.64.0.2 fd00:100:64::2 `,
    ]);
  });

  it('on a join network of one family has that family only', () => {
    expect(show(planVpc('default', makeSettings('100.64.0.0/16')))).toEqual([
      'switch join',
      'router vpc/default',
      'router port vpc/default/join 100.64.0.1/16',
      'route 0.0.0.0/0 100.64.0.2 vpc/default/join',
      'port join join/vpc/default router router router-port=vpc/default/join',
      `port join gateway localport ${deriveMac('gateway')} 100.64.0.2 `,
    ]);
    expect(show(planVpc('default', makeSettings('fd00:100:64::/112')))).toContain(
      'route ::/0 fd00:100:64::2 vpc/default/join',
    );
  });

  it('gives another VPC a router, a port for the nodes, and nothing that leads out of it', () => {
    const lease = { ips: ['100.64.0.9', 'fd00:100:64::9'], mac: '0e:00:00:00:00:09' };
    const wanted = planVpc('blue', settings, lease);
    expect(show(wanted)).toEqual([
      'router vpc/blue',
      'router port vpc/blue/join 100.64.0.9/16,fd00:100:64::9/112',
      'port join join/vpc/blue router router router-port=vpc/blue/join',
    ]);
    expect(wanted.routerPorts[0]?.mac).toBe(lease.mac);
  });

  it('leaves a VPC alone that has no address there', () => {
    expect(show(planVpc('blue', settings))).toEqual(['router vpc/blue']);
  });
});

describe('planJoin', () => {
  it.each(['100.64.0.0/29', '100.64.0.0/16,fd00::/126', '100.64.0.1/16', '10.0.0.0/16,10.1.0.0/16', 'x'])(
    'refuses %s',
    (cidr) => {
      expect(planJoin(cidr)).toMatchObject({ ok: false, problem: { reason: 'InvalidCIDR' } });
    },
  );
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
        subnet('six', { cidrBlock: 'fd01::/64' }),
        subnet('blue', { cidrBlock: '10.0.2.0/24', vpc: 'blue' }),
        subnet('macvlan', { cidrBlock: '10.0.3.0/24', provider: 'macvlan.default' }),
        subnet('bad', { cidrBlock: 'x' }),
      ],
      settings,
      new Set(['blue']),
    ).values(),
  ];

  const nothing: JoinRecords = { nodes: new Map(), vpcs: new Map() };

  function plan(name: string, nodes: Node[], records: Partial<JoinRecords> = {}, own = settings) {
    const pool = rebuildJoinPool(nodes, { ...nothing, ...records }, own);
    const lease = allocateNode(pool, name);
    if (!lease.ok) throw new Error(lease.problem.message);
    const blue = allocateVpc(pool, 'blue', own);
    if (!blue.ok) throw new Error(blue.problem.message);
    const around = { subnets: plans, vpcs: [{ name: 'blue', lease: blue.value }] };
    return planNode(nodes.find((one) => one.metadata.name === name) ?? node(name), lease.value, around, own);
  }
  const ipsOf = (made: { port: { addresses: readonly string[] } }) => made.port.addresses[0]?.split(' ').slice(1);

  it('has a port on the join switch and an annotation that its agent can read', () => {
    const { annotation, port } = plan('n1', [node('n1')]);
    const mac = deriveMac('node/n1');
    expect(port).toMatchObject({
      switch: 'join',
      name: 'node/n1',
      addresses: [`${mac} 100.64.0.3 fd00:100:64::3`],
    });
    expect(parseNodeNetwork(annotation)).toEqual({
      ok: true,
      network: {
        nodeIps: ['100.64.0.3/16', 'fd00:100:64::3/112'],
        nodeMac: mac,
        gatewayIps: ['100.64.0.2', 'fd00:100:64::2'],
        gatewayMac: deriveMac('gateway'),
        routerIps: ['100.64.0.1', 'fd00:100:64::1'],
        podCidrs: ['10.0.0.0/24', '10.0.1.0/24', 'fd01::/64'],
        masqueradeCidrs: ['10.0.0.0/24', 'fd01::/64'],
        vpcs: [{ name: 'blue', routerIps: ['100.64.0.4', 'fd00:100:64::4'] }],
        mtu: 1400,
      },
    });
  });

  it('on a join network of one family reaches the pods of that family', () => {
    const parsed = parseNodeNetwork(plan('n1', [node('n1')], {}, makeSettings('100.64.0.0/16')).annotation);
    expect(parsed).toMatchObject({ ok: true, network: { podCidrs: ['10.0.0.0/24', '10.0.1.0/24'] } });
  });

  it('keeps the address that NB records, whatever any annotation says, and others get the next one', () => {
    const claim = plan('n9', [node('n9')]).annotation.replace('100.64.0.3/16', '100.64.0.7/16');
    const nodes = [node('a', claim), node('n9', claim)];
    const records = { nodes: new Map([['n9', ['100.64.0.8', 'fd00:100:64::8']]]) };
    expect(ipsOf(plan('n9', nodes, records))).toEqual(['100.64.0.8', 'fd00:100:64::8']);
    expect(ipsOf(plan('a', nodes, records))).toEqual(['100.64.0.3', 'fd00:100:64::3']);
  });

  it('keeps its IPv4 address when the join network gets IPv6', () => {
    const records = { nodes: new Map([['n9', ['100.64.0.8']]]) };
    expect(ipsOf(plan('n9', [node('n9')], records))).toEqual(['100.64.0.8', 'fd00:100:64::3']);
  });

  it('takes the address of its annotation while NB is empty, also that of an operator from before IPv6', () => {
    const old = JSON.stringify({
      nodeIp: '100.64.0.7/16',
      nodeMac: '0a:58:64:40:00:05',
      gatewayIp: '100.64.0.2',
      gatewayMac: '0a:58:64:40:00:02',
      routerIp: '100.64.0.1',
      podCidrs: [],
      masqueradeCidrs: [],
      mtu: 1400,
    });
    expect(ipsOf(plan('n9', [node('a'), node('n9', old)]))).toEqual(['100.64.0.7', 'fd00:100:64::3']);
  });

  it.each([
    ['of another join network', '10.1.0.9'],
    ['of the default router', '100.64.0.1'],
    ['that is none', 'x'],
  ])('does not keep an address %s', (_cause, address) => {
    const records = { nodes: new Map([['n1', [address]]]) };
    expect(ipsOf(plan('n1', [node('n1')], records))).toEqual(['100.64.0.3', 'fd00:100:64::3']);
  });

  it('of two with one address the first has it, a VPC before a node', () => {
    const same = ['100.64.0.9', 'fd00:100:64::9'];
    const nodes = new Map(['b', 'a'].map((name) => [name, same]));
    expect(ipsOf(plan('a', [], { nodes }))).toEqual(same);
    expect(ipsOf(plan('b', [], { nodes }))).toEqual(['100.64.0.3', 'fd00:100:64::3']);
    const vpcs = new Map([['blue', same]]);
    expect(ipsOf(plan('a', [], { nodes, vpcs }))).toEqual(['100.64.0.3', 'fd00:100:64::3']);
  });

  it('the router of another VPC keeps what NB records, and its MAC tells every node what it is', () => {
    const records = { ...nothing, vpcs: new Map([['blue', ['100.64.0.9', 'fd00:100:64::9']]]) };
    const lease = allocateVpc(rebuildJoinPool([], records, settings), 'blue', settings);
    expect(lease).toMatchObject({
      ok: true,
      value: { ips: ['100.64.0.9', 'fd00:100:64::9'], mac: expect.stringMatching(/^0e:/) },
    });
  });

  it('reaches the VPCs that have a usable subnet and leave the join network alone', () => {
    const judged = planSubnets(
      [
        subnet('a', {}),
        subnet('b', { vpc: 'blue' }),
        subnet('c', { vpc: 'red', cidrBlock: 'x' }),
        subnet('d', { vpc: 'grey' }),
        subnet('e', { vpc: 'grey', cidrBlock: '100.64.7.0/24' }),
        subnet('f', { vpc: 'white', provider: 'macvlan.default' }),
        subnet('g', { vpc: 'unknown' }),
      ],
      settings,
      new Set(['blue', 'red', 'grey', 'white']),
    );
    expect(listJoinedVpcs(judged.values(), settings)).toEqual(['blue']);
    expect(listJoinedVpcs(judged.values(), settings, (vpc) => vpc === 'red')).toEqual(['blue', 'red']);
  });
});
