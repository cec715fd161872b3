import {
  type Address,
  type Cidr,
  containsAddress,
  formatAddress,
  formatCidr,
  getLastAddress,
  overlaps,
  parseAddress,
  parseCidr,
} from '../api/address.ts';
import { fail, type Result, succeed } from '../api/problem.ts';
import type { SubnetSpec } from '../api/types.gen.ts';

/** From first to last, both included. */
export type Interval = { readonly first: bigint; readonly last: bigint };

/** What one family of a subnet has to give. */
export type FamilyRange = {
  readonly cidr: Cidr;
  readonly gateway: bigint;
  /** Ascending, without overlap: the network less its ends, the gateway and the excluded addresses. */
  readonly free: readonly Interval[];
};

/** The ranges of a subnet, IPv4 first. */
export type SubnetRanges = readonly FamilyRange[];

type RangeSpec = Pick<SubnetSpec, 'cidrBlock' | 'gateway' | 'excludeIps' | 'protocol'>;

const SPECIAL = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/8', 'fe80::/10', 'ff00::/8'].flatMap(
  (text) => parseCidr(text) ?? [],
);
const MAX_EXCLUDES = 1024;

/**
 * Reads the ranges of a Subnet. Problems: InvalidCIDR, InvalidGateway, InvalidExcludeIps, each naming the bad part.
 * An IPv4 network keeps its first and last address to itself (RFC 1122 3.2.1.3) except /31 (RFC 3021); an IPv6 network
 * keeps its first one, the subnet-router anycast address (RFC 4291 2.6.1).
 */
export function planRanges(spec: RangeSpec): Result<SubnetRanges> {
  const cidrs = parseCidrs(spec);
  if (!cidrs.ok) return cidrs;
  const gateways = parseGateways(cidrs.value, spec.gateway);
  if (!gateways.ok) return gateways;
  const excludes = parseExcludes(cidrs.value, spec.excludeIps ?? []);
  if (!excludes.ok) return excludes;
  const ranges = cidrs.value.map((cidr) => {
    const gateway = gateways.value.get(cidr.family) ?? getUsable(cidr).first;
    const taken = excludes.value.filter(({ family }) => family === cidr.family);
    return { cidr, gateway, free: subtractAll([getUsable(cidr)], [...taken, { first: gateway, last: gateway }]) };
  });
  return succeed(ranges);
}

function parseCidrs(spec: RangeSpec): Result<Cidr[]> {
  const texts = spec.cidrBlock.split(',').map((text) => text.trim());
  const cidrs: Cidr[] = [];
  for (const text of texts.slice(0, 3)) {
    const cidr = parseCidr(text);
    if (cidr === undefined) return fail('InvalidCIDR', `${quote(text)} is not a CIDR`);
    if (cidr.hostBits) return fail('InvalidCIDR', `${text} has host bits set; did you mean ${formatCidr(cidr)}?`);
    const bad = findBadRange(cidr);
    if (bad !== undefined) return fail('InvalidCIDR', `${text} ${bad}`);
    cidrs.push({ family: cidr.family, network: cidr.network, prefix: cidr.prefix });
  }
  const families = new Set(cidrs.map((cidr) => cidr.family));
  if (families.size !== texts.length) return fail('InvalidCIDR', 'cidrBlock has more than one CIDR of a family');
  const wanted = { IPv4: '4', IPv6: '6', Dual: '4,6' }[spec.protocol ?? 'Dual'];
  const found = [...families].sort().join(',');
  if (spec.protocol !== undefined && found !== wanted) {
    return fail('InvalidCIDR', `protocol ${spec.protocol} does not fit cidrBlock ${quote(spec.cidrBlock)}`);
  }
  return succeed(cidrs.sort((a, b) => a.family - b.family));
}

function findBadRange(cidr: Cidr): string | undefined {
  if (SPECIAL.some((special) => overlaps(special, cidr))) return 'lies in a range with a meaning of its own';
  const usable = getUsable(cidr);
  return usable.last - usable.first < 1n ? 'has no room for a gateway and a port' : undefined;
}

/** The addresses that hosts may have. */
export function getUsable(cidr: Cidr): Interval {
  const last = getLastAddress(cidr);
  if (cidr.family === 6) return { first: cidr.network + 1n, last };
  return cidr.prefix >= 31 ? { first: cidr.network, last } : { first: cidr.network + 1n, last: last - 1n };
}

