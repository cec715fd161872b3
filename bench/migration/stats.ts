/** What is told of a set of values. */
export type Summary = {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
};

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** The smallest value that `share` of all values do not exceed (nearest rank); NaN for none. */
export function findPercentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Percentiles and the largest, to a hundredth. */
export function summarise(values: readonly number[]): Summary {
  const at = (share: number): number => round(findPercentile(values, share));
  return { n: values.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** Numbers in [0, 1) that a seed makes again (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
