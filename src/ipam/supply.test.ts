import { describe, expect, it } from 'vitest';
import { createSupply, findNext, putBack, readmit, type Supply, type Surroundings, takeOut } from './supply.ts';

type World = { supply: Supply; held: Set<bigint>; avoided: Set<bigint>; asked: () => number; around: Surroundings };

function makeWorld(first: bigint, last: bigint): World {
  const held = new Set<bigint>();
  const avoided = new Set<bigint>();
  let asked = 0;
  const around: Surroundings = {
    isHeld: (value) => {
      asked += 1;
      return held.has(value);
    },
    isAvoided: (value) => {
      asked += 1;
      return avoided.has(value);
    },
    onDeferred: () => undefined,
  };
  return { supply: createSupply([{ first, last }]), held, avoided, asked: () => asked, around };
}

function take(world: World): bigint | undefined {
  const value = findNext(world.supply, world.around);
  if (value !== undefined) {
    world.held.add(value);
    takeOut(world.supply, value);
  }
  return value;
}

function give(world: World, value: bigint): void {
  world.held.delete(value);
  putBack(world.supply, value);
}

describe('a supply of addresses', () => {
  it('gives fresh ones first and then those that were given back, in that order', () => {
    const world = makeWorld(1n, 3n);
    expect([take(world), take(world)]).toEqual([1n, 2n]);
    give(world, 2n);
    give(world, 1n);
    expect([take(world), take(world), take(world), take(world)]).toEqual([3n, 2n, 1n, undefined]);
  });

  it('leaves avoided addresses for the end, and takes them all the same before it is full', () => {
    const world = makeWorld(1n, 4n);
    world.avoided.add(1n).add(3n);
    expect([take(world), take(world), take(world), take(world)]).toEqual([2n, 4n, 1n, 3n]);
  });

  it('takes an address again like any other once it need not be avoided', () => {
    const world = makeWorld(1n, 3n);
    world.avoided.add(1n);
    expect(take(world)).toBe(2n);
    world.avoided.delete(1n);
    readmit(world.supply, 1n);
    world.avoided.add(3n);
    expect([take(world), take(world)]).toEqual([1n, 3n]);
  });

  it('finds again what fell out of the bounded queue', () => {
    const size = 70_000n;
    const world = makeWorld(1n, size);
    for (let value = 1n; value <= size; value += 1n) take(world);
    for (let value = 1n; value <= size; value += 1n) give(world, value);
    const again = new Set<bigint | undefined>();
    for (let value = 1n; value <= size; value += 1n) again.add(take(world));
    expect(again.size).toBe(Number(size));
    expect(again.has(undefined)).toBe(false);
  });

  it('is as quick at 60,000 held addresses as at 60: questions per address do not grow', () => {
    const perAddress = [60n, 60_000n].map((size) => {
      const world = makeWorld(1n, size);
      for (let value = 0n; value < size; value += 1n) take(world);
      // Full: nobody is asked about anything any more.
      const before = world.asked();
      for (let tries = 0; tries < 1000; tries += 1) take(world);
      expect(world.asked()).toBe(before);
      for (let value = 1n; value <= size; value += 1n) {
        give(world, value);
        take(world);
      }
      return world.asked() / Number(size);
    });
    expect(perAddress[1]).toBeLessThanOrEqual((perAddress[0] ?? 0) * 1.1);
  });
});
