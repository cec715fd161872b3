import { formatAddress, formatCidr, parseAddress, parseCidr } from '../../api/address.ts';
import type { NetworkConfig, NicConfig, NicRoute } from '../../api/network-config.ts';
import type { LogicalPort, Subnet, SubnetSpec } from '../../api/types.gen.ts';
import { type FamilyRange, planRanges } from '../../ipam/ranges.ts';
import { isDomain } from '../networks/dhcp-options.ts';

/** parseNetworkConfig takes no more. */
const MAX = { dns: 8, search: 16, routes: 64 } as const;

/**
 * What the guest of a machine is told of its NICs when it is configured without DHCP: each port's own addresses and routes,
 * and what its Subnet's typed `dhcp` fields would say; raw options, which only OVN reads, are left out. Ports that have no address
 * yet, whose Subnet is not there or cannot be read, or that another port has the right to, are left out; of two ports of
 * one NIC the first counts. `mtu` is for Subnets that name none, in bytes; 0 is unknown.
 */
export function planNetworkConfig(
  ports: readonly LogicalPort[],
  findSubnet: (name: string) => Subnet | undefined,
  mtu: number,
): NetworkConfig {
  const nics = new Map<string, NicConfig>();
  for (const port of ports) {
    const subnet = findSubnet(port.spec.subnet);
    const nic = subnet && planNic(port, subnet.spec, mtu);
    if (nic !== undefined && !nics.has(nic.name)) nics.set(nic.name, nic);
  }
  return { nics: [...nics.values()] };
}

function planNic({ spec, status }: LogicalPort, subnet: SubnetSpec, mtu: number): NicConfig | undefined {
  const ranges = planRanges(subnet);
  if (!ranges.ok || spec.mac === '' || status?.phase === 'Conflict') return undefined;
  const ips = ranges.value.flatMap((range) => findAddress(spec.ips, range));
  if (ips.length === 0) return undefined;
  const families = ranges.value.filter(({ cidr }) => ips.some((ip) => parseCidr(ip)?.family === cidr.family));
  return { name: spec.nic, mac: spec.mac, ips, ...planWays(spec, subnet, families), ...planMtu(subnet.mtu ?? mtu) };
}

const planMtu = (bytes: number): Pick<NicConfig, 'mtu'> => (bytes > 0 ? { mtu: bytes } : {});

/** Where the guest sends what is not its own, and whom it asks for names. */
function planWays(
  spec: LogicalPort['spec'],
  subnet: SubnetSpec,
  families: readonly FamilyRange[],
): Pick<NicConfig, 'gateways' | 'dns' | 'search' | 'routes'> {
  const routes = listRoutes(spec.routes ?? subnet.dhcp?.routes ?? [], families);
  return {
    gateways: families.flatMap((range) => findGateway(range, routes) ?? (spec.routes ? [] : formatGateway(range))),
    dns: listTexts(subnet.dhcp?.dnsServers, (text) => parseAddress(text) !== undefined, MAX.dns),
    search: listTexts(listDomains(subnet), isDomain, MAX.search),
    routes: routes.filter(({ dst }) => !isAnywhere(dst)),
  };
}

/** The port's address of the range's family, with the prefix of the range. */
function findAddress(ips: readonly string[], { cidr }: FamilyRange): string[] {
  const address = ips.flatMap((ip) => parseAddress(ip) ?? []).find(({ family }) => family === cidr.family);
  return address === undefined ? [] : [`${formatAddress(address)}/${cidr.prefix}`];
}

const isAnywhere = (dst: string): boolean => dst.endsWith('/0');

const formatGateway = ({ cidr, gateway }: FamilyRange): string =>
  formatAddress({ family: cidr.family, value: gateway });

/** A default route among the routes stands for the subnet's gateway, as in DHCP (RFC 3442). */
function findGateway({ cidr }: FamilyRange, routes: readonly NicRoute[]): string | undefined {
  return routes.find(({ dst }) => isAnywhere(dst) && parseCidr(dst)?.family === cidr.family)?.gw;
}

type RawRoute = { readonly dst: string; readonly gw?: string };

/** Routes of the families that there are, in canonical form; one without `gw` goes to the subnet's gateway. */
function listRoutes(raw: readonly RawRoute[], ranges: readonly FamilyRange[]): NicRoute[] {
  const routes = raw.flatMap(({ dst, gw }) => {
    const cidr = parseCidr(dst);
    const range = ranges.find((one) => one.cidr.family === cidr?.family);
    if (cidr === undefined || cidr.hostBits || range === undefined) return [];
    const address = parseAddress(gw ?? formatGateway(range));
    return address?.family === cidr.family ? [{ dst: formatCidr(cidr), gw: formatAddress(address) }] : [];
  });
  return routes.slice(0, MAX.routes);
}

function listDomains({ dhcp }: SubnetSpec): readonly string[] | undefined {
  if (dhcp?.searchDomains?.length) return dhcp.searchDomains;
  return dhcp?.domainName === undefined ? [] : [dhcp.domainName];
}

const listTexts = (texts: readonly string[] | undefined, isGood: (text: string) => boolean, most: number): string[] =>
  (texts ?? []).filter(isGood).slice(0, most);
