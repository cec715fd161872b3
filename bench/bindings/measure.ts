import { type End, PORTS } from './ends.ts';
import { deriveRow, formatCase, parseRoundTrips, parseThroughput, type Row, type Sample, WARM_UP } from './figures.ts';
import type { Case } from './plan.ts';

/** How much is measured: rounds over all rows; in each, UDP requests and seconds of TCP per row. */
export type Effort = { readonly rounds: number; readonly requests: number; readonly seconds: number };

/** One row that is to be measured, and its two ends. */
export type Item = { readonly one: Case; readonly from: End; readonly target: End };

/** What was seen so far; it outlives a run that is interrupted. */
export type Book = { readonly samples: Map<Case, Sample[]>; readonly failures: string[] };

export const createBook = (): Book => ({ samples: new Map(), failures: [] });

/** Each request that is not answered takes a second. */
const PING_MS = 60_000;
/** Beyond the seconds of sending: what is still in buffers at its end. */
const DRAIN_MS = 30_000;

/**
 * Measures all rows, round after round, so that a slow moment of the machine falls on every row alike. A row that fails is
 * noted and left out from then on, the others go on.
 */
export async function measureRounds(
  items: readonly Item[],
  effort: Effort,
  { book, say }: { book: Book; say: (line: string) => void },
): Promise<void> {
  let left = items;
  for (let round = 1; round <= effort.rounds; round += 1) {
    say(`round ${round} of ${effort.rounds}: ${left.length} rows`);
    const failed = new Set<Item>();
    for (const item of left) {
      const failure = await measureOne(item, effort, book);
      if (failure === undefined) continue;
      failed.add(item);
      book.failures.push(failure);
      say(`  FAILED ${failure}`);
    }
    left = left.filter((item) => !failed.has(item));
  }
}

/** Why it could not be measured, if so. */
async function measureOne({ one, from, target }: Item, effort: Effort, { samples }: Book): Promise<string | undefined> {
  try {
    samples.set(one, [...(samples.get(one) ?? []), await sample(from, target, effort)]);
    return undefined;
  } catch (error) {
    samples.delete(one);
    return `${formatCase(one)}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function sample(from: End, { ip }: End, { requests, seconds }: Effort): Promise<Sample> {
  const roundTrips = parseRoundTrips(await from.run(['ping', ip, PORTS.serve, WARM_UP + requests], PING_MS));
  const count = await from.run(['fill', ip, PORTS.serve, seconds * 1000], seconds * 1000 + DRAIN_MS);
  return { ...roundTrips, mbit: parseThroughput(count) };
}

/** The rows of what was seen, and everything that went wrong. */
export function deriveRows({ samples, failures }: Book): { rows: Row[]; failures: string[] } {
  const rows: Row[] = [];
  const silent: string[] = [];
  for (const [one, list] of samples) {
    const row = deriveRow(one, list);
    if (row === undefined) silent.push(`${formatCase(one)}: no request was answered`);
    else rows.push(row);
  }
  return { rows, failures: [...failures, ...silent] };
}
