import { decodeTravelling, rememberAddresses } from './conntrack.ts';
import { requestBatch } from './conntrack-batch.ts';
import { decodeConntrack, encodeQuery } from './conntrack-codec.ts';
import { CONNTRACK_LIMIT, type ConntrackEntry, formatConntrackKey, isPortable } from './conntrack-entry.ts';
import { CTNL } from './constants.ts';
import { fromCode } from './errors.ts';
import { type Netns, refuseOwnNetns } from './netns.ts';
import { drain, openNetfilterTransport, subscribe, type Transport } from './socket.ts';

/** Flows that changed, as they are now. `lost`: more changed than the kernel kept or `limit` allows; read the table. */
export type ConntrackChanges = { entries: ConntrackEntry[]; lost: boolean };

/** Namespaces whose tracker is listened to. A watch holds its namespace until it is closed. */
export type ConntrackWatches = {
  /** From now on changes are kept for `read`. Throws NetlinkError. */
  open: (netns: Netns) => number;
  /** What has changed since the last call, at once. Throws NetlinkError, ENOENT (class not-found) for no watch of ours. */
  read: (watch: number, limit: number) => ConntrackChanges;
  /** Says whether there was such a watch. */
  close: (watch: number) => boolean;
};

type Watch = { readonly events: Transport; readonly requests: Transport };

/** enum nfnetlink_groups (linux/netfilter/nfnetlink_compat.h). The end of a flow is not listened for: it ends over there by itself. */
const GROUPS = [1, 2];
/** Some thousand changes between two readings; the kernel takes memory for those only that wait. */
const EVENT_BUFFER = 1 << 22;

/**
 * A seam for who hears a tracker. Reading a namespace's table walks the buckets of all namespaces of the node, with packets of
 * that processor held up meanwhile (7 ms with 262,144 buckets; ctnetlink_dump_table); what it says of itself costs nothing.
 */
export function createConntrackWatches(): ConntrackWatches {
  const watches = new Map<number, Watch>();
  let last = 0;
  return {
    open: (netns) => {
      refuseOwnNetns(netns);
      last += 1;
      watches.set(last, openWatch(netns));
      return last;
    },
    read: (watch, limit) => {
      const found = watches.get(watch);
      if (found === undefined) throw fromCode('ENOENT', `no watch ${watch} of a tracker`);
      return readChanges(found, Math.min(limit, CONNTRACK_LIMIT));
    },
    close: (watch) => {
      const found = watches.get(watch);
      found?.events.close();
      found?.requests.close();
      return watches.delete(watch);
    },
  };
}

function openWatch(netns: Netns): Watch {
  const events = openNetfilterTransport(netns);
  try {
    subscribe(events, GROUPS, EVENT_BUFFER);
    return { events, requests: openNetfilterTransport(netns) };
  } catch (error) {
    events.close();
    throw error;
  }
}

/** An event says what has changed, not what is: the flows are asked for, which costs a look into one bucket each. */
function readChanges({ events, requests }: Watch, limit: number): ConntrackChanges {
  const addresses = rememberAddresses();
  const changed = new Map<string, ConntrackEntry>();
  const lost = drain(events, (message) => {
    if (changed.size > limit) return;
    const entry = message.type === CTNL.new ? decodeConntrack(message, addresses) : undefined;
    // Its time, and its state when that is not what has changed, come with the answer only.
    if (entry !== undefined && isPortable(entry)) changed.set(formatConntrackKey(entry), entry);
  });
  if (lost || changed.size > limit) return { entries: [], lost: true };
  const gets = [...changed.values()].map((entry) => ({
    type: CTNL.get,
    payload: encodeQuery(entry, entry.original, addresses),
  }));
  const answers = requestBatch(requests, gets);
  const entries = answers.flatMap(({ message }) => (message && decodeTravelling(message, addresses)) ?? []);
  return { entries, lost: false };
}
