import { type ConntrackEntry, parseConntrackEntry } from '../../../netlink/conntrack-entry.ts';
import { NetlinkError } from '../../../netlink/errors.ts';
import { CarryError } from './errors.ts';

/**
 * What the source says; the target says nothing after TLS has made out who it is. One JSON object a line:
 * `{"entries":[…]}` flows that are new or have changed, `{"whole":true|false}` after the first reading of the table (false:
 * it had more than may be carried), `{}` now and then so that silence is a failure.
 */
export type Message =
  | { readonly kind: 'entries'; readonly entries: readonly ConntrackEntry[]; readonly refused: number }
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
  handshakeMs: 5000,
  idleMs: 5000,
  silenceMs: 15_000,
  sessionMs: 30 * 60_000,
  /** Between two readings of the source's table: so many times what a reading took, at least and at most so long. */
  rest: 9,
  readMs: 100,
  restMs: 2000,
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

export const IDLE_LINE = '{}\n';

/** Reads one line of a peer. Entries that are none are counted and left out; a line that is no message throws CarryError `protocol`. */
export function parseMessage(line: string): Message {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('no object');
  const { entries, whole } = value as { entries?: unknown; whole?: unknown };
  if (typeof whole === 'boolean') return { kind: 'whole', complete: whole };
  if (entries === undefined) return { kind: 'idle' };
  if (!Array.isArray(entries) || entries.length > LIMITS.batch) throw refuse('not a list of flows, or too long');
  const read = entries.flatMap((entry: unknown) => readEntry(entry) ?? []);
  return { kind: 'entries', entries: read, refused: entries.length - read.length };
}

function readEntry(value: unknown): ConntrackEntry | undefined {
  try {
    return parseConntrackEntry(value);
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
