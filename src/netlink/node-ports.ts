import { deleteAddress, ensureAddress, listAddresses } from './addresses.ts';
import { AF } from './constants.ts';
import { setOffload } from './ethtool.ts';
import { formatCidr, parseCidr } from './ip.ts';
import type { ConfigureNodePorts, NodePort, Results } from './jobs.ts';
import { getLink, setLinkMac, setLinkMtu, setLinkUp } from './links.ts';
import { ensureNodeRules } from './node-rules.ts';
import { ensureRoute } from './routes.ts';
import type { RouteSocket } from './socket.ts';
import { type InterfaceSysctls, writeInterfaceSysctls, writeSysctl } from './sysctl.ts';

/**
 * Replies leave by another port than requests came in by, so strict reverse-path filtering must not apply; loose (2) wins
 * over a node-wide strict setting, as the kernel takes the larger of both (Documentation/networking/ip-sysctl).
 */
const PORT_SYSCTLS: InterfaceSysctls = {
  ipv4: { rp_filter: 2, forwarding: 1, arp_ignore: 1, arp_announce: 2 },
  ipv6: { accept_ra: 0, accept_dad: 0 },
};

/**
 * Brings the node's own ports (OVS internal ports that exist already) to the given state and sets the node's NAT.
 * Throws ENODEV (class not-found) for a port that OVS has not made yet. Safe to repeat; foreign addresses on our ports go.
 */
export function configureNodePorts(host: RouteSocket, job: ConfigureNodePorts): Results['configureNodePorts'] {
  if (job.forwarding?.ipv4 === true) writeSysctl('ipv4/ip_forward', 1);
  if (job.forwarding?.ipv6 === true) writeSysctl('ipv6/conf/all/forwarding', 1);
  const ports = job.ports.map((port) => ({ name: port.name, ifIndex: configurePort(host, port) }));
  for (const port of job.ports) {
    const link = getLink(host, port.name);
    for (const route of port.routes) ensureRoute(host, link.index, route);
  }
  if (job.masquerade !== undefined) ensureNodeRules(job.masquerade);
  return { ports };
}

function configurePort(host: RouteSocket, port: NodePort): number {
  const link = getLink(host, port.name);
  if (port.mac !== undefined && link.mac !== port.mac.toLowerCase()) setLinkMac(host, link.index, port.mac);
  if (link.mtu !== port.mtu) setLinkMtu(host, link.index, port.mtu);
  if (port.disableTxChecksum === true) setOffload(port.name, 'txChecksum', false);
  writeInterfaceSysctls(port.name, PORT_SYSCTLS);
  if (port.sysctls !== undefined) writeInterfaceSysctls(port.name, port.sysctls);
  ensureAddresses(host, link.index, port.addresses);
  setLinkUp(host, link.index);
  return link.index;
}

/** Strangers go first: the kernel takes an address's neighbours of the same network along with it (promote_secondaries). */
function ensureAddresses(host: RouteSocket, ifIndex: number, addresses: readonly string[]): void {
  const wanted = new Set(addresses.map((cidr) => formatCidr(parseCidr(cidr))));
  for (const { cidr, family } of listAddresses(host, ifIndex)) {
    const linkLocal = family === AF.inet6 && cidr.startsWith('fe80:');
    if (!wanted.has(cidr) && !linkLocal) deleteAddress(host, ifIndex, cidr);
  }
  for (const cidr of wanted) ensureAddress(host, ifIndex, cidr, { noDad: true });
}
