import { type Clock, sleep } from '../../../kube/index.ts';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import { filterFlows, type Ledger, planNews } from './flows.ts';
import { deriveBudget, formatEntries, formatNeighbours, formatWhole, IDLE_LINE, LIMITS } from './protocol.ts';

export type Table = { readonly entries: readonly ConntrackEntry[]; readonly truncated: boolean };

export type SendOptions = {
  readonly ips: readonly string[];
  /** Reads the launcher's table. */
  readTable(): Promise<Table>;
  /** Reads whom the launcher knows on its links; the same list while nothing has changed. */
  readNeighbours(): Promise<readonly TravellingNeighbour[]>;
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/**
 * Tells the whole table and then what changes, until the signal aborts; rejects with its reason, or with what reading and
 * writing throw. The table is not read again before the last reading was told, and then rests so long that
 * reading takes a small part of the time.
 */
export async function sendFlows(options: SendOptions): Promise<never> {
  const { ips, readTable, readNeighbours, write, clock, signal } = options;
  const say = createPace({ write, clock, signal });
  let told: Ledger = new Map();
  // Nobody needs to be told of an empty list first.
  let known = formatNeighbours([]);
  for (let first = true; ; first = false) {
    const neighbours = formatNeighbours(await readNeighbours());
    if (neighbours !== known) await say(neighbours);
    known = neighbours;
    const begun = clock.now();
    const table = await readTable();
    const tookMs = clock.now() - begun;
    const flows = filterFlows(table.entries, ips);
    const plan = planNews(told, flows, begun);
    told = plan.told;
    for (const line of formatEntries(plan.news)) await say(line);
    if (first) await say(formatWhole(!table.truncated && flows.length <= LIMITS.entries));
    else if (say.silentMs() >= LIMITS.idleMs) await say(IDLE_LINE);
    await sleep(clock, Math.min(Math.max(LIMITS.readMs, tookMs * LIMITS.rest), LIMITS.restMs), signal);
  }
}

type Pace = ((line: string) => Promise<void>) & { silentMs(): number };

/** Writes no faster than the other end takes it. */
function createPace({ write, clock, signal }: Pick<SendOptions, 'write' | 'clock' | 'signal'>): Pace {
  const begun = clock.now();
  let bytes = 0;
  let saidAt = begun;
  const say = async (line: string) => {
    bytes += Buffer.byteLength(line);
    const excess = bytes - deriveBudget(clock.now() - begun, 'source');
    if (excess > 0) await sleep(clock, (excess / LIMITS.bytesPerSecond) * 1000, signal);
    await write(line);
    saidAt = clock.now();
  };
  return Object.assign(say, { silentMs: () => clock.now() - saidAt });
}
