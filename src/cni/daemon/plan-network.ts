import { containsAddress, formatAddress, formatCidr, parseAddress, parseCidr } from '../../api/address.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { CniError } from './errors.ts';

/** `gw` is missing only where the subnet has no gateway: then the destination is on the link. */
export type Route = { readonly dst: string; readonly gw?: string };
/** `address/prefix` with the gateway of its family, if the subnet has one. */
export type PlannedIp = { readonly cidr: string; readonly gateway?: string };
export type Dns = {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
};

/** What a pod's interface gets, whoever makes it. */
export type NetworkPlan = { readonly ips: readonly PlannedIp[]; readonly routes: readonly Route[]; readonly dns: Dns };

type Cidr = NonNullable<ReturnType<typeof parseCidr>>;
type Network = { readonly cidr: Cidr; readonly gateway: string | undefined };

/**
 * Addresses, routes and DNS of one interface. `spec.routes` of the LogicalPort are all its routes when they are there;
 * without them the first interface has a default route per family, and others have none. Throws CniError `conflict` for
 * an address outside of the subnet, `invalidConfig` for an unusable port, subnet or route.
 */
export function planNetwork(ifname: string, port: LogicalPort, subnet: Subnet): NetworkPlan {
  const networks = parseNetworks(subnet);
  const ips = port.spec.ips.map((text) => planAddress(port, text, networks));
  if (ips.length === 0) throw new CniError('invalidConfig', `LogicalPort ${formatName(port)} has no address`);
  const routes = port.spec.routes?.map((route) => planRoute(port, route, networks));
  const usual = () => (ifname === PRIMARY_INTERFACE ? ips.flatMap(planDefaultRoute) : []);
  return { ips, routes: routes ?? usual(), dns: planDns(subnet) };
}

/**
 * The routes of a link by which KubeVirt's server tells a guest its own (pkg/network/dhcp): the interface's, and beside a
 * default route what the subnet's `dhcp.routes` say for IPv4, so that a guest is told the same by either server. What the link
 * cannot have is left out, as it is of OVN's options.
 */
export function planToldRoutes({ routes }: Pick<NetworkPlan, 'routes'>, subnet: Subnet): readonly Route[] {
  const networks = parseNetworks(subnet);
  const told = (subnet.spec.dhcp?.routes ?? []).slice(0, MAX_TOLD).flatMap(({ dst, gw }): Route[] => {
    const [cidr, address] = [parseCidr(dst), parseAddress(gw)];
    if (cidr?.family !== 4 || cidr.hostBits || address === undefined) return [];
    const isNear = networks.some((network) => containsAddress(network.cidr, address));
    return isNear ? [{ dst: formatCidr(cidr), gw: formatAddress(address) }] : [];
  });
  if (!routes.some(({ dst }) => dst === DEFAULT_ROUTE)) return routes;
  const kept = routes.filter(({ dst }) => !told.some((route) => route.dst === dst));
  // KubeVirt takes the next hop of the first route for the router; the kernel lists the default route first.
  return [...kept, ...told];
}

/** As many as OVN's options take. */
const MAX_TOLD = 32;
const DEFAULT_ROUTE = '0.0.0.0/0';

/** `ns/name`, for messages. */
export function formatName(port: LogicalPort): string {
  return `${port.metadata.namespace}/${port.metadata.name}`;
}

function parseNetworks(subnet: Subnet): Network[] {
  const gateways = (subnet.spec.gateway ?? '').split(',').map((text) => parseAddress(text.trim()));
  return subnet.spec.cidrBlock.split(',').map((text) => {
    const cidr = parseCidr(text.trim());
    if (cidr === undefined) {
      throw new CniError('invalidConfig', `Subnet ${subnet.metadata.name}: cidrBlock ${text} is not a network`);
    }
    const given = gateways.find((address) => address !== undefined && containsAddress(cidr, address));
    const first = { family: cidr.family, value: cidr.network + 1n };
    const gateway = given ?? (containsAddress(cidr, first) ? first : undefined);
    return { cidr, gateway: gateway === undefined ? undefined : formatAddress(gateway) };
  });
}

function planAddress(port: LogicalPort, text: string, networks: readonly Network[]): PlannedIp {
  const address = parseAddress(text);
  const network = networks.find(({ cidr }) => address !== undefined && containsAddress(cidr, address));
  if (address === undefined || network === undefined) {
    const where = networks.map(({ cidr }) => formatCidr(cidr)).join(', ');
    throw new CniError(
      'conflict',
      `LogicalPort ${formatName(port)}: address ${text} is not in subnet ${port.spec.subnet} (${where})`,
    );
  }
  const cidr = `${formatAddress(address)}/${network.cidr.prefix}`;
  return network.gateway === undefined ? { cidr } : { cidr, gateway: network.gateway };
}

function planDefaultRoute(ip: PlannedIp): Route[] {
  if (ip.gateway === undefined) return [];
  return [{ dst: ip.cidr.includes(':') ? '::/0' : '0.0.0.0/0', gw: ip.gateway }];
}

/** A next hop must be on the subnet, or the kernel would refuse the route when half of the interface is made. */
function planRoute(port: LogicalPort, route: { dst: string; gw?: string }, networks: readonly Network[]): Route {
  const wrong = (what: string) =>
    new CniError('invalidConfig', `LogicalPort ${formatName(port)}: route to ${route.dst}: ${what}`);
  const dst = parseCidr(route.dst.includes('/') ? route.dst : `${route.dst}/${route.dst.includes(':') ? 128 : 32}`);
  if (dst === undefined) throw wrong('this is no destination');
  if (route.gw === undefined) {
    const gateway = networks.find(({ cidr }) => cidr.family === dst.family)?.gateway;
    return gateway === undefined ? { dst: formatCidr(dst) } : { dst: formatCidr(dst), gw: gateway };
  }
  const gw = parseAddress(route.gw);
  if (gw === undefined || gw.family !== dst.family) throw wrong(`${route.gw} is no gateway of its family`);
  if (!networks.some(({ cidr }) => containsAddress(cidr, gw))) {
    throw wrong(`the gateway ${route.gw} is not in subnet ${port.spec.subnet}; correct the annotation "routes"`);
  }
  return { dst: formatCidr(dst), gw: formatAddress(gw) };
}

/** What DHCP would tell a guest of the subnet. Runtimes leave a pod's resolv.conf to the kubelet; Multus shows it. */
function planDns({ spec }: Subnet): Dns {
  const { dnsServers, domainName, searchDomains } = spec.dhcp ?? {};
  return {
    ...(dnsServers?.length ? { nameservers: dnsServers } : {}),
    ...(domainName === undefined ? {} : { domain: domainName }),
    ...(searchDomains?.length ? { search: searchDomains } : {}),
  };
}
