import { ensureAddress, listAddresses } from './addresses.ts';
import { type Announcement, sendAnnouncement } from './announce.ts';
import { fromCode } from './errors.ts';
import { setOffload } from './ethtool.ts';
import { ensureGate } from './gate.ts';
import { formatCidr, formatIp, maskCidr, parseCidr, parseIp, parseMac } from './ip.ts';
import type { AttachVeth, CheckVeth, Results } from './jobs.ts';
import { createVethPair, deleteIfPresent, findLink, getLink, type Link, setLinkAlias, setLinkUp } from './links.ts';
import { closeNetns, type Netns, openNetns, refuseOwnNetns, withNetns } from './netns.ts';
import { encodeRoute, ensureRoute, listRoutes, type RouteSpec } from './routes.ts';
import { openRouteSocket, openRouteSocketIn, type RouteSocket } from './socket.ts';
import { type InterfaceSysctls, writeInterfaceSysctls, writeSysctl } from './sysctl.ts';

/** The pod's end takes its addresses from us alone and is ready at once. */
const PEER_SYSCTLS: InterfaceSysctls = { ipv6: { accept_ra: 0, accept_dad: 0, dad_transmits: 0 } };
/** nf_conntrack-sysctl.rst, per namespace. */
const LIBERAL_TRACKING = 'netfilter/nf_conntrack_tcp_be_liberal';
/** 1: every entry tells of its changes; 2, the default: those only that began while somebody listened (nf_conntrack-sysctl). */
const TRACKING_EVENTS = 'netfilter/nf_conntrack_events';
/**
 * For links made from now on. A bridge whose link-local address is still being checked, two seconds from the moment in which
 * QEMU opens its tap, cannot ask for the guest by neighbour discovery: a migration that is faster would be deaf on IPv6.
 */
const NEW_LINKS_CHECK = 'ipv6/conf/default/accept_dad';
/**
 * The host's end belongs to OVS. With the userspace datapath the host's own stack hears its frames too: it must neither
 * answer, nor route, nor take a router advertisement from a tenant.
 */
const HOST_SYSCTLS: InterfaceSysctls = {
  ipv4: { arp_ignore: 8, forwarding: 0, rp_filter: 1 },
  ipv6: { disable_ipv6: 1 },
};

/**
 * Makes a veth with its peer inside the pod's namespace, configured and up. Undoes itself when a later step fails.
 * Throws EEXIST when either name is taken, EHOSTNETNS for the host's namespace, ENOENT when the namespace is gone.
 */
export function attachVeth(host: RouteSocket, job: AttachVeth): Results['attachVeth'] {
  checkAttach(job);
  const netns = openNetns(job.netnsPath);
  try {
    refuseOwnNetns(netns);
    createPair(host, job, netns);
    try {
      return configurePair(host, job, netns);
    } catch (error) {
      undo(host, job.hostName, error);
      throw error;
    }
  } finally {
    closeNetns(netns);
  }
}

/** Everything that can be known to be wrong before the first change is made. */
function checkAttach(job: AttachVeth): void {
  parseMac(job.mac);
  for (const cidr of job.addresses) parseCidr(cidr);
  for (const route of job.routes) encodeRoute(0, route);
  if (job.expectHostNetnsDifferent !== true) throw fromCode('EINVAL', 'expectHostNetnsDifferent must be true');
  if (job.gate !== undefined && job.announce === true)
    throw fromCode('EINVAL', 'a gated port is announced by its guest');
}

function createPair(host: RouteSocket, job: AttachVeth, netns: Netns): void {
  const { hostName, peerName, mac, mtu, hostMac } = job;
  createVethPair(host, {
    hostName,
    peerName,
    peerNetnsFd: netns.fd,
    peerMac: mac,
    mtu,
    ...(hostMac === undefined ? {} : { hostMac }),
  });
}

/** A failed undo is told with the first error, never instead of it. */
function undo(host: RouteSocket, hostName: string, cause: unknown): void {
  try {
    deleteIfPresent(host, hostName);
  } catch (error) {
    if (cause instanceof Error) cause.message += `; and deleting ${hostName} failed: ${String(error)}`;
  }
}

