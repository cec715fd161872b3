import { type Clock, sleep } from '../../../kube/index.ts';
import type { ConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import { filterFlows, type Ledger, type News, planNews, type Reading } from './flows.ts';
import { deriveBudget, formatEntries, formatNeighbours, formatWhole, IDLE_LINE, LIMITS } from './protocol.ts';

export type Table = { readonly entries: readonly ConntrackEntry[]; readonly truncated: boolean };

/** Flows that are new or have changed state. `lost`: there were more than could be kept, only the table knows. */
export type Changes = { readonly entries: readonly ConntrackEntry[]; readonly lost: boolean };

/** The launcher on this node. */
export type Source = {
  /** Reads the launcher's table, which is dear: it holds up the packets of a processor for some milliseconds. */
  readTable(): Promise<Table>;
  /** What has changed since the last call, or since the source was opened. */
  readChanges(): Promise<Changes>;
  /** Reads whom the launcher knows on its links; the same list while nothing has changed. */
  readNeighbours(): Promise<readonly TravellingNeighbour[]>;
};

export type SendOptions = {
  readonly ips: readonly string[];
  readonly source: Source;
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/**
 * Tells the whole table and then what changes, until the signal aborts; rejects with its reason, or with what reading and
 * writing throw. Nothing is read before the last reading was told. The table is read again for the flows that go on without a
 * change (they would end over there by their time), and when changes were lost; it takes a small part of the time.
 */
export async function sendFlows(options: SendOptions): Promise<never> {
  const { source, write, clock, signal } = options;
  const say = createPace({ write, clock, signal });
  const readNews = createReader(options);
  // Nobody needs to be told of an empty list first.
  let known = formatNeighbours([]);
  for (let first = true; ; first = false) {
    const neighbours = formatNeighbours(await source.readNeighbours());
    if (neighbours !== known) await say(neighbours);
    known = neighbours;
    const { news, complete } = await readNews();
    for (const line of formatEntries(news)) await say(line);
    if (first) await say(formatWhole(complete));
    else if (say.silentMs() >= LIMITS.idleMs) await say(IDLE_LINE);
    await sleep(clock, LIMITS.readMs, signal);
  }
}

/** What is to be told next: of the whole table when its turn has come, else of what has changed. */
function createReader({ ips, source, clock }: Pick<SendOptions, 'ips' | 'source' | 'clock'>) {
  let told: Ledger = new Map();
  let isLost = true;
  /** The next reading of the table: when changes were lost, and in any case. */
  let due = { lost: Number.NEGATIVE_INFINITY, always: Number.NEGATIVE_INFINITY };
  const note = (entries: readonly ConntrackEntry[], reading: Reading, now: number) => {
    const plan = planNews(told, filterFlows(entries, ips), { reading, now });
    told = plan.told;
    return plan;
  };
  return async (): Promise<Pick<News, 'news' | 'complete'>> => {
    const begun = clock.now();
    if (begun < (isLost ? due.lost : due.always)) {
      const { entries, lost } = await source.readChanges();
      const plan = entries.length === 0 ? { news: [], complete: true } : note(entries, 'changes', begun);
      isLost ||= lost || !plan.complete;
      return plan;
    }
    const { entries, truncated } = await source.readTable();
    isLost = false;
    const restMs = (clock.now() - begun) * LIMITS.rest;
    due = { lost: clock.now() + restMs, always: clock.now() + Math.max(restMs, LIMITS.wholeMs) };
    const { news, complete } = note(entries, 'table', begun);
    return { news, complete: complete && !truncated };
  };
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
