import type { Address } from '../api/address.ts';
import { addHolder, type Holder, type Holders, removeHolder } from './holders.ts';
import { type FamilyRange, findInterval, type Interval, intersect, subtractAll } from './ranges.ts';
import { createSupply, enqueue, putBack, readmit, type Supply, type Surroundings, takeOut } from './supply.ts';

/** What an IPPool takes out of a subnet, by family. */
export type Reserve = { readonly name: string; readonly intervals: Readonly<Record<4 | 6, readonly Interval[]>> };

type Segment = Interval & { readonly supply: Supply };

/** One family of a subnet: whose each of its addresses is to give. */
export type FamilyPool = {
  readonly range: FamilyRange;
  readonly space: FamilySpace;
  readonly general: Supply;
  /** By name of the IPPool; of pools that have addresses of this family. */
  readonly reserved: ReadonlyMap<string, Supply>;
  /** All supplies' intervals, ascending. */
  readonly segments: readonly Segment[];
};

/** Addresses of one family in one VPC: each has one holder at most, in whatever subnet. */
export type FamilySpace = {
  readonly holders: Holders<bigint>;
  /** Ascending, without overlap. */
  readonly families: FamilyPool[];
  readonly around: Surroundings;
  readonly commons: FamilyCommons;
};

/** The addresses of one VPC. */
export type Space = Readonly<Record<4 | 6, FamilySpace>>;

/** What VPCs tell each other, as a node cannot tell two equal addresses apart. */
type FamilyCommons = {
  /** In how many VPCs an address is held. */
  readonly counts: Map<bigint, number>;
  /** Who put an address off because it is held elsewhere. */
  readonly waiting: Map<bigint, Set<Supply>>;
};
export type Commons = Readonly<Record<4 | 6, FamilyCommons>>;

export function createCommons(): Commons {
  return { 4: { counts: new Map(), waiting: new Map() }, 6: { counts: new Map(), waiting: new Map() } };
}

/** A VPC without subnets. Those with the same commons avoid each other's addresses where they have the choice. */
export function createSpace(commons: Commons = createCommons()): Space {
  return { 4: createFamilySpace(commons[4]), 6: createFamilySpace(commons[6]) };
}

function createFamilySpace(commons: FamilyCommons): FamilySpace {
  const holders: Holders<bigint> = new Map();
  const around: Surroundings = {
    isHeld: (value) => holders.has(value),
    isAvoided: (value) => commons.counts.has(value) && !holders.has(value),
    onDeferred: (supply, value) => {
      const waiting = commons.waiting.get(value);
      if (waiting === undefined) commons.waiting.set(value, new Set([supply]));
      else waiting.add(supply);
    },
  };
  return { holders, families: [], around, commons };
}

/** Adds one family of a subnet to its VPC; what is held there already counts as held. */
export function attachFamily(space: Space, range: FamilyRange, reserves: readonly Reserve[]): FamilyPool {
  const { family } = range.cidr;
  const own = space[family];
  const reserved = new Map(
    reserves
      .filter(({ intervals }) => intervals[family].length > 0)
      .map(({ name, intervals }) => [name, createSupply(intersect(range.free, intervals[family]), name)]),
  );
  const taken = reserves.flatMap(({ intervals }) => intervals[family]);
  const general = createSupply(subtractAll(range.free, taken));
  const segments = [general, ...reserved.values()]
    .flatMap((supply) => supply.intervals.map(({ first, last }) => ({ first, last, supply })))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  const pool: FamilyPool = { range, space: own, general, reserved, segments };
  own.families.splice(findPlace(own.families, range.cidr.network), 0, pool);
  for (const value of listHeld(pool)) {
    const supply = findSupply(pool, value);
    if (supply !== undefined) supply.used += 1;
  }
  return pool;
}

/** Takes a family out of its VPC; what its ports hold stays held. */
export function detachFamily(pool: FamilyPool): void {
  const { families, commons } = pool.space;
  const at = families.indexOf(pool);
  if (at !== -1) families.splice(at, 1);
  for (const supply of listSupplies(pool))
    for (const value of supply.deferred.list()) stopWaiting(commons, value, supply);
}

function stopWaiting({ waiting }: FamilyCommons, value: bigint, supply: Supply): void {
  const supplies = waiting.get(value);
  supplies?.delete(supply);
  if (supplies?.size === 0) waiting.delete(value);
}

/** The order in which addresses were given back outlives a change of the ranges. */
export function inheritOrder(pool: FamilyPool, before: FamilyPool): void {
  for (const { released } of listSupplies(before)) {
    for (const value of released.list()) {
      const supply = findSupply(pool, value);
      if (supply !== undefined && !pool.space.holders.has(value)) enqueue(supply, value);
    }
  }
}

const listSupplies = ({ general, reserved }: FamilyPool): Supply[] => [general, ...reserved.values()];

/** The held addresses that lie in the network, found on the shorter way. */
function listHeld({ range: { cidr, free }, space: { holders } }: FamilyPool): bigint[] {
  const [first, last] = [free[0]?.first ?? 0n, free.at(-1)?.last ?? -1n];
  if (last - first < BigInt(holders.size)) {
    const held: bigint[] = [];
    for (let value = first; value <= last; value += 1n) if (holders.has(value)) held.push(value);
    return held;
  }
  return [...holders.keys()].filter((value) => value >= cidr.network && value <= last);
}

/** How many of the ascending networks begin at or before the address. */
function findPlace(families: readonly FamilyPool[], value: bigint): number {
  let [low, high] = [0, families.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const family = families[middle];
    if (family !== undefined && family.range.cidr.network <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The supply that gives the address out; undefined when none does. */
export function findSupply(pool: FamilyPool, value: bigint): Supply | undefined {
  return findInterval(pool.segments, value)?.supply;
}

function findSupplyIn(space: FamilySpace, value: bigint): Supply | undefined {
  const family = space.families[findPlace(space.families, value) - 1];
  return family && findSupply(family, value);
}

/** Records a holder of the address. Several may hold one. */
export function holdAddress(space: Space, { family, value }: Address, holder: Holder): void {
  const own = space[family];
  if (!addHolder(own.holders, value, holder)) return;
  const { counts } = own.commons;
  counts.set(value, (counts.get(value) ?? 0) + 1);
  const supply = findSupplyIn(own, value);
  if (supply === undefined) return;
  if (supply.deferred.has(value)) stopWaiting(own.commons, value, supply);
  takeOut(supply, value);
}

/** Ends what `holdAddress` began. */
export function freeAddress(space: Space, { family, value }: Address, holder: Holder): void {
  const own = space[family];
  if (!removeHolder(own.holders, value, holder)) return;
  const supply = findSupplyIn(own, value);
  if (supply !== undefined) putBack(supply, value);
  leaveCommons(own.commons, value);
}

function leaveCommons({ counts, waiting }: FamilyCommons, value: bigint): void {
  const left = (counts.get(value) ?? 1) - 1;
  if (left > 0) {
    counts.set(value, left);
    return;
  }
  counts.delete(value);
  for (const supply of waiting.get(value) ?? []) readmit(supply, value);
  waiting.delete(value);
}
