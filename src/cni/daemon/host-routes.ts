import { containsAddress, formatAddress, parseAddress, parseCidr } from '../../api/address.ts';
import type { NodeNetwork } from '../../api/node-network.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';

/** A route of the node to one local pod of a VPC other than the default one. */
export type HostRoute = { readonly dst: string; readonly gw: string; readonly port: LogicalPort };

export type HostRoutes = {
  readonly routes: readonly HostRoute[];
  /** Ports whose address leads elsewhere already: to an older port of another VPC. */
  readonly rivals: readonly { readonly port: LogicalPort; readonly ip: string; readonly older: LogicalPort }[];
  /** Ports whose address the node itself needs for somebody else. */
  readonly reserved: readonly { readonly port: LogicalPort; readonly ip: string }[];
};

export type HostRouteInput = {
  readonly node: string;
  readonly network: NodeNetwork;
  readonly ports: readonly LogicalPort[];
  readonly findSubnet: (name: string) => Subnet | undefined;
  /** Addresses that the node depends on and may reach by its default route alone, which a host route would beat. */
  readonly reserved?: readonly string[];
};

/** Of the link or the machine itself, among them where clouds tell a node who it is (RFC 3927, RFC 4291, RFC 5771). */
const LOCAL = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '::1/128', 'fe80::/10', 'ff00::/8'];

/**
 * Host routes by which the node itself, and so the kubelet's probes, reach the local pods of other VPCs, though several
 * VPCs may use the same addresses. None for an address that the default VPC or the join network covers, nor for one that
 * the node depends on. Pure.
 */
export function planHostRoutes(input: HostRouteInput): HostRoutes {
  const candidates = listCandidates(input);
  const isReserved = createReserved(candidates.length === 0 ? [] : [...LOCAL, ...(input.reserved ?? [])]);
  const covered = [...input.network.podCidrs, ...input.network.nodeIps].flatMap((text) => parseCidr(text) ?? []);
  const isReachable = (ip: string) => {
    const address = parseAddress(ip);
    return address !== undefined && !covered.some((cidr) => containsAddress(cidr, address));
  };
  const routes = new Map<string, HostRoute>();
  const rivals: HostRoutes['rivals'][number][] = [];
  for (const route of candidates.filter(({ ip }) => isReachable(ip) && !isReserved(ip))) {
    const { dst, gw, port, ip } = route;
    const older = routes.get(dst);
    if (older === undefined) routes.set(dst, { dst, gw, port });
    else if (older.gw !== gw) rivals.push({ port, ip, older: older.port });
  }
  const reserved = candidates.filter(({ ip }) => isReserved(ip)).map(({ ip, port }) => ({ ip, port }));
  return { routes: [...routes.values()].sort((a, b) => (a.dst < b.dst ? -1 : 1)), rivals, reserved };
}

/** Of addresses and networks; what is neither, such as the name of a host, reserves nothing. */
function createReserved(texts: readonly string[]): (ip: string) => boolean {
  const networks = texts.flatMap((text) => parseCidr(text) ?? []);
  const addresses = new Set(texts.flatMap((text) => canonical(text) ?? []));
  return (ip) => {
    const address = parseAddress(ip);
    if (address === undefined) return true;
    return addresses.has(formatAddress(address)) || networks.some((network) => containsAddress(network, address));
  };
}

function canonical(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** Every address of a local pod whose VPC has a router of that family on the join network, oldest port first. */
function listCandidates({ node, network, ports, findSubnet }: HostRouteInput): (HostRoute & { readonly ip: string })[] {
  // Asked at every change of a pod; most clusters have the default VPC alone.
  if (network.vpcs.length === 0) return [];
  const routers = new Map(network.vpcs.map(({ name, routerIps }) => [name, routerIps]));
  const local = ports.filter((port) => isPrimaryHere(port, node)).sort(compareAge);
  return local.flatMap((port) => {
    const routerIps = routers.get(findSubnet(port.spec.subnet)?.spec.vpc ?? '') ?? [];
    return port.spec.ips.flatMap((ip) => {
      const isV6 = ip.includes(':');
      const gw = routerIps.find((router) => router.includes(':') === isV6);
      return gw === undefined ? [] : [{ ip, dst: `${ip}/${isV6 ? 128 : 32}`, gw, port }];
    });
  });
}

function isPrimaryHere(port: LogicalPort, node: string): boolean {
  if (port.spec.ips.length === 0) return false;
  const attachments = port.spec.attachments ?? [];
  return attachments.some((attachment) => attachment.node === node && attachment.interface === PRIMARY_INTERFACE);
}

/** `<namespace>/<name>`. */
export const formatPortName = ({ metadata }: LogicalPort): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function compareAge(a: LogicalPort, b: LogicalPort): number {
  const [left, right] = [a, b].map((port) => `${port.metadata.creationTimestamp ?? '9'} ${formatPortName(port)}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
