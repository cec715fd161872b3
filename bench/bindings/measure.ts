import type { End, Scene } from './ends.ts';
import { PORTS } from './ends.ts';
import { deriveRow, formatCase, parseRoundTrips, parseThroughput, type Row, type Sample, WARM_UP } from './figures.ts';
import type { Case } from './plan.ts';

/** How much is measured: rounds over all rows of a binding; in each, UDP requests and seconds of TCP per row. */
export type Effort = { readonly rounds: number; readonly requests: number; readonly seconds: number };

export type Measured = { readonly rows: readonly Row[]; readonly failures: readonly string[] };

/** Each request that is not answered takes a second. */
const PING_MS = 60_000;
/** Beyond the seconds of sending: what is still in buffers at its end. */
const DRAIN_MS = 30_000;

/**
 * Measures the rows of one binding. Round after round goes over all of them, so that a slow moment of the machine falls on
 * every row. A row that fails is noted and left out, the others go on.
 */
export async function measureScene(
  scene: Scene,
  cases: readonly Case[],
  effort: Effort,
  say: (line: string) => void,
): Promise<Measured> {
  const samples = new Map<Case, Sample[]>(cases.map((one) => [one, []]));
  const failures: string[] = [];
  for (let round = 0; round < effort.rounds; round += 1) {
    for (const [one, list] of samples) {
      try {
        list.push(await sample(scene.from(one.path, one.placement), scene.target, effort));
      } catch (error) {
        failures.push(`${formatCase(one)}: ${error instanceof Error ? error.message : String(error)}`);
        samples.delete(one);
      }
    }
  }
  const rows: Row[] = [];
  for (const [one, list] of samples) {
    try {
      rows.push(deriveRow(one, list));
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  for (const row of rows) say(`  ${formatRow(row)}`);
  for (const failure of failures) say(`  FAILED ${failure}`);
  return { rows, failures };
}

async function sample(from: End, { ip }: End, { requests, seconds }: Effort): Promise<Sample> {
  const roundTrips = parseRoundTrips(await from.run(['ping', ip, PORTS.serve, WARM_UP + requests], PING_MS));
  const count = await from.run(['fill', ip, PORTS.serve, seconds * 1000], seconds * 1000 + DRAIN_MS);
  return { ...roundTrips, mbit: parseThroughput(count) };
}

const formatRow = (row: Row): string =>
  `${formatCase(row)}: ${row.latencyUs.p50} us, p99 ${row.latencyUs.p99} us, ${row.throughputMbit} Mbit/s`;
