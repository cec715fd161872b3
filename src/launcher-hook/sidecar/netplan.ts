import type { Gateway, GuestNic } from './guest.ts';

const ANYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const;

/**
 * NoCloud's `network-config`, version 2 (cloud-init, reference/network-config-format-v2), as JSON, which YAML is a
 * superset of. NICs are found by MAC and keep the names that the guest gives them. Default routes have the form that all
 * renderers of cloud-init 22.4 take: those beside netplan's do not know `default`, and make `::/64` of `::/0`, so IPv6 has
 * the older `gateway6`; only a route can be on-link.
 */
export function formatNetplan(nics: readonly GuestNic[]): string {
  const ethernets = nics.map((nic, index) => [`nic${index}`, formatEthernet(nic)]);
  return `${JSON.stringify({ version: 2, ethernets: Object.fromEntries(ethernets) }, undefined, 2)}\n`;
}

function formatEthernet(nic: GuestNic): object {
  const match = { macaddress: nic.mac };
  if (nic.kind === 'dhcp') return { match, dhcp4: true };
  const nameservers = {
    ...(nic.dns.length === 0 ? {} : { addresses: nic.dns }),
    ...(nic.search.length === 0 ? {} : { search: nic.search }),
  };
  const gateway6 = nic.gateways.find(isGateway6);
  const routes = listRoutes(nic);
  return {
    match,
    dhcp4: false,
    dhcp6: false,
    // What the router advertises is what stands here, and would give a NIC without a default route one.
    ...(nic.ips.some(isV6) ? { 'accept-ra': false } : {}),
    ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }),
    addresses: nic.ips,
    ...(Object.keys(nameservers).length === 0 ? {} : { nameservers }),
    ...(gateway6 === undefined ? {} : { gateway6: gateway6.address }),
    ...(routes.length === 0 ? {} : { routes }),
  };
}

const isV6 = (text: string): boolean => text.includes(':');
const isGateway6 = ({ address, onLink }: Gateway): boolean => isV6(address) && !onLink;

function listRoutes(nic: GuestNic & { kind: 'static' }): object[] {
  const gateways = nic.gateways
    .filter((gateway) => !isGateway6(gateway))
    .map(({ address, onLink }) => ({
      to: ANYWHERE[isV6(address) ? 6 : 4],
      via: address,
      ...(onLink ? { 'on-link': true } : {}),
    }));
  return [...gateways, ...nic.routes.map(({ dst, gw }) => ({ to: dst, via: gw }))];
}
