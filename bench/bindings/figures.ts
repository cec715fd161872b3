import { median } from '../scale/report.ts';
import type { Case } from './plan.ts';

/** What one round saw: round trips in microseconds, requests without an answer, and what TCP carried. */
export type Sample = { readonly roundTripsUs: readonly number[]; readonly lost: number; readonly mbit: number };

/** One row of the report. Latency is the round trip of a UDP request, over all rounds; throughput is the middle round's. */
export type Row = Case & {
  readonly latencyUs: { readonly p50: number; readonly p99: number };
  readonly throughputMbit: number;
  /** The slowest and the fastest round: how far the figure can be trusted. */
  readonly throughputRangeMbit: readonly [number, number];
  readonly requests: number;
  readonly lost: number;
};

/** The first requests of a round find no flow, no neighbour and cold caches; they say something else than the others. */
export const WARM_UP = 20;

/** Round trips that `flow ping` printed, without those of the warm-up. Throws when a line is no number. */
export function parseRoundTrips(text: string): Pick<Sample, 'roundTripsUs' | 'lost'> {
  const lines = text.trim().split(/\s+/).slice(WARM_UP);
  const answered = lines.filter((line) => line !== 'lost').map(Number);
  const wrong = answered.findIndex((us) => !Number.isFinite(us));
  if (wrong >= 0) throw new Error(`no round trip: ${text.slice(0, 200)}`);
  return { roundTripsUs: answered, lost: lines.length - answered.length };
}

/** Mbit/s of what `flow fill` printed: bytes and nanoseconds. Throws when it is neither. */
export function parseThroughput(text: string): number {
  const found = /^(\d+) ([1-9]\d*)$/.exec(text.trim());
  if (found === null) throw new Error(`no count of bytes: ${text.slice(0, 200)}`);
  return (Number(found[1]) * 8000) / Number(found[2]);
}

/** One row of all rounds; undefined when no request was answered. */
export function deriveRow(one: Case, samples: readonly Sample[]): Row | undefined {
  const roundTrips = samples.flatMap(({ roundTripsUs }) => roundTripsUs).toSorted((a, b) => a - b);
  const lost = samples.reduce((sum, sample) => sum + sample.lost, 0);
  const at = (share: number): number => roundTrips[Math.max(0, Math.ceil(roundTrips.length * share) - 1)] ?? 0;
  if (roundTrips.length === 0) return undefined;
  const rates = samples.map(({ mbit }) => mbit);
  return {
    ...one,
    latencyUs: { p50: Math.round(at(0.5)), p99: Math.round(at(0.99)) },
    throughputMbit: tenth(median(rates)),
    throughputRangeMbit: [tenth(Math.min(...rates)), tenth(Math.max(...rates))],
    requests: roundTrips.length + lost,
    lost,
  };
}

const tenth = (value: number): number => Math.round(value * 10) / 10;

export const formatCase = ({ binding, placement, path }: Case): string => `${binding} ${path} ${placement}`;
