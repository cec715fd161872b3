import { describe, expect, it } from 'vitest';
import { createRandom, findPercentile, summarise } from './stats.ts';

describe('percentiles', () => {
  it.each([
    [0.5, 50],
    [0.99, 99],
    [0.991, 100],
    [1, 100],
    [0, 1],
  ])('of a hundred values at %d is the nearest rank', (share, wanted) => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(findPercentile(values, share)).toBe(wanted);
  });

  it('of nothing is no number, so that no bar holds by it', () => {
    expect(findPercentile([], 0.5)).toBeNaN();
    expect(summarise([])).toEqual({ n: 0, p50: Number.NaN, p90: Number.NaN, p99: Number.NaN, max: Number.NaN });
  });

  it('are told with the largest value', () => {
    expect(summarise([3, 1, 2])).toEqual({ n: 3, p50: 2, p90: 3, p99: 3, max: 3 });
  });
});

describe('a seed', () => {
  it('makes the same numbers again, another one others', () => {
    const take = (seed: number) => Array.from({ length: 5 }, createRandom(seed));
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  it('spreads over the whole range', () => {
    const values = Array.from({ length: 1000 }, createRandom(1));
    expect(Math.min(...values)).toBeLessThan(0.01);
    expect(Math.max(...values)).toBeGreaterThan(0.99);
    expect(Math.max(...values)).toBeLessThan(1);
  });
});
