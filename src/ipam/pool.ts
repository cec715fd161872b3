import { parseAddress } from '../api/address.ts';
import type { FamilyRange, SubnetRanges } from './ranges.ts';

/** Who holds an address: `<namespace>/<LogicalPort name>`, or a word of ours for what is no LogicalPort. */
export type Holder = string;

/** What one holder holds in one subnet. */
export type Lease = { readonly ips: readonly string[]; readonly mac: string };

/** One family of a subnet: who holds what, and which address comes next. */
type FamilyPool = {
  readonly range: FamilyRange;
  readonly holders: Map<bigint, Set<Holder>>;
  /** Given back, oldest first; a Set keeps the order. Bounded, because an IPv6 network never comes to its end. */
  readonly released: Set<bigint>;
  interval: number;
  next: bigint;
};

/** The addresses of one subnet. Changed in place by the functions of this file; owned by one caller. */
export type Pool = {
  readonly ranges: SubnetRanges;
  readonly families: readonly FamilyPool[];
  readonly macs: Map<string, Set<Holder>>;
  readonly leases: Map<Holder, Lease>;
};

const MAX_RELEASED = 65_536;

/** A pool that nobody holds anything of. */
export function createPool(ranges: SubnetRanges): Pool {
  return {
    ranges,
    families: ranges.map((range) => ({
      range,
      holders: new Map(),
      released: new Set(),
      interval: 0,
      next: range.free[0]?.first ?? 0n,
    })),
    macs: new Map(),
    leases: new Map(),
  };
}

/** Records what a holder holds, instead of what it held before. Several may hold one address: see `listRivals`. */
export function hold(pool: Pool, holder: Holder, lease: Lease): void {
  const before = pool.leases.get(holder);
  if (before !== undefined && isSameLease(before, lease)) return;
  if (before !== undefined) release(pool, holder);
  pool.leases.set(holder, lease);
  for (const ip of lease.ips) addIp(pool, holder, ip);
  addTo(pool.macs, lease.mac, holder);
}

/** Gives everything back that a holder holds; unknown holders hold nothing. */
export function release(pool: Pool, holder: Holder): void {
  const lease = pool.leases.get(holder);
  if (lease === undefined) return;
  pool.leases.delete(holder);
  for (const ip of lease.ips) removeIp(pool, holder, ip);
  removeFrom(pool.macs, lease.mac, holder);
}

function isSameLease(a: Lease, b: Lease): boolean {
  return a.mac === b.mac && a.ips.length === b.ips.length && a.ips.every((ip, index) => ip === b.ips[index]);
}

function addIp(pool: Pool, holder: Holder, ip: string): void {
  const address = parseAddress(ip);
  const family = pool.families.find(({ range }) => range.cidr.family === address?.family);
  if (address === undefined || family === undefined) return;
  addTo(family.holders, address.value, holder);
  family.released.delete(address.value);
}

function removeIp(pool: Pool, holder: Holder, ip: string): void {
  const address = parseAddress(ip);
  const family = pool.families.find(({ range }) => range.cidr.family === address?.family);
  if (address === undefined || family === undefined) return;
  if (removeFrom(family.holders, address.value, holder)) giveBack(family, address.value);
}

function giveBack(family: FamilyPool, value: bigint): void {
  if (!isFree(family, value)) return;
  family.released.add(value);
  const [oldest] = family.released;
  if (family.released.size > MAX_RELEASED && oldest !== undefined) family.released.delete(oldest);
}

/** True when the address is one that may be given to anybody who asks. */
export function isFree(family: FamilyPool, value: bigint): boolean {
  const inRange = family.range.free.some(({ first, last }) => value >= first && value <= last);
  return inRange && !family.holders.has(value);
}

function addTo<K>(map: Map<K, Set<Holder>>, key: K, holder: Holder): void {
  const holders = map.get(key);
  if (holders === undefined) map.set(key, new Set([holder]));
  else holders.add(holder);
}

/** True when nobody holds the key any more. */
function removeFrom<K>(map: Map<K, Set<Holder>>, key: K, holder: Holder): boolean {
  const holders = map.get(key);
  holders?.delete(holder);
  if (holders?.size !== 0) return false;
  return map.delete(key);
}

/**
 * The address that comes next: one never given yet, else the one that was given back longest ago. Undefined when all
 * are held. The address is not taken by this.
 */
export function findNext(family: FamilyPool): bigint | undefined {
  const fresh = advance(family);
  if (fresh !== undefined) return fresh;
  const [oldest] = family.released;
  if (oldest !== undefined) return oldest;
  family.interval = 0;
  family.next = family.range.free[0]?.first ?? 0n;
  return advance(family);
}

/** Moves the cursor to the next address that is neither held nor given back before. */
function advance(family: FamilyPool): bigint | undefined {
  const { free } = family.range;
  for (let interval = free[family.interval]; interval !== undefined; interval = free[family.interval]) {
    while (family.next <= interval.last) {
      if (!family.holders.has(family.next) && !family.released.has(family.next)) return family.next;
      family.next += 1n;
    }
    family.interval += 1;
    family.next = free[family.interval]?.first ?? 0n;
  }
  return undefined;
}

/** The other holders of a holder's addresses or MAC: none, unless something went wrong outside of us. */
export function listRivals(pool: Pool, holder: Holder): Holder[] {
  const lease = pool.leases.get(holder);
  if (lease === undefined) return [];
  const sets = [pool.macs.get(lease.mac), ...lease.ips.map((ip) => listHolders(pool, ip))];
  return [...new Set(sets.flatMap((set) => [...(set ?? [])]))].filter((other) => other !== holder).sort();
}

function listHolders(pool: Pool, ip: string): ReadonlySet<Holder> | undefined {
  const address = parseAddress(ip);
  const family = pool.families.find(({ range }) => range.cidr.family === address?.family);
  return address && family?.holders.get(address.value);
}

/** Per family: addresses held within the free ranges, and those left. */
export function countPool(pool: Pool): { family: 4 | 6; used: bigint; available: bigint }[] {
  return pool.families.map(({ range, holders }) => {
    const inRange = (value: bigint) => range.free.some(({ first, last }) => value >= first && value <= last);
    const used = BigInt([...holders.keys()].filter(inRange).length);
    const total = range.free.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
    return { family: range.cidr.family, used, available: total - used };
  });
}
