import { type Address, parseAddress } from '../api/address.ts';
import { addHolder, getOwner, type Holder, type Holders, listHolders, removeHolder } from './holders.ts';
import type { PoolPlan } from './ip-pools.ts';
import type { SubnetRanges } from './ranges.ts';
import {
  attachFamily,
  createSpace,
  detachFamily,
  type FamilyPool,
  findSupply,
  freeAddress,
  holdAddress,
  inheritOrder,
  type Space,
} from './space.ts';

export type { Holder } from './holders.ts';

/** What one holder holds in one subnet; `pool` names the IPPool that it came from. */
export type Lease = { readonly ips: readonly string[]; readonly mac: string; readonly pool?: string };

/** The addresses of one subnet. Changed in place by the functions of this file; owned by one caller. */
export type Pool = {
  readonly ranges: SubnetRanges;
  readonly families: readonly FamilyPool[];
  readonly space: Space;
  /** Of the whole L2 domain. */
  readonly macs: Holders<string>;
  readonly leases: Map<Holder, Lease>;
  /** The IPPools of the subnet, oldest first. */
  readonly pools: ReadonlyMap<string, PoolPlan>;
};

/** What a pool has in common with others. Without it, it is a world of its own. */
export type Shared = {
  readonly space?: Space;
  readonly macs?: Holders<string>;
  readonly pools?: ReadonlyMap<string, PoolPlan>;
};

/** A pool that nobody holds anything of. */
export function createPool(ranges: SubnetRanges, shared: Shared = {}): Pool {
  const { space = createSpace(), macs = new Map(), pools = new Map() } = shared;
  const families = ranges.map((range) => attachFamily(space, range, [...pools.values()]));
  return { ranges, families, space, macs, leases: new Map(), pools };
}

/** Gives up the ranges, so that others may have them; what is held stays so, for `replacePool`. */
export function detachPool(pool: Pool): void {
  for (const family of pool.families) detachFamily(family);
}

/** Moves all leases of a detached pool to the one that takes its place. */
export function replacePool(before: Pool, after: Pool): void {
  for (const [holder, lease] of before.leases) {
    if (before.space === after.space && before.macs === after.macs) after.leases.set(holder, lease);
    else {
      release(before, holder);
      hold(after, holder, lease);
    }
  }
  for (const family of after.families) {
    const old = before.families.find(({ range }) => range.cidr.family === family.range.cidr.family);
    if (old !== undefined) inheritOrder(family, old);
  }
}

/** Records what a holder holds, instead of what it held before. Several may hold one address: see `listRivals`. */
export function hold(pool: Pool, holder: Holder, lease: Lease): void {
  const before = pool.leases.get(holder);
  if (before !== undefined && !isSameLease(before, lease)) release(pool, holder);
  if (lease.ips.length === 0 && lease.mac === '') return;
  pool.leases.set(holder, lease);
  if (before !== undefined && isSameLease(before, lease)) return;
  for (const address of parseAll(lease.ips)) holdAddress(pool.space, address, holder);
  if (lease.mac !== '') addHolder(pool.macs, lease.mac, holder);
}

/** Gives everything back that a holder holds; unknown holders hold nothing. */
export function release(pool: Pool, holder: Holder): void {
  const lease = pool.leases.get(holder);
  if (lease === undefined) return;
  pool.leases.delete(holder);
  for (const address of parseAll(lease.ips)) freeAddress(pool.space, address, holder);
  removeHolder(pool.macs, lease.mac, holder);
}

/** True when two leases have the same addresses. */
export function isSameLease(a: Lease, b: Lease): boolean {
  return a.mac === b.mac && a.ips.length === b.ips.length && a.ips.every((ip, index) => ip === b.ips[index]);
}

const parseAll = (ips: readonly string[]): Address[] => ips.flatMap((ip) => parseAddress(ip) ?? []);

/** True when the address is one that may be given, by the subnet itself or by an IPPool, and nobody holds it. */
export function isFree(family: FamilyPool, value: bigint): boolean {
  return !family.space.holders.has(value) && findSupply(family, value) !== undefined;
}

/** Other owners of the addresses or the MAC of a holder's lease: none, unless something went wrong outside of us. */
export function listRivals(pool: Pool, holder: Holder, lease: Lease): Holder[] {
  const all = [
    ...listHolders(pool.macs, lease.mac),
    ...parseAll(lease.ips).flatMap(({ family, value }) => listHolders(pool.space[family].holders, value)),
  ];
  return [...new Set(all.map(getOwner))].filter((other) => other !== getOwner(holder)).sort();
}

export type Count = { family: 4 | 6; used: bigint; available: bigint };

/** Per family: addresses held within the free ranges and those left, the ones of IPPools among them. */
export function countPool(pool: Pool): Count[] {
  return pool.families.map(({ range, general, reserved }) => {
    const supplies = [general, ...reserved.values()];
    const used = supplies.reduce((sum, supply) => sum + BigInt(supply.used), 0n);
    const total = supplies.reduce((sum, supply) => sum + supply.total, 0n);
    return { family: range.cidr.family, used, available: total - used };
  });
}

/** The same of one IPPool, for the families that it has addresses of. */
export function countReserved(pool: Pool, name: string): Count[] {
  return pool.families.flatMap(({ range, reserved }) => {
    const supply = reserved.get(name);
    if (supply === undefined) return [];
    const used = BigInt(supply.used);
    return [{ family: range.cidr.family, used, available: supply.total - used }];
  });
}
