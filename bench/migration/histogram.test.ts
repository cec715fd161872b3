import { describe, expect, it } from 'vitest';
import { countShares, planEdges } from './histogram.ts';

describe('classes of a histogram', () => {
  it('double every so many edges and reach the top', () => {
    expect(planEdges(1, 8, 1)).toEqual([1, 2, 4, 8]);
    expect(planEdges(1, 5, 1).at(-1)).toBe(8);
    expect(planEdges(0.5, 1, 2)).toHaveLength(3);
  });

  it('hold every value once, those beyond the edges in the outermost', () => {
    expect(countShares([0, 1, 1.5, 2, 7.9, 100], [1, 2, 4, 8])).toEqual([3 / 6, 1 / 6, 2 / 6]);
  });

  it('put a value on an edge into the class that begins there', () => {
    expect(countShares([2], [1, 2, 4])).toEqual([0, 1]);
  });

  it('are empty for nothing', () => {
    expect(countShares([], [1, 2, 4])).toEqual([0, 0]);
  });
});
