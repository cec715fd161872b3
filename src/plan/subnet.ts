import { type Cidr, formatAddress, formatCidr, overlaps } from '../api/address.ts';
import { formatRouterLspName, formatRouterName, formatRouterPortName, formatSwitchName } from '../api/names.ts';
import { formatExternalIds } from '../api/owner.ts';
import type { Problem, Result } from '../api/problem.ts';
import type { Subnet, SubnetSpec } from '../api/types.gen.ts';
import { planRanges, type SubnetRanges } from '../ipam/ranges.ts';
import { parseAllowed, planPrivateAcls } from './acl.ts';
import { type DhcpPlan, planDhcp } from './dhcp.ts';
import { type ActiveGateway, parseGatewayNodes, planGatewayPolicies, planInsidePolicies } from './gateway.ts';
import { isOvnProvider } from './provider.ts';
import { createRangeIndex, type RangeIndex } from './range-index.ts';
import { NOTHING, type Wanted, type WantedDhcpOptions } from './rows.ts';
import { deriveMac, type Settings } from './settings.ts';
import { listNotes } from './subnet-notes.ts';

/** What becomes of one Subnet: usable with its ranges, or a problem that its Ready condition tells. */
export type SubnetPlan = {
  readonly name: string;
  readonly vpc: string;
  readonly usable: boolean;
  readonly ranges: SubnetRanges;
  readonly natOutgoing: boolean;
  readonly dhcp: boolean;
  /** The NICs are ours and the subnet has rows in OVN; false where another CNI makes them and we only give addresses. */
  readonly ovn: boolean;
  /** Nodes that may carry the traffic out, best first; none when each node carries its own. */
  readonly gateways: readonly string[];
  /** A subnet of this VPC is centralized, so that what stays inside the VPC needs a policy. */
  readonly guarded: boolean;
  /** Who beside the subnet itself and the nodes may begin connections into it; undefined when everybody may. */
  readonly allowed?: readonly Cidr[];
  /** What of the spec has no effect, in words. */
  readonly notes: readonly string[];
  readonly problem?: Problem;
  /** Something that was asked for is not there, although the subnet is usable. */
  readonly warning?: Problem;
};

