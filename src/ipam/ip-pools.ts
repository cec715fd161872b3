import { formatCidr, getLastAddress, parseCidr } from '../api/address.ts';
import type { Problem } from '../api/problem.ts';
import type { IPPool } from '../api/types.gen.ts';
import {
  type FamilyInterval,
  findFrom,
  type Interval,
  isInside,
  parseInterval,
  quote,
  type SubnetRanges,
} from './ranges.ts';

/** What becomes of one IPPool: the ranges it keeps from others, and whether it gives any of them. */
export type PoolPlan = {
  readonly name: string;
  readonly subnet: string;
  /** Whose ports on the subnet take their addresses from here, and who alone may; open to all who name it when empty. */
  readonly namespaces: readonly string[];
  readonly usable: boolean;
  /** True while it is being deleted: it keeps its ranges, and gives nothing more. */
  readonly ending: boolean;
  /** Ascending, without overlap. Those of the good entries, also when another entry makes the pool unusable. */
  readonly intervals: Readonly<Record<4 | 6, readonly Interval[]>>;
  readonly problem?: Problem;
};

/** What a pool is judged against: plans of subnets are such. */
export type PoolSubnet = { readonly usable: boolean; readonly ranges: SubnetRanges };

type PoolObject = Pick<IPPool, 'spec'> & {
  readonly metadata: Pick<IPPool['metadata'], 'name' | 'creationTimestamp' | 'deletionTimestamp'>;
};
type Claim = Interval & { readonly pool: string };
type Claims = Record<4 | 6, Claim[]>;

const MAX_ENTRIES = 1024;

/**
 * Judges all IPPools together; gives them oldest first. Problems: SubnetNotFound, SubnetNotReady, InvalidPool for an
 * entry that is no address, range or CIDR, lies outside of the subnet, or belongs to an older pool. An address that
 * the subnet excludes may be named, and is not given.
 */
export function planPools(
  pools: readonly PoolObject[],
  subnets: ReadonlyMap<string, PoolSubnet>,
): ReadonlyMap<string, PoolPlan> {
  const claims = new Map<string, Claims>();
  const plans = pools.toSorted(compareAge).map((pool) => {
    const { subnet } = pool.spec;
    const claimed = claims.get(subnet) ?? { 4: [], 6: [] };
    claims.set(subnet, claimed);
    return [pool.metadata.name, planOne(pool, subnets.get(subnet), claimed)] as const;
  });
  return new Map(plans);
}

function compareAge({ metadata: a }: PoolObject, { metadata: b }: PoolObject): number {
  const [left, right] = [a, b].map(({ creationTimestamp, name }) => `${creationTimestamp ?? '9'} ${name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function planOne({ metadata, spec }: PoolObject, subnet: PoolSubnet | undefined, claimed: Claims): PoolPlan {
  const ending = metadata.deletionTimestamp !== undefined;
  const base = { name: metadata.name, subnet: spec.subnet, namespaces: spec.namespaces ?? [], ending };
  if (subnet?.usable !== true) {
    return { ...base, usable: false, intervals: { 4: [], 6: [] }, problem: describeUnusable(spec.subnet, subnet) };
  }
  const { intervals, message } = readEntries(spec.ips, subnet.ranges, claimed);
  for (const family of [4, 6] as const) claim(claimed, family, { name: base.name, intervals: intervals[family] });
  const plan = { ...base, usable: message === undefined && !ending, intervals };
  return message === undefined ? plan : { ...plan, problem: { reason: 'InvalidPool', message } };
}

/** All good entries, and what is wrong with the first bad one. */
function readEntries(texts: readonly string[], ranges: SubnetRanges, claimed: Claims) {
  const own: Record<4 | 6, Interval[]> = { 4: [], 6: [] };
  let message = texts.length > MAX_ENTRIES ? `more than ${MAX_ENTRIES} entries` : undefined;
  for (const text of texts.slice(0, MAX_ENTRIES)) {
    const entry = parseEntry(text, ranges, claimed);
    if (typeof entry === 'string') message ??= `${quote(text)} ${entry}`;
    else own[entry.family].push(entry);
  }
  return { intervals: { 4: merge(own[4]), 6: merge(own[6]) }, message };
}

function describeUnusable(name: string, subnet: PoolSubnet | undefined): Problem {
  if (subnet === undefined) return { reason: 'SubnetNotFound', message: `subnet ${name} does not exist` };
  return { reason: 'SubnetNotReady', message: `subnet ${name} is not usable; see its own condition` };
}

/** The entry, or what is wrong with it. */
function parseEntry(text: string, ranges: SubnetRanges, claimed: Claims): FamilyInterval | string {
  const entry = text.includes('/') ? parseNetwork(text.trim()) : parseInterval(text);
  if (entry === undefined) return 'is not an address, a range a..b or a CIDR';
  if (!ranges.some(({ cidr }) => isInside(cidr, entry))) {
    return `is not in ${ranges.map(({ cidr }) => formatCidr(cidr)).join(',')}`;
  }
  const other = findOverlap(claimed[entry.family], entry);
  return other === undefined ? entry : `overlaps IPPool ${other.pool}`;
}

function parseNetwork(text: string): FamilyInterval | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined || cidr.hostBits) return undefined;
  return { family: cidr.family, first: cidr.network, last: getLastAddress(cidr) };
}

function findOverlap(claims: readonly Claim[], { first, last }: Interval): Claim | undefined {
  const found = findFrom(claims, first);
  return found !== undefined && found.first <= last ? found : undefined;
}

function claim(claimed: Claims, family: 4 | 6, { name, intervals }: { name: string; intervals: readonly Interval[] }) {
  if (intervals.length === 0) return;
  const own = intervals.map(({ first, last }) => ({ first, last, pool: name }));
  claimed[family] = [...claimed[family], ...own].sort((a, b) => (a.first < b.first ? -1 : 1));
}

/** The same addresses in ascending intervals that do not overlap. */
function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { first, last } of intervals.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const before = merged.at(-1);
    if (before === undefined || first > before.last + 1n) merged.push({ first, last });
    else if (last > before.last) merged[merged.length - 1] = { first: before.first, last };
  }
  return merged;
}