function configurePair(host: RouteSocket, job: AttachVeth, netns: Netns): Results['attachVeth'] {
  const hostIfIndex = getLink(host, job.hostName).index;
  if (job.alias !== undefined) setLinkAlias(host, hostIfIndex, job.alias);
  if (job.gate !== undefined) ensureGate(netns, { interface: job.peerName, binding: job.gate.binding });
  if (job.disableTxChecksum === true) setOffload(job.hostName, 'txChecksum', false);
  writeInterfaceSysctls(job.hostName, HOST_SYSCTLS);
  withNetns(netns, () => {
    if (job.disableTxChecksum === true) setOffload(job.peerName, 'txChecksum', false);
    writeInterfaceSysctls(job.peerName, PEER_SYSCTLS);
    if (job.trackForMigration === true)
      for (const setting of [LIBERAL_TRACKING, TRACKING_EVENTS]) writeSysctl(setting, 1);
    if (job.gate?.binding === 'masquerade') writeSysctl(NEW_LINKS_CHECK, 0);
  });
  const peer = openRouteSocketIn(netns);
  try {
    const peerIfIndex = getLink(peer, job.peerName).index;
    for (const cidr of job.addresses) ensureAddress(peer, peerIfIndex, cidr, { noDad: true });
    setLinkUp(host, hostIfIndex);
    setLinkUp(peer, peerIfIndex);
    for (const route of job.routes) ensureRoute(peer, peerIfIndex, route);
    if (job.announce === true) announce(netns, planPeerAnnouncement(job, peerIfIndex));
    return { hostIfIndex, peerIfIndex, netnsId: netns.id };
  } finally {
    peer.close();
  }
}

function planPeerAnnouncement(job: AttachVeth, ifIndex: number): Announcement {
  return { ifIndex, mac: job.mac, ips: job.addresses.map((cidr) => formatIp(parseCidr(cidr).bytes)) };
}

function announce(netns: Netns, announcement: Announcement): void {
  withNetns(netns, () => sendAnnouncement(announcement));
}

/** Compares a veth with what it should be; the answer lists every difference in words. */
export function checkVeth(host: RouteSocket, job: CheckVeth): Results['checkVeth'] {
  const link = findLink(host, job.hostName);
  if (link === undefined) return { problems: [`${job.hostName} is missing on the node`] };
  const problems = link.up ? [] : [`${job.hostName} is down`];
  if (job.netnsPath === undefined || job.peerName === undefined) return { problems };
  const peer = openRouteSocket(job.netnsPath);
  try {
    const mtu = findLink(peer, job.peerName)?.mtu;
    return { problems: [...problems, ...checkPeer(peer, job, job.peerName)], ...(mtu === undefined ? {} : { mtu }) };
  } finally {
    peer.close();
  }
}

function checkPeer(peer: RouteSocket, job: CheckVeth, name: string): string[] {
  const link = findLink(peer, name);
  if (link === undefined) return [`${name} is missing in the pod`];
  return [...compareLink(link, job), ...compareAddresses(peer, link, job), ...compareRoutes(peer, link, job)];
}

function compareLink(link: Link, job: CheckVeth): string[] {
  const problems = link.up ? [] : [`${link.name} is down`];
  if (job.mac !== undefined && link.mac !== job.mac.toLowerCase()) problems.push(`${link.name} has MAC ${link.mac}`);
  if (job.mtu !== undefined && link.mtu !== job.mtu) problems.push(`${link.name} has MTU ${link.mtu}`);
  return problems;
}

function compareAddresses(peer: RouteSocket, link: Link, job: CheckVeth): string[] {
  const wanted = (job.addresses ?? []).map((cidr) => formatCidr(parseCidr(cidr)));
  if (wanted.length === 0) return [];
  const found = new Set(listAddresses(peer, link.index).map((address) => address.cidr));
  return wanted.filter((cidr) => !found.has(cidr)).map((cidr) => `${link.name} lacks address ${cidr}`);
}

function compareRoutes(peer: RouteSocket, link: Link, job: CheckVeth): string[] {
  const wanted = job.routes ?? [];
  if (wanted.length === 0) return [];
  // Whoever sorts routes into tables of their own, as the plugin sbr does, has not taken them away.
  const found = listRoutes(peer, link.index, 'any');
  // `default-route` of another network takes the way out elsewhere, ours goes then.
  const moved = listRoutes(peer)
    .filter(({ dst, ifIndex }) => dst.endsWith('/0') && ifIndex !== link.index)
    .map(({ dst }) => dst);
  const matches = (route: RouteSpec): boolean =>
    found.some((entry) => entry.dst === describeDestination(route) && entry.gw === canonicalIp(route.gw)) ||
    moved.includes(describeDestination(route));
  return wanted
    .filter((route) => !matches(route))
    .map((route) => `${link.name} lacks route ${describeDestination(route)} via ${route.gw ?? 'link'}`);
}

function describeDestination(route: RouteSpec): string {
  if (route.dst !== undefined) return formatCidr(maskCidr(parseCidr(route.dst)));
  return route.gw?.includes(':') === true ? '::/0' : '0.0.0.0/0';
}

function canonicalIp(ip: string | undefined): string | undefined {
  return ip === undefined ? undefined : formatIp(parseIp(ip).bytes);
}
