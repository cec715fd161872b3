import { parseAddress } from '../../api/address.ts';
import type { LogicalPortSpec, SubnetSpec } from '../../api/types.gen.ts';
import { isOvnProvider } from './provider.ts';

/** Who answers a guest that asks for its IPv4 address: OVN for the subnet, KubeVirt in the launcher, or nobody. */
export type DhcpServerKind = 'OVN' | 'KubeVirt' | 'nobody';

type Port = Pick<LogicalPortSpec, 'owner' | 'binding' | 'ips' | 'ipamOnly'>;
type Served = Pick<SubnetSpec, 'enableDHCP' | 'dhcp' | 'provider'>;

/**
 * Who serves DHCPv4 on a NIC. Exactly one does: behind masquerade the guest's side is KubeVirt's own network, under
 * bridge KubeVirt leaves it to others when the launcher's link has no IPv4 address (pkg/network/dhcp, `IPAMDisabled`), and
 * managedTap has no server of KubeVirt's. A NIC without IPv4 is asked about in vain; containers ask nobody.
 */
export function deriveDhcpServer(port: Port, subnet: Served): DhcpServerKind {
  const hasIpv4 = port.ips.some((ip) => parseAddress(ip)?.family === 4);
  if (port.owner.kind === 'Pod' || !hasIpv4) return 'nobody';
  if (port.ipamOnly !== true && servesBinding(port.binding, subnet)) return 'OVN';
  return port.binding === 'bridge' || port.binding === 'masquerade' ? 'KubeVirt' : 'nobody';
}

/** Whether guests that are joined in this way have their IPv4 address from the subnet's own DHCP. */
export function servesBinding(binding: Port['binding'], { enableDHCP, dhcp, provider }: Served): boolean {
  if (enableDHCP !== true || binding === 'masquerade' || !isOvnProvider(provider)) return false;
  return binding !== 'bridge' || dhcp?.server !== 'KubeVirt';
}

/**
 * Whether the launcher's link must carry no address, so that KubeVirt starts no server beside OVN's. Only bridge asks for
 * it: under managedTap the address on the link is what the VMI shows, and it starts no server.
 */
export function isBareLink(port: Port, subnet: Served): boolean {
  return port.binding === 'bridge' && deriveDhcpServer(port, subnet) === 'OVN';
}
