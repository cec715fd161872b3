import type { NicPlan } from './record.ts';
import { namesOf } from './wiring.ts';

/** What a launcher's resolv.conf says, handed on to the guest. */
export type Resolver = { servers: string[]; search: string[] };

const LEASE_SECONDS = 999 * 86_400;

export function parseResolver(text: string): Resolver {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  return {
    servers: lines.flatMap(([key, value]) => (key === 'nameserver' && value?.includes('.') ? [value] : [])),
    search: lines.flatMap(([key, ...values]) => (key === 'search' ? values : [])),
  };
}

/** The address that the guest gets from the launcher's own DHCP server, or undefined where KubeVirt serves none. */
export function findGuestAddress(nic: NicPlan): { address: string; prefix: number; router?: string } | undefined {
  if (nic.binding === 'masquerade') return { address: '10.0.2.2', prefix: 24, router: '10.0.2.1' };
  const [first] = nic.ipv4;
  if (nic.binding !== 'bridge' || first === undefined) return undefined;
  const [address = '', prefix = '32'] = first.split('/');
  return { address, prefix: Number(prefix), ...(nic.gateway === undefined ? {} : { router: nic.gateway }) };
}

/**
 * busybox udhcpd's configuration that answers one guest as KubeVirt's server does (pkg/network/dhcp/server): one
 * static lease for its MAC, the interface's own address as server id, 999 days. Undefined where KubeVirt serves none.
 */
export function formatUdhcpd(
  nic: NicPlan,
  options: { dir: string; hostname: string; resolver: Resolver },
): string | undefined {
  const guest = findGuestAddress(nic);
  if (guest === undefined) return undefined;
  const { dir, hostname, resolver } = options;
  const routes = nic.routes.map(({ destination, gateway }) => `${destination} ${gateway}`).join(', ');
  const lines = [
    `interface ${namesOf(nic).bridge}`,
    `start ${guest.address}`,
    `end ${guest.address}`,
    'max_leases 1',
    `static_lease ${nic.mac} ${guest.address}`,
    `lease_file ${dir}/leases.${nic.index}`,
    `pidfile ${dir}/udhcpd.${nic.index}.pid`,
    'auto_time 0',
    `opt subnet ${formatMask(guest.prefix)}`,
    ...(guest.router === undefined ? [] : [`opt router ${guest.router}`]),
    ...(resolver.servers.length === 0 ? [] : [`opt dns ${resolver.servers.join(' ')}`]),
    ...(resolver.search.length === 0 ? [] : [`opt search ${resolver.search.join(' ')}`]),
    ...(routes === '' ? [] : [`opt staticroutes ${routes}`]),
    `opt hostname ${hostname}`,
    `opt mtu ${nic.mtu}`,
    `opt lease ${LEASE_SECONDS}`,
  ];
  return `${lines.join('\n')}\n`;
}

export function formatMask(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}
