import { deleteAddress, ensureAddress, listAddresses } from './addresses.ts';
import { AF, RT } from './constants.ts';
import { setOffload } from './ethtool.ts';
import { formatCidr, maskCidr, parseCidr } from './ip.ts';
import type { ConfigureNodePorts, NodePort, Results } from './jobs.ts';
import { getLink, listLinks, setLinkMac, setLinkMtu, setLinkUp } from './links.ts';
import { ensureNodeRules, type NodeRules } from './node-rules.ts';
import { deleteRoute, ensureRoute, listRoutes, type Route, type RouteSpec } from './routes.ts';
import type { RouteSocket } from './socket.ts';
import { type InterfaceSysctls, readSysctl, writeInterfaceSysctls, writeSysctl } from './sysctl.ts';

/**
 * Replies leave by another port than requests came in by, so strict reverse-path filtering must not apply; loose (2) wins
 * over a node-wide strict setting, as the kernel takes the larger of both (Documentation/networking/ip-sysctl).
 * What guests announce as routers is none for the node.
 */
const PORT_SYSCTLS: InterfaceSysctls = {
  ipv4: { rp_filter: 2, forwarding: 1, arp_ignore: 1, arp_announce: 2 },
  ipv6: { disable_ipv6: 0, accept_ra: 0, accept_redirects: 0, accept_dad: 0 },
};

/**
 * Brings the node's own ports (OVS internal ports that exist already) to the given state and sets the node's rules.
 * Throws ENODEV (class not-found) for a port that OVS has not made yet. Safe to repeat; foreign addresses on our ports go.
 */
export function configureNodePorts(host: RouteSocket, job: ConfigureNodePorts): Results['configureNodePorts'] {
  const { ports, forwarding, rules } = isIpv6Usable() ? job : withoutIpv6(job);
  // Before the ports: no packet of a VPC may find a way open.
  if (rules !== undefined) ensureNodeRules(rules);
  if (forwarding?.ipv4 === true) writeSysctl('ipv4/ip_forward', 1);
  if (forwarding?.ipv6 === true) enableIpv6Forwarding(host);
  const made = ports.map((port) => ({ name: port.name, ifIndex: configurePort(host, port) }));
  const indexes = new Set(made.map(({ ifIndex }) => ifIndex));
  const routes = listRoutes(host);
  const foreign = routes.filter(({ ifIndex, dst }) => !indexes.has(ifIndex ?? 0) && !dst.endsWith('/0'));
  const refused = made.flatMap(({ ifIndex }, index) => {
    const port = ports[index];
    const present = routes.filter((route) => route.ifIndex === ifIndex);
    return port === undefined ? [] : configureRoutes(host, ifIndex, { port, present, foreign });
  });
  return { ports: made, refused };
}

function isIpv6Usable(): boolean {
  return readSysctl('ipv6/conf/all/disable_ipv6') === 0;
}

function withoutIpv6(job: ConfigureNodePorts): ConfigureNodePorts {
  const isV4 = (text: string | undefined) => text?.includes(':') !== true;
  const listV4 = (routes: readonly RouteSpec[] = []) => routes.filter(({ dst, gw }) => isV4(dst) && isV4(gw));
  const ports = job.ports.map((port) => ({
    ...port,
    addresses: port.addresses.filter(isV4),
    routes: listV4(port.routes),
    yieldingRoutes: listV4(port.yieldingRoutes),
  }));
  const keepV4 = (rules: NodeRules): NodeRules => ({
    ...rules,
    sources: rules.sources.filter(isV4),
    routerIps: rules.routerIps.filter(isV4),
  });
  return {
    kind: job.kind,
    ports,
    forwarding: { ...job.forwarding, ipv6: false },
    ...(job.rules === undefined ? {} : { rules: keepV4(job.rules) }),
  };
}

/**
 * A kernel that forwards takes no router advertisements and forgets those it has, unless `accept_ra` is 2
 * (Documentation/networking/ip-sysctl): a node that lives by them would lose its way out.
 */
function enableIpv6Forwarding(host: RouteSocket): void {
  if (readSysctl('ipv6/conf/all/forwarding') === 1) return;
  const advertised = new Set(
    listRoutes(host)
      .filter(({ dst, protocol }) => protocol === RT.protocolRa && dst === '::/0')
      .map(({ ifIndex }) => ifIndex),
  );
  for (const link of listLinks(host)) {
    if (advertised.has(link.index)) writeInterfaceSysctls(link.name, { ipv6: { accept_ra: 2 } });
  }
  writeSysctl('ipv6/conf/all/forwarding', 1);
}

function configurePort(host: RouteSocket, port: NodePort): number {
  const link = getLink(host, port.name);
  if (port.mac !== undefined && link.mac !== port.mac.toLowerCase()) setLinkMac(host, link.index, port.mac);
  if (link.mtu !== port.mtu) setLinkMtu(host, link.index, port.mtu);
  if (port.disableTxChecksum === true) setOffload(port.name, 'txChecksum', false);
  // A kernel that has IPv6 switched off keeps it so.
  const { ipv6, ipv4 } = PORT_SYSCTLS;
  writeInterfaceSysctls(port.name, isIpv6Usable() ? { ipv4: ipv4 ?? {}, ipv6: ipv6 ?? {} } : { ipv4: ipv4 ?? {} });
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

type RouteState = { readonly port: NodePort; readonly present: readonly Route[]; readonly foreign: readonly Route[] };

/** Gives the destinations that were refused. */
function configureRoutes(host: RouteSocket, ifIndex: number, { port, present, foreign }: RouteState): string[] {
  const yielding = port.yieldingRoutes ?? [];
  const refused = yielding.filter(({ dst }) => dst !== undefined && foreign.some((route) => covers(route.dst, dst)));
  const allowed = yielding.filter((route) => !refused.includes(route));
  const wanted = [...port.routes, ...allowed].map((route) => ({ ...route, protocol: RT.protocolMooring }));
  const destinations = new Set(wanted.map(({ dst }) => (dst === undefined ? undefined : canonical(dst))));
  for (const route of present) {
    const isStale = route.protocol === RT.protocolMooring && !destinations.has(route.dst);
    if (isStale) deleteRoute(host, ifIndex, { ...pickKey(route), protocol: RT.protocolMooring });
  }
  for (const route of wanted) ensureRoute(host, ifIndex, route);
  return refused.flatMap(({ dst }) => dst ?? []);
}

const pickKey = ({ dst, gw, priority }: Route): RouteSpec => ({
  dst,
  ...(gw === undefined ? {} : { gw }),
  ...(priority === undefined ? {} : { priority }),
});

const canonical = (cidr: string): string => formatCidr(maskCidr(parseCidr(cidr)));

/** Does the first network hold the whole second one? */
function covers(outer: string, inner: string): boolean {
  const [whole, part] = [parseCidr(outer), parseCidr(inner)];
  if (whole.family !== part.family || whole.prefix > part.prefix) return false;
  return formatCidr(maskCidr({ ...part, prefix: whole.prefix })) === formatCidr(maskCidr(whole));
}
