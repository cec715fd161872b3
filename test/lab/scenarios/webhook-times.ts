/** Answers of the webhook by their time: how many took at most so many milliseconds; the last bound is infinite. */
export type Times = ReadonlyMap<number, number>;

const BUCKET = /^mooring_hook_admission_ms_bucket\{(?:[^}]*,)?le="([^"]+)"[^}]*\} (\d+)$/gm;

/** Times of both webhooks together out of what a replica says at `/metrics` (Prometheus' text format, histogram). */
export function parseTimes(text: string): Map<number, number> {
  const times = new Map<number, number>();
  for (const [, le = '', count = ''] of text.matchAll(BUCKET)) {
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
    times.set(bound, (times.get(bound) ?? 0) + Number(count));
  }
  return times;
}

/** Of several replicas together. */
export function addTimes(all: readonly Times[]): Map<number, number> {
  const sum = new Map<number, number>();
  for (const times of all) {
    for (const [bound, count] of times) sum.set(bound, (sum.get(bound) ?? 0) + count);
  }
  return sum;
}

/** What came between two looks at the same replicas. */
export function subtractTimes(after: Times, before: Times): Map<number, number> {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}

export function countTimes(times: Times): number {
  return Math.max(0, ...times.values());
}

/**
 * The time in milliseconds that a share of all answers did not exceed, as Prometheus' histogram_quantile estimates it: evenly
 * spread within a bucket; the last finite bound where it is longer than that. NaN without answers.
 */
export function findQuantile(times: Times, share: number): number {
  const bounds = [...times].toSorted(([a], [b]) => a - b);
  const rank = share * countTimes(times);
  if (rank === 0) return Number.NaN;
  let [low, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= rank)
      return bound === Number.POSITIVE_INFINITY ? low : low + ((bound - low) * (rank - below)) / (count - below);
    [low, below] = [bound, count];
  }
  return low;
}
