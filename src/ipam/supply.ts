import { createFifo, type Fifo } from './fifo.ts';
import { countAddresses, type Interval } from './ranges.ts';

/**
 * A stock of addresses from which the next one is taken: those of a subnet that are for everybody, or those of one
 * IPPool. Each address of it is held, or not come to yet, or in one of the two queues, or forgotten.
 */
export type Supply = {
  /** Name of the IPPool; undefined for what everybody may have. */
  readonly pool?: string;
  /** Ascending, without overlap. */
  readonly intervals: readonly Interval[];
  readonly total: bigint;
  /** Given back, oldest first. Bounded, because an IPv6 network never comes to its end. */
  readonly released: Fifo;
  /** Free here and live in another VPC: given when nothing else is left. */
  readonly deferred: Fifo;
  /** How many of it are held. */
  used: number;
  /** Whether something fell out of `released`: a second round finds it. */
  hasForgotten: boolean;
  interval: number;
  next: bigint;
};

/** What a supply asks about an address. */
export type Surroundings = {
  readonly isHeld: (value: bigint) => boolean;
  /** True when the address is better left alone as long as there are others. */
  readonly isAvoided: (value: bigint) => boolean;
  /** Told what was put off; `readmit` is to be called when it need not be avoided any more. */
  readonly onDeferred: (supply: Supply, value: bigint) => void;
};

const MAX_RELEASED = 16_384;

/** A supply of which nothing is held. */
export function createSupply(intervals: readonly Interval[], pool?: string): Supply {
  return {
    ...(pool === undefined ? {} : { pool }),
    intervals,
    total: countAddresses(intervals),
    released: createFifo(),
    deferred: createFifo(),
    used: 0,
    hasForgotten: false,
    interval: 0,
    next: intervals[0]?.first ?? 0n,
  };
}

/** Somebody holds the address, and nobody did before. */
export function takeOut(supply: Supply, value: bigint): void {
  supply.used += 1;
  supply.released.delete(value);
  supply.deferred.delete(value);
}

/** Nobody holds the address any more. */
export function putBack(supply: Supply, value: bigint): void {
  supply.used -= 1;
  enqueue(supply, value);
}

/** An address that was put off is as good as any other again. */
export function readmit(supply: Supply, value: bigint): void {
  if (supply.deferred.delete(value)) enqueue(supply, value);
}

/** Puts a free address at the end of those that were given back. */
export function enqueue(supply: Supply, value: bigint): void {
  supply.released.add(value);
  if (supply.released.size() <= MAX_RELEASED) return;
  const oldest = supply.released.first();
  supply.hasForgotten = oldest !== undefined && supply.released.delete(oldest);
}

/**
 * The address that comes next: one never given yet, else the one that was given back longest ago, else one that is
 * live in another VPC. Undefined when all are held. The address is not taken by this. Amortised over all calls it
 * takes a constant time: the cursor and the queues only ever go forward.
 */
export function findNext(supply: Supply, around: Surroundings): bigint | undefined {
  if (BigInt(supply.used) >= supply.total) return undefined;
  const found = advance(supply, around) ?? findReleased(supply, around);
  if (found !== undefined) return found;
  if (supply.hasForgotten) {
    supply.hasForgotten = false;
    supply.interval = 0;
    supply.next = supply.intervals[0]?.first ?? 0n;
    const forgotten = advance(supply, around);
    if (forgotten !== undefined) return forgotten;
  }
  return supply.deferred.first();
}

/** Moves the cursor to the next address that is neither held nor in a queue. */
function advance(supply: Supply, around: Surroundings): bigint | undefined {
  const { intervals, released, deferred } = supply;
  for (let interval = intervals[supply.interval]; interval !== undefined; interval = intervals[supply.interval]) {
    for (; supply.next <= interval.last; supply.next += 1n) {
      const value = supply.next;
      if (around.isHeld(value) || released.has(value) || deferred.has(value)) continue;
      if (!around.isAvoided(value)) return value;
      putOff(supply, value, around);
    }
    supply.interval += 1;
    supply.next = intervals[supply.interval]?.first ?? 0n;
  }
  return undefined;
}

function findReleased(supply: Supply, around: Surroundings): bigint | undefined {
  const { released } = supply;
  for (let value = released.first(); value !== undefined; value = released.first()) {
    if (!around.isAvoided(value)) return value;
    released.delete(value);
    putOff(supply, value, around);
  }
  return undefined;
}

function putOff(supply: Supply, value: bigint, around: Surroundings): void {
  supply.deferred.add(value);
  around.onDeferred(supply, value);
}
