import { describe, expect, it } from 'vitest';
import type { MigrationNetworkSpec } from '../../api/types.gen.ts';
import { planRanges } from '../../ipam/ranges.ts';
import { makeSubnet } from '../networks/testing/subnets.ts';
import { findShortage, findTrouble, type Neighbours } from './checks.ts';
import { makeFacts, makeNad, makeNetwork, makeNode } from './testing/facts.ts';
import { planWish } from './wish.ts';

const nads = [
  makeNad('ours', { type: 'mooring', provider: 'ours.kubevirt.ovn' }),
  makeNad('foreign', { type: 'ptp', ipam: { type: 'host-local' } }),
];

function find(spec: Partial<MigrationNetworkSpec>, around: Partial<Neighbours>): string {
  const network = makeNetwork(spec);
  const wish = planWish(network, 'kubevirt', nads);
  if (!wish.ok) throw new Error(wish.problem.message);
  const trouble = findTrouble(network, wish.value, makeFacts(around));
  return trouble === undefined ? '' : `${trouble.reason} ${trouble.message}`;
}

const nodes = [makeNode('n1', '198.18.0.11'), makeNode('n2', 'fd00::12')];
const subnets = [
  makeSubnet('pods', { cidrBlock: '10.16.0.0/16,fd10::/64' }),
  makeSubnet('wire', { cidrBlock: '172.30.0.0/24', provider: 'wire.default' }),
  makeSubnet('broken', { cidrBlock: 'everything' }),
];

describe('the range of a migration network', () => {
  it.each([
    ['is like no other', '198.18.2.0/24', ''],
    ['lies in a Subnet', '10.16.3.0/24', 'OverlapsBusiness 10.16.3.0/24 overlaps subnet pods 10.16.0.0/16'],
    ['has a Subnet in it', '172.16.0.0/12', 'OverlapsBusiness 172.16.0.0/12 overlaps subnet wire 172.30.0.0/24'],
    [
      'meets a Subnet in IPv6',
      '198.18.2.0/24,fd10::/112',
      'OverlapsBusiness fd10::/112 overlaps subnet pods fd10::/64',
    ],
    [
      'is in the join network',
      '100.64.9.0/24',
      'OverlapsBusiness 100.64.9.0/24 overlaps the join network 100.64.0.0/16',
    ],
    ['has a node in it', '198.18.0.0/24', 'OverlapsBusiness 198.18.0.0/24 contains 198.18.0.11 of node n1'],
    ['has a node in it in IPv6', 'fd00::/64', 'OverlapsBusiness fd00::/64 contains fd00::12 of node n2'],
  ])('%s', (_cause, cidrBlock, expected) => {
    expect(find({ cidrBlock }, { nodes, subnets })).toBe(expected);
    expect(find({ cidrBlock, allowOverlap: true }, { nodes, subnets })).toBe('');
  });

  it('is not its own neighbour', () => {
    expect(find({}, { subnets: [makeSubnet('migration-lab', { cidrBlock: '198.18.2.0/24' })] })).toBe('');
  });

  it.each([
    ['enough', '198.18.2.0/24', 253, undefined],
    ['too few', '198.18.2.0/24', 254, '198.18.2.0/24 has 253 free addresses for 254 nodes'],
    ['too few of one family', 'fd18::/64,198.18.2.0/29', 6, '198.18.2.0/29 has 5 free addresses for 6 nodes'],
  ])('has addresses for all nodes: %s', (_cause, cidrBlock, handlers, expected) => {
    const ranges = planRanges({ cidrBlock });
    if (!ranges.ok) throw new Error('fixture');
    expect(findShortage(ranges.value, handlers)?.message).toBe(expected);
  });
});

describe('the uplink of a migration network', () => {
  const uplinks = new Map([
    ['n2', 'bond0.100'],
    ['n1', 'eth0'],
    ['n3', 'bond0.100'],
  ]);
  const shares = (device: string, what: string) =>
    `UplinkShared ${device} shares ${what} with the traffic of guests and pods on node`;
  it.each<[string, Partial<MigrationNetworkSpec>, string]>([
    ['is its own', { uplink: { interface: 'eth1' } }, ''],
    ['is that of one node', { uplink: { interface: 'eth0' } }, `${shares('eth0', 'eth0')} n1`],
    [
      'is another VLAN of the same wire',
      { uplink: { interface: 'bond0', vlan: 200 } },
      `${shares('bond0.200', 'bond0')} n2 and 1 more`,
    ],
    ['is named like a part of it', { uplink: { interface: 'eth01' } }, ''],
    [
      'is OVN',
      { nad: 'ours' },
      'UplinkShared definition ours is a network of OVN, whose traffic leaves by the uplink of guests and pods',
    ],
    ['cannot be known', { nad: 'foreign' }, ''],
  ])('%s', (_cause, spec, expected) => {
    expect(find(spec, { uplinks })).toBe(expected);
    expect(find({ ...spec, allowSharedUplink: true }, { uplinks })).toBe('');
  });

  it('is not refused while no node tells of its own', () => {
    expect(find({ uplink: { interface: 'eth0' } }, {})).toBe('');
  });
});
