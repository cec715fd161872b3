import type { Binding } from '../../api/binding.ts';
import type { KubevirtSettings } from './kubevirt.ts';
import type { NicNetwork } from './network.ts';

/** Plugins whose NICs let only the interface's own MAC through: no guest behind a bridge or tap is heard. */
const SHARES_ITS_MAC: readonly unknown[] = ['macvlan', 'ipvlan'];
/** Plugins whose NICs are handed to the guest by a binding of their own. */
const HANDED_OVER: readonly unknown[] = ['sriov', 'ib-sriov', 'host-device', 'macvtap'];

export const sharesItsMac = ({ type }: NicNetwork): boolean => SHARES_ITS_MAC.includes(type);
export const isHandedOver = ({ type }: NicNetwork): boolean => HANDED_OVER.includes(type);

/** Which of its families the subnet's own DHCP serves; no subnet serves none. */
export function findServed({ maker, subnet }: NicNetwork): { readonly v4: boolean; readonly v6: boolean } {
  const { cidrBlock = '', enableDHCP, enableIPv6RA } = subnet?.spec ?? {};
  const serves = maker === 'ours' && enableDHCP === true;
  return {
    v4: serves && cidrBlock.includes('.'),
    v6: serves && cidrBlock.includes(':') && enableIPv6RA === true,
  };
}

/** The families of the subnet; none where it is not known. */
export function listFamilies({ subnet }: NicNetwork): readonly (4 | 6)[] {
  const { cidrBlock = '' } = subnet?.spec ?? {};
  return [...(cidrBlock.includes('.') ? ([4] as const) : []), ...(cidrBlock.includes(':') ? ([6] as const) : [])];
}

/** What the choice depends on; `plugged`: the NIC is to come into a VM that runs. */
export type AutoFacts = {
  readonly network: NicNetwork;
  readonly kubevirt: KubevirtSettings;
  readonly plugged: boolean;
};

/**
 * The binding that keeps address, live migration and in-guest DHCP for a network; undefined when none does. The facts
 * are KubeVirt's: the in-pod server of bridge speaks IPv4 only, masquerade is for the pod network, managedTap has no
 * server, and only core bridge can be plugged into a running guest.
 */
export function chooseAuto({ network, kubevirt, plugged }: AutoFacts): Binding | undefined {
  if (sharesItsMac(network) || isHandedOver(network)) return undefined;
  if (network.kind === 'pod') return choosePod(network, kubevirt);
  return !plugged && isServed(network) && kubevirt.managedTap !== undefined ? 'managedTap' : 'bridge';
}

function choosePod(network: NicNetwork, { managedTap, bridgeOnPod }: KubevirtSettings): Binding {
  // Another CNI gives the target of a migration another address: only a guest behind NAT does not notice.
  if (network.maker !== 'ours') return 'masquerade';
  if (isServed(network) && managedTap?.migrates === true) return 'managedTap';
  return bridgeOnPod && !isMute(network) ? 'bridge' : 'masquerade';
}

/** Behind a bridge nobody would tell the guest its address. */
function isMute(network: NicNetwork): boolean {
  const families = listFamilies(network);
  return families.length > 0 && !families.includes(4) && !isServed(network);
}

/** The subnet's DHCP serves every family that the subnet has. */
function isServed(network: NicNetwork): boolean {
  const families = listFamilies(network);
  const served = findServed(network);
  return families.length > 0 && families.every((family) => (family === 4 ? served.v4 : served.v6));
}