/** Compares Subnets: of two that claim the same range the older one has it; names decide between twins. */
export function compareAge(a: Pick<Subnet, 'metadata'>, b: Pick<Subnet, 'metadata'>): number {
  const [left, right] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp ?? '9'} ${metadata.namespace ?? ''} ${metadata.name}`,
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** Takes the ranges that are in use together: those of one VPC, or those of one network that is not ours. */
type Claims = { readonly domains: Map<string, RangeIndex>; readonly settings: Settings };

/**
 * Judges all Subnets together, oldest first: each by itself, then against those of the same network. `vpcs` are the
 * names of the Vpc objects; the default VPC needs none. Takes a time in proportion to the number of Subnets.
 */
export function planSubnets(
  subnets: readonly Subnet[],
  settings: Settings,
  vpcs: ReadonlySet<string>,
): ReadonlyMap<string, SubnetPlan> {
  const claims: Claims = { domains: new Map(), settings };
  const plans = subnets.toSorted(compareAge).map((subnet) => planOne(subnet, claims, vpcs));
  const guarded = new Set(plans.filter(({ usable, gateways }) => usable && gateways.length > 0).map(({ vpc }) => vpc));
  const ownRanges = claims.domains.get(formatDomain(settings.defaultVpc, undefined));
  return new Map(plans.map((plan) => [plan.name, finish(plan, guarded, { ownRanges, settings })]));
}

const formatDomain = (vpc: string, provider: string | undefined): string =>
  isOvnProvider(provider) ? `vpc/${vpc}` : `provider/${provider}`;

function planOne(subnet: Subnet, claims: Claims, vpcs: ReadonlySet<string>): SubnetPlan {
  const { spec, metadata } = subnet;
  const { defaultVpc } = claims.settings;
  const vpc = spec.vpc ?? defaultVpc;
  const ovn = isOvnProvider(spec.provider);
  const isDefaultVpc = vpc === defaultVpc;
  const planned = planRanges(spec);
  const ranges = planned.ok ? planned.value : [];
  const hasV6 = ranges.some(({ cidr }) => cidr.family === 6);
  const plan = {
    name: metadata.name,
    vpc,
    ovn,
    natOutgoing: ovn && isDefaultVpc && spec.natOutgoing !== false,
    dhcp: ovn && spec.enableDHCP === true,
    guarded: false,
    notes: listNotes(spec, { isDefaultVpc, hasV6 }),
  };
  const parts = parseParts(spec, ovn && isDefaultVpc, ovn);
  const missing = ovn && !isDefaultVpc && !vpcs.has(vpc) ? formatMissing(vpc) : undefined;
  const problem =
    (planned.ok ? undefined : planned.problem) ??
    missing ??
    parts.problem ??
    checkMtu(spec, hasV6) ??
    claimRanges(claims, subnet, ranges);
  if (problem !== undefined) return { ...plan, usable: false, ranges, gateways: [], problem };
  return { ...plan, usable: true, ranges, ...parts.value };
}

const formatMissing = (vpc: string): Problem => ({
  reason: 'VpcNotFound',
  message: `VPC ${JSON.stringify(vpc)} does not exist; create it, or name another one`,
});

type Parts = { readonly gateways: readonly string[]; readonly allowed?: readonly Cidr[]; readonly notes?: string[] };

/** The parts of the spec that have a grammar of their own. */
function parseParts(spec: SubnetSpec, canLeave: boolean, ovn: boolean): { value: Parts; problem?: Problem } {
  const centralized = canLeave && spec.gatewayType === 'centralized';
  const gateways = centralized ? parseGatewayNodes(spec.gatewayNode ?? '') : undefined;
  const allowed = ovn && spec.private === true ? parseAllowed(spec.allowSubnets ?? []) : undefined;
  const problem = findProblem([gateways, allowed]);
  const value: Parts = {
    gateways: gateways?.ok ? gateways.value.map(({ node }) => node) : [],
    ...(allowed?.ok ? { allowed: allowed.value } : {}),
  };
  return problem === undefined ? { value } : { value, problem };
}

function findProblem(results: readonly (Result<unknown> | undefined)[]): Problem | undefined {
  for (const result of results) if (result?.ok === false) return result.problem;
  return undefined;
}

/** Linux takes IPv6 away from a link that cannot carry 1280 bytes (RFC 8200 section 5). */
function checkMtu({ mtu }: SubnetSpec, hasV6: boolean): Problem | undefined {
  if (mtu === undefined) return undefined;
  const least = hasV6 ? 1280 : 576;
  if (mtu >= least && mtu <= 65_535) return undefined;
  return { reason: 'InvalidMTU', message: `mtu ${mtu} is not between ${least}${hasV6 ? ', for IPv6,' : ''} and 65535` };
}

/** Takes the ranges for the subnet unless somebody has one of them. Problem: CIDROverlap. */
function claimRanges({ domains, settings }: Claims, subnet: Subnet, ranges: SubnetRanges): Problem | undefined {
  const { provider, vpc = settings.defaultVpc } = subnet.spec;
  const ovn = isOvnProvider(provider);
  const domain = formatDomain(vpc, provider);
  const index = domains.get(domain) ?? createRangeIndex();
  domains.set(domain, index);
  for (const { cidr } of ranges) {
    const joined = settings.join.find((family) => overlaps(cidr, family.cidr));
    if (ovn && vpc === settings.defaultVpc && joined !== undefined) {
      const message = `${formatCidr(cidr)} overlaps the join network ${formatCidr(joined.cidr)}`;
      return { reason: 'CIDROverlap', message };
    }
    const other = index.find(cidr);
    if (other !== undefined) {
      const where = ovn ? `of VPC ${vpc}` : `of provider ${provider}`;
      return { reason: 'CIDROverlap', message: `${formatCidr(cidr)} overlaps subnet ${other} ${where}` };
    }
  }
  for (const { cidr } of ranges) index.add(cidr, subnet.metadata.name);
  return undefined;
}

type Whole = { readonly ownRanges: RangeIndex | undefined; readonly settings: Settings };

/** What can only be said when all subnets are known. */
function finish(plan: SubnetPlan, guarded: ReadonlySet<string>, { ownRanges, settings }: Whole): SubnetPlan {
  const { usable, ovn, vpc, ranges } = plan;
  if (!usable || !ovn) return plan;
  if (vpc === settings.defaultVpc) return { ...plan, guarded: guarded.has(vpc) };
  for (const { cidr } of ranges) {
    const joined = settings.join.some((family) => overlaps(cidr, family.cidr));
    const other = joined ? 'the join network' : ownRanges?.find(cidr);
    if (other === undefined) continue;
    const message = `${formatCidr(cidr)} overlaps ${joined ? other : `subnet ${other} of the default VPC`}: kubelets cannot probe pods there`;
    return { ...plan, warning: { reason: 'NotReachableFromNodes', message } };
  }
  return plan;
}

/** The MAC of the router on a subnet, which no port of it may have. */
export const deriveRouterMac = (vpc: string, subnet: string): string => deriveMac(formatRouterPortName(vpc, subnet));

/** Name of a subnet's DHCP_Options row of one family. */
export const formatDhcpRow = (subnet: string, family: 4 | 6): string => `subnet/${subnet}/v${family}`;

/** What guests of the subnet are told. */
export function planSubnetDhcp({ spec }: Subnet, { name, vpc, ranges, ovn }: SubnetPlan, settings: Settings): DhcpPlan {
  if (!ovn) return { problems: [] };
  return planDhcp(spec, ranges, { mac: deriveRouterMac(vpc, name), mtu: settings.mtu });
}

/**
 * The rows of a usable subnet: switch, router port with its cable, what guests are told by DHCP and advertisements, the
 * ACLs of a private one and the policies for the way out. One whose NICs are not ours has none.
 */
export function planSubnetRows(
  subnet: Subnet,
  plan: SubnetPlan,
  settings: Settings,
  active: ActiveGateway | undefined,
): Wanted {
  if (!plan.usable || !plan.ovn) return NOTHING;
  const { name, vpc, ranges } = plan;
  const owner = { kind: 'Subnet', name, uid: subnet.metadata.uid ?? '' };
  const externalIds = formatExternalIds(settings.cluster, owner);
  const portName = formatRouterPortName(vpc, name);
  const format = (family: 4 | 6, value: bigint) => formatAddress({ family, value });
  const dhcp = planSubnetDhcp(subnet, plan, settings);
  const place = { subnet: name, vpc, ranges, join: settings.join, externalIds };
  const admitted = [...ranges, ...settings.join].map(({ cidr }) => cidr);
  return {
    ...NOTHING,
    switches: [{ name: formatSwitchName(name), externalIds }],
    routerPorts: [
      {
        router: formatRouterName(vpc),
        name: portName,
        mac: deriveRouterMac(vpc, name),
        networks: ranges.map(({ cidr, gateway }) => `${format(cidr.family, gateway)}/${cidr.prefix}`),
        ...(dhcp.ra === undefined ? {} : { ipv6RaConfigs: dhcp.ra }),
        externalIds,
      },
    ],
    ports: [
      {
        switch: formatSwitchName(name),
        name: formatRouterLspName(vpc, name),
        type: 'router',
        addresses: ['router'],
        portSecurity: [],
        options: new Map([['router-port', portName]]),
        externalIds,
      },
    ],
    acls:
      plan.allowed === undefined
        ? []
        : planPrivateAcls({ subnet: name, vpc, admitted: [...admitted, ...plan.allowed], externalIds }),
    policies: [
      ...(plan.guarded ? planInsidePolicies(place) : []),
      ...(plan.gateways.length > 0 ? planGatewayPolicies(place, active) : []),
    ],
    dhcpOptions: planDhcpRows(subnet, plan, dhcp, settings),
  };
}

function planDhcpRows(subnet: Subnet, plan: SubnetPlan, dhcp: DhcpPlan, settings: Settings): WantedDhcpOptions[] {
  const owner = { kind: 'Subnet', name: plan.name, uid: subnet.metadata.uid ?? '' };
  return plan.ranges.flatMap(({ cidr }) => {
    const options = cidr.family === 4 ? dhcp.v4 : dhcp.v6;
    if (options === undefined) return [];
    const row = formatDhcpRow(plan.name, cidr.family);
    return [{ row, cidr: formatCidr(cidr), options, externalIds: formatExternalIds(settings.cluster, owner, row) }];
  });
}