function parseGateways(cidrs: readonly Cidr[], text: string | undefined): Result<Map<4 | 6, bigint>> {
  const gateways = new Map<4 | 6, bigint>();
  for (const part of text?.split(',').map((item) => item.trim()) ?? []) {
    const address = parseAddress(part);
    if (address === undefined) return fail('InvalidGateway', `${quote(part)} is not an address`);
    const cidr = cidrs.find((candidate) => candidate.family === address.family);
    if (cidr === undefined || !isUsable(cidr, address)) {
      return fail('InvalidGateway', `${part} is not a usable address of ${cidrs.map(formatCidr).join(',')}`);
    }
    if (gateways.has(address.family)) return fail('InvalidGateway', `two gateways of one family: ${quote(text ?? '')}`);
    gateways.set(address.family, address.value);
  }
  return succeed(gateways);
}

function isUsable(cidr: Cidr, address: Address): boolean {
  const usable = getUsable(cidr);
  return containsAddress(cidr, address) && address.value >= usable.first && address.value <= usable.last;
}

/** An interval with its family. */
export type FamilyInterval = Interval & { readonly family: 4 | 6 };

function parseExcludes(cidrs: readonly Cidr[], texts: readonly string[]): Result<FamilyInterval[]> {
  if (texts.length > MAX_EXCLUDES) return fail('InvalidExcludeIps', `more than ${MAX_EXCLUDES} entries`);
  const excludes: FamilyInterval[] = [];
  for (const text of texts) {
    const exclude = parseInterval(text);
    const inside = exclude && cidrs.some((cidr) => isInside(cidr, exclude));
    if (exclude === undefined || !inside) {
      return fail(
        'InvalidExcludeIps',
        `${quote(text)} is not an address or a range in ${cidrs.map(formatCidr).join(',')}`,
      );
    }
    excludes.push(exclude);
  }
  return succeed(excludes);
}

/** Reads an address or a range `a..b`. */
export function parseInterval(text: string): FamilyInterval | undefined {
  const [from = '', to = from, ...rest] = text.split('..').map((part) => part.trim());
  const [first, last] = [parseAddress(from), parseAddress(to)];
  if (first === undefined || last === undefined || rest.length > 0) return undefined;
  if (first.family !== last.family || first.value > last.value) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

/** True when all of the interval lies in the network. */
export function isInside(cidr: Cidr, { family, first, last }: FamilyInterval): boolean {
  return containsAddress(cidr, { family, value: first }) && containsAddress(cidr, { family, value: last });
}

/** What is left of ascending intervals, ascending too. */
export function subtractAll(intervals: readonly Interval[], holes: readonly Interval[]): Interval[] {
  const sorted = holes.toSorted((a, b) => (a.first < b.first ? -1 : 1));
  const free: Interval[] = [];
  let at = 0;
  for (const whole of intervals) {
    for (let hole = sorted[at]; hole !== undefined && hole.last < whole.first; hole = sorted[at]) at += 1;
    free.push(...subtract(whole, sorted, at));
  }
  return free;
}

/** What is left of an interval; `holes` ascend, and none before the one at `from` reaches into it. */
function subtract(whole: Interval, holes: readonly Interval[], from: number): Interval[] {
  const free: Interval[] = [];
  let next = whole.first;
  let at = from;
  for (let hole = holes[at]; hole !== undefined && hole.first <= whole.last; hole = holes[at]) {
    if (hole.first > next) free.push({ first: next, last: hole.first - 1n });
    if (hole.last >= next) next = hole.last + 1n;
    at += 1;
  }
  if (next <= whole.last) free.push({ first: next, last: whole.last });
  return free;
}

/** What two lists of intervals have in common, ascending when the first one is. */
export function intersect(intervals: readonly Interval[], others: readonly Interval[]): Interval[] {
  return subtractAll(intervals, subtractAll(intervals, others));
}

/** The first of ascending intervals that ends at the value or after it. */
export function findFrom<T extends Interval>(intervals: readonly T[], value: bigint): T | undefined {
  let [low, high] = [0, intervals.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const interval = intervals[middle];
    if (interval !== undefined && interval.last < value) low = middle + 1;
    else high = middle;
  }
  return intervals[low];
}

/** The interval that has the value, of ascending ones without overlap. */
export function findInterval<T extends Interval>(intervals: readonly T[], value: bigint): T | undefined {
  const found = findFrom(intervals, value);
  return found !== undefined && found.first <= value ? found : undefined;
}

/** How many addresses the intervals have. */
export function countAddresses(intervals: readonly Interval[]): bigint {
  return intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

/** `10.0.0.1`, of a family and a number. */
export const formatValue = (family: 4 | 6, value: bigint): string => formatAddress({ family, value });

/** User text in a message: bounded and visible. */
export const quote = (text: string): string => JSON.stringify(text.slice(0, 100));
