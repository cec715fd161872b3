import { containsAddress, parseAddress, parseCidr } from '../../api/address.ts';
import type { NetworkConfig, NicConfig } from '../../api/network-config.ts';
import type { VmiFacts, VmiNic } from './vmi.ts';

/** What the guest is told about one NIC. */
export type GuestNic =
  | { readonly kind: 'dhcp'; readonly name: string; readonly mac: string }
  | (Omit<NicConfig, 'gateways'> & { readonly kind: 'static'; readonly gateways: readonly Gateway[] });

/** A default route. One that is outside of every prefix of the NIC has to be called on-link (netplan(5)). */
export type Gateway = { readonly address: string; readonly onLink: boolean };

export type GuestPlan =
  | { readonly ok: true; readonly nics: readonly GuestNic[] }
  | { readonly ok: false; readonly problem: string };

/**
 * What a guest is to be told: addresses where they are ours, DHCP where the guest's side is KubeVirt's own (masquerade)
 * or the pod network is another one's. Network data takes cloud-init's own default away, so a NIC that needs a word but
 * has no known MAC refuses the whole. The first NIC of a family that has a way out keeps it; the others reach their own
 * networks and routes.
 */
export function planGuest(vmi: VmiFacts, config: NetworkConfig): GuestPlan {
  const ours = new Map(config.nics.map((nic) => [nic.name, nic]));
  const nics = vmi.nics.flatMap((nic) => planNic(nic, ours.get(nic.name)));
  const nameless = nics.find((nic) => nic.mac === undefined);
  if (nameless !== undefined) return { ok: false, problem: `NIC ${nameless.name} has no macAddress to know it by` };
  const named = nics.flatMap((nic) => (nic.mac === undefined ? [] : { ...nic, mac: nic.mac }));
  if (new Set(named.map(({ mac }) => mac)).size !== named.length) {
    return { ok: false, problem: 'two NICs have one macAddress' };
  }
  return named.some(({ entry }) => entry !== undefined)
    ? { ok: true, nics: finish(named) }
    : { ok: false, problem: 'no NIC has an address that is known' };
}

type Planned = { readonly name: string; readonly mac: string | undefined; readonly entry?: NicConfig };

/** NICs that are neither ours nor on the pod network are not spoken of, as without us. */
function planNic({ name, mac, translated, primary }: VmiNic, entry: NicConfig | undefined): Planned[] {
  if (entry !== undefined && !translated) return [{ name, mac: mac ?? entry.mac, entry }];
  return translated || primary ? [{ name, mac }] : [];
}

function finish(nics: readonly (Planned & { readonly mac: string })[]): GuestNic[] {
  const taken = new Set<boolean>();
  return nics.map(({ name, mac, entry }) => {
    if (entry === undefined) {
      taken.add(true).add(false);
      return { kind: 'dhcp', name, mac };
    }
    const gateways = entry.gateways.filter((address) => !taken.has(isV6(address)));
    for (const address of gateways) taken.add(isV6(address));
    return { ...entry, kind: 'static', mac, gateways: gateways.map((address) => planGateway(address, entry)) };
  });
}

const isV6 = (text: string): boolean => text.includes(':');

function planGateway(text: string, { ips }: NicConfig): Gateway {
  const address = parseAddress(text);
  const cidrs = ips.flatMap((ip) => parseCidr(ip) ?? []);
  return { address: text, onLink: !cidrs.some((cidr) => address !== undefined && containsAddress(cidr, address)) };
}
