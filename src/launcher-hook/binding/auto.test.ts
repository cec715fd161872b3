import { describe, expect, it } from 'vitest';
import type { Binding } from '../../api/binding.ts';
import type { SubnetSpec } from '../../api/types.gen.ts';
import { chooseAuto, findServed, listFamilies } from './auto.ts';
import type { KubevirtSettings } from './kubevirt.ts';
import type { NicNetwork } from './network.ts';
import { makeSubnet } from './testing/cluster.ts';

const BARE: KubevirtSettings = { bridgeOnPod: true };
const TAP: KubevirtSettings = { bridgeOnPod: true, managedTap: { name: 'managedtap', migrates: true } };
const STUCK: KubevirtSettings = { bridgeOnPod: true, managedTap: { name: 'managedtap', migrates: false } };
const NO_BRIDGE = { bridgeOnPod: false };

const V4 = {};
const V6 = { cidrBlock: 'fd00::/64' };
const DUAL = { cidrBlock: '10.0.0.0/24,fd00::/64' };
const DHCP = { enableDHCP: true };
const FULL = { enableDHCP: true, enableIPv6RA: true };

type Row = [cause: string, subnet: Partial<SubnetSpec>, kubevirt: KubevirtSettings, expected: Binding];

const network = (kind: NicNetwork['kind'], spec: Partial<SubnetSpec>): NicNetwork => ({
  kind,
  maker: 'ours',
  subnet: makeSubnet('s', spec),
});
const choose = (of: NicNetwork, kubevirt = TAP, plugged = false) => chooseAuto({ network: of, kubevirt, plugged });

describe('auto on the pod network', () => {
  it.each<Row>([
    ['IPv4 by the in-pod server', V4, TAP, 'bridge'],
    ['IPv4 by the subnet, so one server only', DHCP, TAP, 'managedTap'],
    ['IPv4 by the subnet, plugin not registered', DHCP, BARE, 'bridge'],
    ['IPv4 by the subnet, plugin that stops migration', DHCP, STUCK, 'bridge'],
    ['both families by the subnet', { ...DUAL, ...FULL }, TAP, 'managedTap'],
    ['both families by the subnet, plugin not registered', { ...DUAL, ...FULL }, BARE, 'bridge'],
    ['dual stack without router advertisements', { ...DUAL, ...DHCP }, TAP, 'bridge'],
    ['dual stack without DHCP of the subnet', DUAL, TAP, 'bridge'],
    ['IPv6 by the subnet', { ...V6, ...FULL }, TAP, 'managedTap'],
    ['IPv6 by the subnet, plugin not registered', { ...V6, ...FULL }, BARE, 'bridge'],
    ['IPv6 that only the NAT of KubeVirt serves', V6, TAP, 'masquerade'],
    ['IPv6 without router advertisements', { ...V6, ...DHCP }, TAP, 'masquerade'],
    ['bridge not permitted', V4, NO_BRIDGE, 'masquerade'],
    ['bridge not permitted, no plugin, DHCP of the subnet', DHCP, NO_BRIDGE, 'masquerade'],
    ['bridge not permitted, DHCP of the subnet', DHCP, { ...TAP, bridgeOnPod: false }, 'managedTap'],
  ])('%s', (_cause, spec, kubevirt, expected) => {
    expect(choose(network('pod', spec), kubevirt)).toBe(expected);
  });

  it("takes NAT on another CNI's network, whose addresses do not move with the guest", () => {
    expect(choose({ kind: 'pod', maker: 'other' })).toBe('masquerade');
  });

  it('takes bridge while the subnet is not known', () => {
    expect(choose({ kind: 'pod', maker: 'ours' })).toBe('bridge');
  });
});

describe.each(['default', 'secondary'] as const)('auto on a %s network', (kind) => {
  it.each<Row>([
    ['the in-pod server', V4, TAP, 'bridge'],
    ['the subnet', DHCP, TAP, 'managedTap'],
    ['the subnet; migration is not judged there', DHCP, STUCK, 'managedTap'],
    ['the subnet, plugin not registered', DHCP, BARE, 'bridge'],
    ['both families by the subnet', { ...DUAL, ...FULL }, TAP, 'managedTap'],
    ['dual stack without the subnet', DUAL, TAP, 'bridge'],
    ['IPv6 only, where masquerade is not possible', V6, TAP, 'bridge'],
    ['bridge forbidden on the pod network only', V4, NO_BRIDGE, 'bridge'],
  ])('%s', (_cause, spec, kubevirt, expected) => {
    expect(choose(network(kind, spec), kubevirt)).toBe(expected);
  });

  it('takes bridge for a NIC that is plugged into a running VM, as KubeVirt can plug no other', () => {
    expect(choose(network(kind, DHCP), TAP, true)).toBe('bridge');
  });

  it("takes bridge on another plugin's NIC, where the subnet's DHCP does not reach", () => {
    expect(choose({ kind, maker: 'ipam', type: 'bridge', subnet: makeSubnet('s', DHCP) })).toBe('bridge');
    expect(choose({ kind, maker: 'other', type: 'ptp' })).toBe('bridge');
    expect(choose({ kind, maker: 'unknown' })).toBe('bridge');
  });

  it.each(['macvlan', 'ipvlan', 'sriov', 'ib-sriov', 'host-device', 'macvtap'])('has nothing for %s', (type) => {
    expect(choose({ kind, maker: 'other', type })).toBeUndefined();
  });
});

describe('what a subnet serves', () => {
  it.each<[string, Partial<SubnetSpec>, object]>([
    ['nothing', V4, { v4: false, v6: false }],
    ['IPv4', DHCP, { v4: true, v6: false }],
    ['IPv4 of two', { ...DUAL, ...DHCP }, { v4: true, v6: false }],
    ['both', { ...DUAL, ...FULL }, { v4: true, v6: true }],
    ['nothing by advertisements alone', { ...V6, enableIPv6RA: true }, { v4: false, v6: false }],
  ])('%s', (_cause, spec, expected) => {
    expect(findServed(network('pod', spec))).toEqual(expected);
  });

  it('lists its families', () => {
    expect(listFamilies(network('pod', DUAL))).toEqual([4, 6]);
    expect(listFamilies(network('pod', V6))).toEqual([6]);
    expect(listFamilies({ kind: 'pod', maker: 'ours' })).toEqual([]);
  });
});
