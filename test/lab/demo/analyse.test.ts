import { describe, expect, it } from 'vitest';
import { findPercentile, type Probe, summariseProbes } from './analyse.ts';

const every10ms = (count: number, delay: (index: number) => number | undefined): Probe[] =>
  Array.from({ length: count }, (_, index) => {
    const after = delay(index);
    return after === undefined ? { sent: index * 10 } : { sent: index * 10, received: index * 10 + after };
  });

describe('summariseProbes', () => {
  it('finds no more than the interval when all are answered', () => {
    expect(summariseProbes(every10ms(100, () => 1))).toMatchObject({ sent: 100, lost: 0, longestGapMs: 10 });
  });

  it('counts lost probes and measures the silence between answers', () => {
    const probes = every10ms(100, (i) => (i >= 20 && i < 50 ? undefined : 1));
    expect(summariseProbes(probes)).toEqual({ sent: 100, lost: 30, longestGapMs: 310, gapStart: 191 });
  });

  it('sees a silence that loses nothing because answers came late together', () => {
    const probes = every10ms(100, (i) => (i >= 20 && i < 50 ? (50 - i) * 10 + 1 : 1));
    expect(summariseProbes(probes)).toMatchObject({ lost: 0, longestGapMs: 310 });
  });

  it('calls a run without answers one long gap', () => {
    expect(summariseProbes(every10ms(11, () => undefined))).toMatchObject({ sent: 11, lost: 11, longestGapMs: 100 });
  });
});

it.each([
  [[], 0.5, 0],
  [[5], 0.99, 5],
  [[1, 2, 3, 4], 0.5, 2],
  [[4, 1, 3, 2], 0.99, 4],
])('percentile of %j at %d is %d', (values, share, expected) => {
  expect(findPercentile(values, share)).toBe(expected);
});
