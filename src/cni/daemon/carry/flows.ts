import { formatAddress, parseAddress } from '../../../api/address.ts';
import { type ConntrackEntry, formatConntrackKey, formatConntrackState } from '../../../netlink/conntrack-entry.ts';
import { LIMITS } from './protocol.ts';

/** What was told of a flow: its state, and when (milliseconds of our clock) it would end over there. */
type Told = { readonly state: string; readonly endsAt: number };
/** By the flow's name, after one reading of the table. */
export type Ledger = ReadonlyMap<string, Told>;

const SECOND = 1000;
/** A flow is told again for its time alone only when less than this part of it is left over there. */
const STALE = 0.5;

/** Only flows of the port itself: to or from one of its addresses, as the world sees it or as the launcher does. */
export function filterFlows(entries: readonly ConntrackEntry[], ips: readonly string[]): ConntrackEntry[] {
  const own = new Set(ips.flatMap((ip) => canonical(ip) ?? []));
  return entries.filter(({ original, reply }) =>
    [original.source, original.destination, reply.source, reply.destination].some((address) => own.has(address)),
  );
}

function canonical(ip: string): string | undefined {
  const address = parseAddress(ip);
  return address === undefined ? undefined : formatAddress(address);
}

/**
 * What has to be told after a reading: flows not told yet, of another state, or about to end over there while they live on
 * here. `now` in milliseconds. Flows that are not in the reading are forgotten; the target's end by themselves.
 */
export function planNews(told: Ledger, reading: readonly ConntrackEntry[], now: number): News {
  const next = new Map<string, Told>();
  const news: ConntrackEntry[] = [];
  for (const entry of reading.slice(0, LIMITS.entries)) {
    const key = formatConntrackKey(entry);
    const before = told.get(key);
    const state = formatConntrackState(entry);
    const lifeMs = entry.timeoutSeconds * SECOND;
    const isKnown = before?.state === state && before.endsAt - now >= lifeMs * STALE;
    if (!isKnown) news.push(entry);
    next.set(key, isKnown ? before : { state, endsAt: now + lifeMs });
  }
  return { news, told: next };
}
export type News = { readonly news: readonly ConntrackEntry[]; readonly told: Ledger };

/** Counts the different flows that a peer has sent in a session, and takes no more than may be carried. */
export function createCounter(most: number = LIMITS.entries) {
  const seen = new Set<string>();
  return {
    admit: (entry: ConntrackEntry): boolean => {
      const key = formatConntrackKey(entry);
      if (!seen.has(key) && seen.size >= most) return false;
      seen.add(key);
      return true;
    },
    size: () => seen.size,
  };
}
