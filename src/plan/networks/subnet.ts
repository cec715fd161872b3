import { type Cidr, formatCidr, overlaps } from '../../api/address.ts';
import { formatRouterPortName } from '../../api/names.ts';
import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import type { Subnet, SubnetSpec } from '../../api/types.gen.ts';
import { type FamilyRange, planRanges, quote, type SubnetRanges } from '../../ipam/ranges.ts';
import { deriveMac, type Settings } from '../settings.ts';
import { parseAllowed } from './acl.ts';
import { type GatewayEntry, parseGatewayNodes } from './gateway.ts';
import { excludeNodes, NO_NODES, type NodeAddresses, warnOfNodes } from './node-addresses.ts';
import { isOvnProvider } from './provider.ts';
import { createRangeIndex, type RangeIndex } from './range-index.ts';
import { listNotes } from './subnet-notes.ts';

/** What becomes of one Subnet: usable with its ranges, or a problem that its Ready condition tells. */
export type SubnetPlan = {
  readonly name: string;
  readonly vpc: string;
  readonly usable: boolean;
  readonly ranges: SubnetRanges;
  readonly natOutgoing: boolean;
  readonly dhcp: boolean;
  /** Guests under bridge have their IPv4 address from KubeVirt's server all the same. */
  readonly leavesBridge: boolean;
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
type Claims = {
  readonly domains: Map<string, RangeIndex>;
  readonly settings: Settings;
  readonly nodes: NodeAddresses;
};

/**
 * Judges all Subnets together, oldest first: each by itself, then against those of the same network. `vpcs` are the
 * names of the Vpc objects; the default VPC needs none. No subnet gives a node's own address. Takes a time in proportion
 * to the number of Subnets.
 */
export function planSubnets(
  subnets: readonly Subnet[],
  settings: Settings,
  vpcs: ReadonlySet<string>,
  nodes: NodeAddresses = NO_NODES,
): ReadonlyMap<string, SubnetPlan> {
  const claims: Claims = { domains: new Map(), settings, nodes };
  const plans = subnets.toSorted(compareAge).map((subnet) => planOne(subnet, claims, vpcs));
  const guarded = new Set(plans.filter(({ usable, gateways }) => usable && gateways.length > 0).map(({ vpc }) => vpc));
  const ownRanges = claims.domains.get(formatDomain(settings.defaultVpc, undefined));
  return new Map(plans.map((plan) => [plan.name, finish(plan, guarded, { ownRanges, settings, nodes })]));
}

const formatDomain = (vpc: string, provider: string | undefined): string =>
  isOvnProvider(provider) ? `vpc/${vpc}` : `provider/${provider}`;

/** Where a subnet stands, by its spec alone. */
type Standing = {
  readonly vpc: string;
  readonly ovn: boolean;
  readonly isDefaultVpc: boolean;
  readonly ranges: Result<SubnetRanges>;
  readonly hasV6: boolean;
};

/** Specs never change in place, and one Subnet's change makes the plans of all anew: each is read once. */
const rangesOf = new WeakMap<SubnetSpec, Result<SubnetRanges>>();

function readRanges(spec: SubnetSpec): Result<SubnetRanges> {
  const known = rangesOf.get(spec) ?? planRanges(spec);
  rangesOf.set(spec, known);
  return known;
}

function findStanding(spec: SubnetSpec, { defaultVpc }: Settings): Standing {
  const vpc = spec.vpc ?? defaultVpc;
  const ranges = readRanges(spec);
  const hasV6 = ranges.ok && ranges.value.some(({ cidr }) => cidr.family === 6);
  return { vpc, ovn: isOvnProvider(spec.provider), isDefaultVpc: vpc === defaultVpc, ranges, hasV6 };
}

function readSwitches(spec: SubnetSpec, { ovn, isDefaultVpc }: Standing) {
  return {
    natOutgoing: ovn && isDefaultVpc && spec.natOutgoing !== false,
    dhcp: ovn && spec.enableDHCP === true,
    leavesBridge: spec.dhcp?.server === 'KubeVirt',
  };
}

function planOne(subnet: Subnet, claims: Claims, vpcs: ReadonlySet<string>): SubnetPlan {
  const { spec, metadata } = subnet;
  const standing = findStanding(spec, claims.settings);
  const { vpc, ovn } = standing;
  const ranges = standing.ranges.ok ? standing.ranges.value : [];
  const plan = {
    name: metadata.name,
    vpc,
    ovn,
    ...readSwitches(spec, standing),
    guarded: false,
    notes: listNotes(spec, standing),
  };
  const gateways = parseGateways(spec, standing);
  const allowed = parseAdmitted(spec, standing);
  const problem =
    findProblem([standing.ranges, checkVpc(standing, vpcs), gateways, allowed, checkSpec(spec, standing)]) ??
    claimRanges(claims, subnet, ranges);
  if (problem !== undefined) return { ...plan, usable: false, ranges, gateways: [], problem };
  return {
    ...plan,
    usable: true,
    ranges: excludeNodes(ranges, claims.nodes),
    gateways: gateways.ok ? gateways.value.map(({ node }) => node) : [],
    ...(allowed.ok && allowed.value !== undefined ? { allowed: allowed.value } : {}),
  };
}

const NOTHING_WRONG: Result<undefined> = succeed(undefined);

/** The default VPC needs no object, and what another CNI makes is in no VPC. */
function checkVpc({ vpc, ovn, isDefaultVpc }: Standing, vpcs: ReadonlySet<string>): Result<undefined> {
  if (!ovn || isDefaultVpc || vpcs.has(vpc)) return NOTHING_WRONG;
  return fail('VpcNotFound', `VPC ${quote(vpc)} does not exist; create it, or name another one`);
}

/** Undefined for a subnet that is open to all. */
function parseAdmitted(spec: SubnetSpec, { ovn }: Standing): Result<Cidr[] | undefined> {
  return ovn && spec.private === true ? parseAllowed(spec.allowSubnets ?? []) : succeed(undefined);
}

/** Only the default VPC has a way out to be chosen. */
function parseGateways(spec: SubnetSpec, { ovn, isDefaultVpc }: Standing): Result<GatewayEntry[]> {
  const centralized = ovn && isDefaultVpc && spec.gatewayType === 'centralized';
  return centralized ? parseGatewayNodes(spec.gatewayNode ?? '') : succeed([]);
}

function findProblem(results: readonly (Result<unknown> | undefined)[]): Problem | undefined {
  for (const result of results) if (result?.ok === false) return result.problem;
  return undefined;
}

const CHOICES = {
  gatewayType: ['distributed', 'centralized'],
  allocate: ['OnCreate', 'OnFirstStart'],
  releasePolicy: ['WithOwner', 'Retain', 'OnStop'],
} as const satisfies Partial<Record<keyof SubnetSpec, readonly string[]>>;

/** What the schema checks too; an older one may have let it through. */
function checkSpec(spec: SubnetSpec, standing: Standing): Result<undefined> {
  for (const [field, allowed] of Object.entries(CHOICES) as [keyof typeof CHOICES, readonly string[]][]) {
    const value = spec[field];
    if (value === undefined || allowed.includes(value)) continue;
    return fail('InvalidSpec', `${field} ${quote(String(value))} is none of ${allowed.join(', ')}`);
  }
  return checkMtu(spec, standing);
}

/** Linux takes IPv6 away from a link that cannot carry 1280 bytes (RFC 8200 section 5). */
function checkMtu({ mtu }: SubnetSpec, { hasV6 }: Standing): Result<undefined> {
  const least = hasV6 ? 1280 : 576;
  if (mtu === undefined || (mtu >= least && mtu <= 65_535)) return NOTHING_WRONG;
  return fail('InvalidMTU', `mtu ${mtu} is not between ${least}${hasV6 ? ', for IPv6,' : ''} and 65535`);
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

type Whole = Pick<Claims, 'settings' | 'nodes'> & { readonly ownRanges: RangeIndex | undefined };

/** What can only be said when all subnets are known. */
function finish(plan: SubnetPlan, guarded: ReadonlySet<string>, { ownRanges, settings, nodes }: Whole): SubnetPlan {
  const { usable, ovn, vpc, ranges } = plan;
  if (!usable || !ovn) return plan;
  if (vpc === settings.defaultVpc) {
    const overlap = warnOfNodes(ranges, nodes);
    return { ...plan, guarded: guarded.has(vpc), ...(overlap === undefined ? {} : { warning: overlap }) };
  }
  for (const { cidr } of ranges) {
    const joined = settings.join.some((family) => overlaps(cidr, family.cidr));
    const other = joined ? 'the join network' : ownRanges?.find(cidr);
    if (other === undefined) continue;
    const message = `${formatCidr(cidr)} overlaps ${joined ? other : `subnet ${other} of the default VPC`}: kubelets cannot probe pods there`;
    return { ...plan, warning: { reason: 'NotReachableFromNodes', message } };
  }
  return plan;
}

/** True when nothing changed that anybody's rows or status depend on. */
export function isSamePlan(a: SubnetPlan | undefined, b: SubnetPlan | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || !isSameFooting(a, b)) return false;
  const texts = (plan: SubnetPlan) => [plan.gateways, plan.notes, plan.allowed?.map(formatCidr) ?? ['all']].join(' ');
  const problems = (plan: SubnetPlan) => `${plan.problem?.message} ${plan.warning?.message}`;
  const switches = ({ dhcp, leavesBridge, guarded }: SubnetPlan) => `${dhcp} ${leavesBridge} ${guarded}`;
  return [texts, problems, switches].every((describe) => describe(a) === describe(b));
}

/** True when what nodes are told of the subnet is the same. */
export function isSameFooting(a: SubnetPlan | undefined, b: SubnetPlan | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const describe = ({ vpc, usable, ovn, natOutgoing }: SubnetPlan) => `${vpc} ${usable} ${ovn} ${natOutgoing}`;
  if (describe(a) !== describe(b) || a.ranges.length !== b.ranges.length) return false;
  return a.ranges === b.ranges || a.ranges.every((range, index) => isSameRange(range, b.ranges[index]));
}

function isSameRange({ cidr, gateway }: FamilyRange, other: FamilyRange | undefined): boolean {
  if (other === undefined || gateway !== other.gateway) return false;
  const { family, network, prefix } = other.cidr;
  return cidr.family === family && cidr.network === network && cidr.prefix === prefix;
}

/** The MAC of the router on a subnet, which no port of it may have. */
export const deriveRouterMac = (vpc: string, subnet: string): string => deriveMac(formatRouterPortName(vpc, subnet));

/** Name of a subnet's DHCP_Options row of one family. */
export const formatDhcpRow = (subnet: string, family: 4 | 6): string => `subnet/${subnet}/v${family}`;
