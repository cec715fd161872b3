import { formatAddress, formatCidr, parseAddress, parseCidr } from '../../api/address.ts';
import type { SubnetSpec } from '../../api/types.gen.ts';
import type { FamilyRange } from '../../ipam/ranges.ts';
import { quote } from '../../ipam/ranges.ts';
import type { Ids } from '../../ovn/wanted.ts';
import { isDomain, parseDhcpOptions } from './dhcp-options.ts';

type Spec = Pick<SubnetSpec, 'dhcp' | 'dhcpV4Options' | 'dhcpV6Options' | 'enableDHCP' | 'enableIPv6RA' | 'mtu'>;

/** Where the answers come from and what is said when the subnet names no MTU (bytes; 0 is unknown). */
export type DhcpServer = { readonly mac: string; readonly mtu: number };

/** What guests are told, per family, and what of it was asked for and cannot be told. */
export type DhcpPlan = {
  readonly v4?: Ids;
  readonly v6?: Ids;
  /** `ipv6_ra_configs` of the router port. */
  readonly ra?: Ids;
  readonly problems: readonly string[];
};

const LEASE_SECONDS = 3600;
/** Least MTU of an IPv6 link (RFC 8200 section 5); OVN leaves a smaller one out of advertisements. */
const MIN_IPV6_MTU = 1280;
const MAX_ROUTES = 32;

/** Plans DHCPv4, DHCPv6 and router advertisements of a subnet from its typed fields and raw options, which win. */
export function planDhcp(spec: Spec, ranges: readonly FamilyRange[], server: DhcpServer): DhcpPlan {
  const [v4, v6] = ([4, 6] as const).map((family) => ranges.find(({ cidr }) => cidr.family === family));
  const parsed = sortRoutes(spec, ranges);
  const clean = cleanDhcp(spec.dhcp);
  const raw = {
    4: parseDhcpOptions(spec.dhcpV4Options ?? '', 4),
    6: parseDhcpOptions(spec.dhcpV6Options ?? '', 6),
  };
  const context = { spec: { ...spec, dhcp: clean.dhcp }, server, routes: parsed.routes };
  const serves = spec.enableDHCP === true;
  return {
    ...(serves && v4 ? { v4: new Map([...planV4(context, v4), ...raw[4].options]) } : {}),
    ...(serves && v6 ? { v6: new Map([...planV6(context), ...raw[6].options]) } : {}),
    ...(spec.enableIPv6RA === true && v6 ? { ra: planRa(context) } : {}),
    problems: [...clean.problems, ...parsed.problems, ...raw[4].problems, ...raw[6].problems],
  };
}

type CleanSpec = Omit<Spec, 'dhcp'> & { readonly dhcp: Dhcp };
type Route = { readonly family: 4 | 6; readonly dst: string; readonly gw: string };
type Context = { readonly spec: CleanSpec; readonly server: DhcpServer; readonly routes: readonly Route[] };

function planV4({ spec, server, routes }: Context, { gateway }: FamilyRange): [string, string][] {
  const router = formatAddress({ family: 4, value: gateway });
  const mtu = spec.mtu ?? server.mtu;
  const { dhcp } = spec;
  return [
    ['lease_time', String(dhcp.leaseSeconds ?? LEASE_SECONDS)],
    ['router', router],
    ['server_id', router],
    ['server_mac', server.mac],
    ...(mtu > 0 ? [['mtu', String(mtu)] as [string, string]] : []),
    ...listAddresses('dns_server', dhcp.dnsServers, 4),
    ...listAddresses('ntp_server', dhcp.ntpServers, 4),
    ...(dhcp.domainName === undefined ? [] : [['domain_name', `"${dhcp.domainName}"`] as [string, string]]),
    ...listDomains('domain_search_list', dhcp.searchDomains),
    ...planRoutes(routes, router),
  ];
}

/** Who understands option 121 ignores the router option (RFC 3442): the default route must be among the routes. */
function planRoutes(all: readonly Route[], router: string): [string, string][] {
  const routes = all.filter(({ family }) => family === 4);
  if (routes.length === 0) return [];
  const hasDefault = routes.some(({ dst }) => dst === '0.0.0.0/0');
  const whole = hasDefault ? routes : [...routes, { dst: '0.0.0.0/0', gw: router }];
  return [['classless_static_route', `{${whole.map(({ dst, gw }) => `${dst}, ${gw}`).join(', ')}}`]];
}

function planV6({ spec: { dhcp }, server }: Context): [string, string][] {
  return [
    ['server_id', server.mac],
    ...listAddresses('dns_server', dhcp.dnsServers, 6),
    ...listDomains('domain_search', listSearchDomains(dhcp)),
  ];
}

/**
 * Advertisements never let a guest make its own address: one that is not reserved here would be dropped by port
 * security, or be somebody else's. The address comes by DHCPv6, the routes and the MTU from here.
 */
