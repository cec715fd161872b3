/** Edges of classes that grow by the same factor, from `low` to at least `high`. */
export function planEdges(low: number, high: number, perDoubling: number): number[] {
  const count = Math.ceil(Math.log2(high / low) * perDoubling);
  return Array.from({ length: count + 1 }, (_, index) => low * 2 ** (index / perDoubling));
}

/** Share of the values in each class between two edges; what lies outside counts in the first or the last one. */
export function countShares(values: readonly number[], edges: readonly number[]): number[] {
  const classes = Math.max(1, edges.length - 1);
  const counts = Array.from({ length: classes }, () => 0);
  for (const value of values) {
    const above = edges.findIndex((edge) => value < edge);
    const index = Math.min(classes - 1, Math.max(0, (above < 0 ? edges.length : above) - 1));
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count) => (values.length === 0 ? 0 : count / values.length));
}
