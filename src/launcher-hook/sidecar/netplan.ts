import type { GuestNic } from './guest.ts';

const ANYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const;

/**
 * NoCloud's `network-config`, version 2 (cloud-init, reference/network-config-format-v2), as JSON, which YAML is a
 * superset of. NICs are found by MAC and keep the names that the guest gives them. Routes say `0.0.0.0/0` and not
 * `default`, which cloud-init's other renderers than netplan's do not take.
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
  const routes = listRoutes(nic);
  return {
    match,
    dhcp4: false,
    dhcp6: false,
    // What the router advertises is what stands here, and would give a NIC without a default route one.
    ...(nic.ips.some((ip) => ip.includes(':')) ? { 'accept-ra': false } : {}),
    ...(nic.mtu === undefined ? {} : { mtu: nic.mtu }),
    addresses: nic.ips,
    ...(Object.keys(nameservers).length === 0 ? {} : { nameservers }),
    ...(routes.length === 0 ? {} : { routes }),
  };
}

function listRoutes(nic: GuestNic & { kind: 'static' }): object[] {
  const gateways = nic.gateways.map(({ address, onLink }) => ({
    to: ANYWHERE[address.includes(':') ? 6 : 4],
    via: address,
    ...(onLink ? { 'on-link': true } : {}),
  }));
  return [...gateways, ...nic.routes.map(({ dst, gw }) => ({ to: dst, via: gw }))];
}
