/** One probe: when it was sent and when its answer came, milliseconds since the epoch; no answer is undefined. */
export type Probe = { readonly sent: number; readonly received?: number };

/** What a TCP stream saw. */
export type StreamResult = {
  readonly sentLines: number;
  readonly echoedLines: number;
  readonly error?: string;
  /** The longest time without an echoed line, milliseconds. */
  readonly longestStallMs: number;
};

export type ProbeSummary = {
  readonly sent: number;
  readonly lost: number;
  /** The longest time between two answers that followed each other, milliseconds. */
  readonly longestGapMs: number;
  /** When that gap began, milliseconds since the epoch. */
  readonly gapStart: number;
};

const round = (value: number): number => Math.round(value * 10) / 10;

/** Counts the lost probes and finds the longest silence. No answer at all is a gap as long as the whole run. */
export function summariseProbes(probes: readonly Probe[]): ProbeSummary {
  const answers = probes
    .flatMap((probe) => (probe.received === undefined ? [] : [probe.received]))
    .sort((a, b) => a - b);
  const first = probes[0]?.sent ?? 0;
  const last = probes.at(-1)?.sent ?? first;
  const lost = probes.length - answers.length;
  if (answers.length < 2) return { sent: probes.length, lost, longestGapMs: round(last - first), gapStart: first };
  let longestGapMs = 0;
  let gapStart = first;
  let previous = answers[0] ?? first;
  for (const answer of answers) {
    if (answer - previous > longestGapMs) {
      longestGapMs = answer - previous;
      gapStart = previous;
    }
    previous = answer;
  }
  return { sent: probes.length, lost, longestGapMs: round(longestGapMs), gapStart };
}

/** The value below which `share` of the values lie (nearest rank); 0 for none. */
export function findPercentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
}
