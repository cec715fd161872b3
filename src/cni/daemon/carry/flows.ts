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

/** What was read: all flows that there are, or those that have changed. */
export type Reading = 'table' | 'changes';

/**
 * What has to be told after a reading: flows not told yet, of another state, or about to end over there while they live on
 * here. `now` in milliseconds. Flows that are not in a reading of the table are forgotten; the target's end by themselves.
 */
export function planNews(
  told: Ledger,
  entries: readonly ConntrackEntry[],
  { reading, now }: { readonly reading: Reading; readonly now: number },
): News {
  const next = new Map<string, Told>(reading === 'table' ? [] : told);
  const news: ConntrackEntry[] = [];
  let complete = true;
  for (const entry of entries) {
    const key = formatConntrackKey(entry);
    if (next.size >= LIMITS.entries && !next.has(key)) {
      complete = false;
      continue;
    }
    const before = told.get(key);
    const state = formatConntrackState(entry);
    const lifeMs = entry.timeoutSeconds * SECOND;
    const isKnown = before?.state === state && before.endsAt - now >= lifeMs * STALE;
    if (!isKnown) news.push(entry);
    next.set(key, isKnown ? before : { state, endsAt: now + lifeMs });
  }
  return { news, told: next, complete };
}
/** `complete`: no flow was left out, which those above the limit are. */
export type News = { readonly news: readonly ConntrackEntry[]; readonly told: Ledger; readonly complete: boolean };

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