function planRa({ spec, server, routes }: Context): Ids {
  const mtu = spec.mtu ?? server.mtu;
  const [rdnss] = listAddresses('rdnss', spec.dhcp.dnsServers, 6).map(([, value]) => first(value));
  const domains = listSearchDomains(spec.dhcp)?.join(',');
  const more = routes.filter(({ family }) => family === 6).map(({ dst }) => `MEDIUM-${dst}`);
  return new Map([
    ['address_mode', 'dhcpv6_stateful'],
    ['send_periodic', 'true'],
    ...(mtu >= MIN_IPV6_MTU ? ([['mtu', String(mtu)]] as const) : []),
    ...(rdnss === undefined ? [] : ([['rdnss', rdnss]] as const)),
    ...(domains === undefined ? [] : ([['dnssl', domains]] as const)),
    ...(more.length === 0 ? [] : ([['route_info', more.join(',')]] as const)),
  ]);
}

/** OVN advertises one server only. */
const first = (value: string): string => value.replace(/[{} ]/g, '').split(',')[0] ?? '';

type Dhcp = NonNullable<SubnetSpec['dhcp']>;

function listSearchDomains(dhcp: Dhcp): readonly string[] | undefined {
  if (dhcp.searchDomains?.length) return dhcp.searchDomains;
  return dhcp.domainName === undefined ? undefined : [dhcp.domainName];
}

/** The typed fields without what cannot be said; the schema keeps most of it out, but not in every version of it. */
function cleanDhcp(dhcp: Dhcp = {}): { readonly dhcp: Dhcp; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const keep = (field: string, isGood: (text: string) => boolean) => (text: string) => {
    if (isGood(text)) return true;
    problems.push(`dhcp.${field}: ${quote(text)} cannot be told to guests`);
    return false;
  };
  const isAddress = (text: string) => parseAddress(text) !== undefined;
  const { domainName, leaseSeconds, ...rest } = dhcp;
  const hasLease = leaseSeconds !== undefined && keep('leaseSeconds', isLease)(String(leaseSeconds));
  const cleaned: Dhcp = {
    ...rest,
    dnsServers: (dhcp.dnsServers ?? []).filter(keep('dnsServers', isAddress)),
    ntpServers: (dhcp.ntpServers ?? []).filter(keep('ntpServers', isAddress)),
    searchDomains: (dhcp.searchDomains ?? []).filter(keep('searchDomains', isDomain)),
    ...(domainName !== undefined && keep('domainName', isDomain)(domainName) ? { domainName } : {}),
    ...(hasLease ? { leaseSeconds } : {}),
  };
  return { dhcp: cleaned, problems };
}

const isLease = (text: string): boolean => /^\d+$/.test(text) && Number(text) <= 4_294_967_295;

function listAddresses(name: string, texts: readonly string[] | undefined, family: 4 | 6): [string, string][] {
  const own = (texts ?? []).flatMap((text) => {
    const address = parseAddress(text);
    return address?.family === family ? [formatAddress(address)] : [];
  });
  if (own.length === 0) return [];
  return [[name, own.length === 1 ? (own[0] ?? '') : `{${own.join(', ')}}`]];
}

const listDomains = (name: string, domains: readonly string[] | undefined): [string, string][] =>
  domains?.length ? [[name, `"${domains.join(',')}"`]] : [];

/** The routes that can be told; IPv6 ones only by the advertisements of the subnet's own router (RFC 4191). */
function sortRoutes(spec: Spec, ranges: readonly FamilyRange[]) {
  const routes: Route[] = [];
  const problems: string[] = [];
  for (const { dst, gw } of (spec.dhcp?.routes ?? []).slice(0, MAX_ROUTES)) {
    const route = checkRoute({ dst, gw }, ranges, spec.enableIPv6RA === true);
    if (typeof route === 'string') problems.push(`dhcp.routes: ${quote(dst)} via ${quote(gw)} ${route}`);
    else routes.push(route);
  }
  return { routes, problems };
}

type RawRoute = { readonly dst: string; readonly gw: string };

/** The route in canonical form, or what is wrong with it. */
function checkRoute({ dst, gw }: RawRoute, ranges: readonly FamilyRange[], hasRa: boolean): Route | string {
  const [cidr, address] = [parseCidr(dst), parseAddress(gw)];
  if (cidr === undefined || cidr.hostBits || address?.family !== cidr.family) {
    return 'is not a network and a gateway of one family';
  }
  const { family } = cidr;
  const range = ranges.find((one) => one.cidr.family === family);
  if (range === undefined) return 'is of a family that the subnet does not have';
  const isTold = family === 4 || (hasRa && address.value === range.gateway);
  if (!isTold) return 'needs enableIPv6RA, and the gateway of the subnet';
  return { family, dst: formatCidr(cidr), gw: formatAddress(address) };
}
