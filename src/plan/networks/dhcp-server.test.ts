import { describe, expect, it } from 'vitest';
import type { LogicalPortSpec } from '../../api/types.gen.ts';
import { type DhcpServerKind, deriveDhcpServer, isBareLink } from './dhcp-server.ts';

type Kind = LogicalPortSpec['owner']['kind'];
type Binding = LogicalPortSpec['binding'];

const makePort = (binding: Binding, more: { kind?: Kind; ips?: string[]; ipamOnly?: boolean } = {}) => ({
  owner: { kind: more.kind ?? 'VirtualMachine', name: 'db', uid: 'u' },
  ips: more.ips ?? ['10.0.0.5'],
  ...(binding === undefined ? {} : { binding }),
  ...(more.ipamOnly === undefined ? {} : { ipamOnly: more.ipamOnly }),
});
const SERVED = { enableDHCP: true };
const LEFT = { enableDHCP: true, dhcp: { server: 'KubeVirt' } };
const DUAL = { ips: ['10.0.0.5', 'fd00::5'] };
const SIX = { ips: ['fd00::5'] };

describe('one server for each guest', () => {
  it.each<[string, ReturnType<typeof makePort>, object, DhcpServerKind, boolean]>([
    ['bridge on a subnet without DHCP', makePort('bridge'), {}, 'KubeVirt', false],
    ['bridge on a subnet that says no', makePort('bridge'), { enableDHCP: false }, 'KubeVirt', false],
    ['bridge on a subnet with DHCP', makePort('bridge'), SERVED, 'OVN', true],
    ['the same for a VMI without a VM', makePort('bridge', { kind: 'VirtualMachineInstance' }), SERVED, 'OVN', true],
    ['bridge with both families', makePort('bridge', DUAL), SERVED, 'OVN', true],
    ['bridge on a subnet that leaves it to KubeVirt', makePort('bridge', DUAL), LEFT, 'KubeVirt', false],
    ['managedTap there, which KubeVirt does not serve', makePort('managedTap', DUAL), LEFT, 'OVN', false],
    [
      'bridge where OVN is named but not switched on',
      makePort('bridge'),
      { dhcp: { server: 'OVN' } },
      'KubeVirt',
      false,
    ],
    ['bridge with IPv6 only, of which KubeVirt serves none', makePort('bridge', SIX), SERVED, 'nobody', false],
    ['managedTap on a subnet with DHCP', makePort('managedTap'), SERVED, 'OVN', false],
    ['managedTap on a subnet without', makePort('managedTap'), {}, 'nobody', false],
    ['masquerade on a subnet with DHCP', makePort('masquerade'), SERVED, 'KubeVirt', false],
    ['masquerade on a subnet without', makePort('masquerade'), {}, 'KubeVirt', false],
    ['another binding on a subnet with DHCP', makePort(undefined), SERVED, 'OVN', false],
    ['another binding on a subnet without', makePort(undefined), {}, 'nobody', false],
    ['a pod on a subnet with DHCP', makePort(undefined, { kind: 'Pod' }), SERVED, 'nobody', false],
    ['a pod that claims to be bridged', makePort('bridge', { kind: 'Pod' }), SERVED, 'nobody', false],
    ["another plugin's NIC", makePort('bridge', { ipamOnly: true }), SERVED, 'KubeVirt', false],
    [
      "a subnet of another plugin's network",
      makePort('bridge'),
      { enableDHCP: true, provider: 'lan.web' },
      'KubeVirt',
      false,
    ],
    ['a secondary network of ours', makePort('bridge'), { enableDHCP: true, provider: 'lan.web.ovn' }, 'OVN', true],
    ['a port without address', makePort('bridge', { ips: [] }), SERVED, 'nobody', false],
    ['an address that is none', makePort('bridge', { ips: ['nonsense'] }), SERVED, 'nobody', false],
  ])('%s', (_cause, port, subnet, ...expected) => {
    expect([deriveDhcpServer(port, subnet), isBareLink(port, subnet)]).toEqual(expected);
  });
});
