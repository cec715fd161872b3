import { type ConntrackEntry, parseConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import { NetlinkError } from '../../../netlink/errors.ts';
import {
  NEIGHBOUR_LIMITS,
  parseTravellingNeighbour,
  type TravellingNeighbour,
} from '../../../netlink/neighbour-travel.ts';
import { CarryError } from './errors.ts';

/**
 * What the source says; the target says nothing after TLS has made out who it is. One JSON object a line:
 * `{"entries":[…]}` flows that are new or have changed, `{"whole":true|false}` after the first reading of the table (false:
 * it had more than may be carried), `{"neighbours":[…]}` all whom the launcher knows now, before anything else and
 * whenever that changes, `{}` now and then so that silence is a failure. What an agent does not know is `{}` to it, so an
 * older one takes no harm from a newer one.
 */
export type Message =
  | { readonly kind: 'entries'; readonly entries: readonly ConntrackEntry[]; readonly refused: number }
  | { readonly kind: 'neighbours'; readonly neighbours: readonly TravellingNeighbour[]; readonly refused: number }
  | { readonly kind: 'whole'; readonly complete: boolean }
  | { readonly kind: 'idle' };

/** Bounds of one session. Bytes, entries, milliseconds. */
export const LIMITS = {
  sessions: 16,
  entries: 65_536,
  lineBytes: 2 ** 20,
  /** May come at once (the largest table), and for each second of the session. Nobody holds more than a line. */
  bytes: 2 ** 25,
  bytesPerSecond: 2 ** 20,
  /** Entries in one line, so that one job of the kernel's is short. */
  batch: 1000,
  /** In one line; of all launchers that a VM has on the source. */
  neighbours: 2 * (NEIGHBOUR_LIMITS.pod + NEIGHBOUR_LIMITS.guest),
  handshakeMs: 5000,
  idleMs: 5000,
  silenceMs: 15_000,
  sessionMs: 30 * 60_000,
  /** Between two looks at what has changed on the source. */
  readMs: 100,
  /** Flows that changed between two looks, of one launcher; when more did, its table is read. */
  changes: 5000,
  /** Between two readings of the whole table: so many times what a reading took, and so long at least (when changes were lost: `readMs`). */
  rest: 9,
  wholeMs: 10_000,
} as const;

/** How many bytes a session may have had after so many milliseconds; the receiver allows for what is under way. */
export function deriveBudget(elapsedMs: number, role: 'source' | 'target'): number {
  const slack = role === 'target' ? LIMITS.lineBytes + LIMITS.bytesPerSecond : 0;
  return LIMITS.bytes + slack + (Math.max(0, elapsedMs) / 1000) * LIMITS.bytesPerSecond;
}

/** The lines for these entries, newlines included. */
export function formatEntries(entries: readonly ConntrackEntry[]): string[] {
  const count = Math.ceil(entries.length / LIMITS.batch);
  return Array.from({ length: count }, (_, index) => {
    const batch = entries.slice(index * LIMITS.batch, (index + 1) * LIMITS.batch);
    return `${JSON.stringify({ entries: batch })}\n`;
  });
}

export function formatWhole(complete: boolean): string {
  return `{"whole":${complete}}\n`;
}

/** One line, newline included. */
export function formatNeighbours(neighbours: readonly TravellingNeighbour[]): string {
  return `${JSON.stringify({ neighbours: neighbours.slice(0, LIMITS.neighbours) })}\n`;
}

export const IDLE_LINE = '{}\n';

/** Reads one line of a peer. Entries that are none are counted and left out; a line that is no message throws CarryError `protocol`. */
export function parseMessage(line: string): Message {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('no object');
  const { entries, whole, neighbours } = value as { entries?: unknown; whole?: unknown; neighbours?: unknown };
  if (typeof whole === 'boolean') return { kind: 'whole', complete: whole };
  if (entries !== undefined) {
    const { read, refused } = readList(entries, LIMITS.batch, parseConntrackEntry);
    return { kind: 'entries', entries: read, refused };
  }
  if (neighbours === undefined) return { kind: 'idle' };
  const { read, refused } = readList(neighbours, LIMITS.neighbours, parseTravellingNeighbour);
  return { kind: 'neighbours', neighbours: read, refused };
}

function readList<T>(list: unknown, most: number, parse: (value: unknown) => T): { read: T[]; refused: number } {
  if (!Array.isArray(list) || list.length > most) throw refuse('no list, or too long a one');
  const read = list.flatMap((value: unknown) => readOne(value, parse) ?? []);
  return { read, refused: list.length - read.length };
}

function readOne<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof NetlinkError) return undefined;
    throw error;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw refuse('no JSON');
  }
}

function refuse(what: string): CarryError {
  return new CarryError('protocol', `the other agent sent something else than flows: ${what}`);
}
