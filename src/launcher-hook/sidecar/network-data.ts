import { formatAddress, parseCidr } from '../../api/address.ts';
import type { Gateway, GuestNic } from './guest.ts';

const BITS = { 4: 32, 6: 128 } as const;

/**
 * A config drive's `network_data.json`: OpenStack's form (nova, `virt/netutils.py`), as cloud-init reads it
 * (`sources/helpers/openstack.py`, `convert_net_json`). Masks are written out in both families.
 */
export function formatNetworkData(nics: readonly GuestNic[]): string {
  const links = nics.map((nic, index) => ({
    id: `nic${index}`,
    type: 'phy',
    ethernet_mac_address: nic.mac,
    ...(nic.kind === 'static' && nic.mtu !== undefined ? { mtu: nic.mtu } : {}),
  }));
  const networks = nics.flatMap((nic, index) => listNetworks(nic, `nic${index}`));
  const servers = new Set(nics.flatMap((nic) => (nic.kind === 'static' ? nic.dns : [])));
  const services = [...servers].map((address) => ({ type: 'dns', address }));
  return `${JSON.stringify({ links, networks, services }, undefined, 2)}\n`;
}

function listNetworks(nic: GuestNic, link: string): object[] {
  if (nic.kind === 'dhcp') return [{ id: `${link}-dhcp`, link, type: 'ipv4_dhcp' }];
  const [first, ...others] = nic.ips.map((ip) => formatNetwork(nic, link, ip));
  return [{ ...first, ...formatNameservers(nic) }, ...others];
}

function formatNetwork(nic: GuestNic & { kind: 'static' }, link: string, ip: string): object {
  const family = familyOf(ip);
  const [address, prefix] = ip.split('/');
  const gateway = nic.gateways.find((one) => familyOf(one.address) === family);
  return {
    id: `${link}-ipv${family}`,
    link,
    type: `ipv${family}`,
    ip_address: address,
    netmask: formatMask(family, Number(prefix)),
    ...(gateway?.onLink === true ? { gateway: gateway.address } : {}),
    routes: listRoutes(nic, family, gateway),
  };
}

/**
 * Cloud-init's own keys, which OpenStack has none for. A NIC with domains gets none of the `services` from its netplan
 * renderer, and up to 22.4 it does not look for any in a network.
 */
function formatNameservers({ dns, search }: GuestNic & { kind: 'static' }): object {
  return {
    ...(dns.length === 0 ? {} : { dns_nameservers: dns }),
    ...(search.length === 0 ? {} : { dns_search: search }),
  };
}

const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);

/** Only for a `gateway` does cloud-init see that it is outside of the prefix, and call it on-link. */
function listRoutes(nic: GuestNic & { kind: 'static' }, family: 4 | 6, gateway: Gateway | undefined): object[] {
  const way =
    gateway === undefined || gateway.onLink ? [] : [formatRoute(family === 6 ? '::/0' : '0.0.0.0/0', gateway.address)];
  const routes = nic.routes.filter(({ dst }) => familyOf(dst) === family);
  return [...way, ...routes.map(({ dst, gw }) => formatRoute(dst, gw))];
}

function formatRoute(dst: string, gateway: string): object {
  const cidr = parseCidr(dst);
  const [network] = dst.split('/');
  return { network, netmask: formatMask(cidr?.family ?? 4, cidr?.prefix ?? 0), gateway };
}

function formatMask(family: 4 | 6, prefix: number): string {
  const host = BigInt(BITS[family] - prefix);
  const all = (1n << BigInt(BITS[family])) - 1n;
  return formatAddress({ family, value: (all >> host) << host });
}
