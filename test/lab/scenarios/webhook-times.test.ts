import { describe, expect, it } from 'vitest';
import { addTimes, countTimes, findQuantile, parseTimes, subtractTimes } from './webhook-times.ts';

const TEXT = `# HELP mooring_hook_admission_ms how long
# TYPE mooring_hook_admission_ms histogram
mooring_hook_admission_ms_bucket{le="1",path="/mutate"} 90
mooring_hook_admission_ms_bucket{le="2",path="/mutate"} 100
mooring_hook_admission_ms_bucket{le="+Inf",path="/mutate"} 100
mooring_hook_admission_ms_sum{path="/mutate"} 70.5
mooring_hook_admission_ms_count{path="/mutate"} 100
mooring_hook_admission_ms_bucket{path="/validate",le="1"} 40
mooring_hook_admission_ms_bucket{path="/validate",le="2"} 90
mooring_hook_admission_ms_bucket{path="/validate",le="+Inf"} 100
mooring_hook_other_ms_bucket{le="1"} 7
`;
const INFINITE = Number.POSITIVE_INFINITY;
const times = (...pairs: [number, number][]) => new Map(pairs);

describe('parseTimes', () => {
  it('takes both webhooks together and nothing else, wherever the bound stands among the labels', () => {
    expect(parseTimes(TEXT)).toEqual(times([1, 130], [2, 190], [INFINITE, 200]));
  });

  it('finds nothing where nobody has been answered yet', () => {
    expect(parseTimes('# HELP mooring_hook_admission_ms how long\n')).toEqual(new Map());
  });
});

describe('times', () => {
  it('of several replicas add up, also when one has answered nobody', () => {
    expect(addTimes([times([1, 3], [INFINITE, 4]), times(), times([1, 1], [INFINITE, 1])])).toEqual(
      times([1, 4], [INFINITE, 5]),
    );
  });

  it('between two looks are the difference', () => {
    const between = subtractTimes(times([1, 9], [INFINITE, 10]), times([1, 4], [INFINITE, 4]));
    expect(between).toEqual(times([1, 5], [INFINITE, 6]));
    expect(countTimes(between)).toBe(6);
    expect(countTimes(times())).toBe(0);
  });
});

describe('findQuantile', () => {
  const hundred = times([10, 50], [20, 98], [INFINITE, 100]);
  it.each([
    ['within the first bucket, from zero', 0.25, 5],
    ['at a bound', 0.5, 10],
    ['within a later one', 0.74, 15],
    ['beyond the last finite bound, that bound', 0.99, 20],
  ])('lies %s', (_where, share, wanted) => {
    expect(findQuantile(hundred, share)).toBeCloseTo(wanted, 6);
  });

  it('goes by the bounds and not by their order', () => {
    expect(findQuantile(times([20, 98], [INFINITE, 100], [10, 50]), 0.25)).toBeCloseTo(5, 6);
  });

  it('of no answers is no number', () => {
    expect(findQuantile(times([1, 0], [INFINITE, 0]), 0.99)).toBeNaN();
  });
});
