import { decodeMessages, type Message, u32 } from './codec.ts';
import { decodeTravelling, rememberAddresses } from './conntrack.ts';
import { requestBatch } from './conntrack-batch.ts';
import { decodeConntrack, encodeQuery } from './conntrack-codec.ts';
import { CONNTRACK_LIMIT, type ConntrackEntry, formatConntrackKey, planTravel } from './conntrack-entry.ts';
import { CTNL } from './constants.ts';
import { fromCode, NetlinkError } from './errors.ts';
import { setSocketOption } from './libc.ts';
import { type Netns, refuseOwnNetns } from './netns.ts';
import { openNetfilterTransport, type Transport } from './socket.ts';

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

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
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
    setSocketOption(events.fd, SOL_SOCKET, { name: SO_RCVBUFFORCE, value: u32(EVENT_BUFFER) });
    for (const group of GROUPS)
      setSocketOption(events.fd, SOL_NETLINK, { name: NETLINK_ADD_MEMBERSHIP, value: u32(group) });
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
  const { lost } = drainEvents(events, (message) => {
    const entry = message.type === CTNL.new ? decodeConntrack(message, addresses) : undefined;
    // Its time is told with the answer only.
    if (entry !== undefined && planTravel({ ...entry, timeoutSeconds: 1 }) !== undefined)
      changed.set(formatConntrackKey(entry), entry);
    return changed.size <= limit;
  });
  if (lost) return { entries: [], lost };
  const gets = [...changed.values()].map((entry) => ({
    type: CTNL.get,
    payload: encodeQuery(entry, entry.original, addresses),
  }));
  const answers = requestBatch(requests, gets);
  const entries = answers.flatMap(({ message }) => (message && decodeTravelling(message, addresses)) ?? []);
  return { entries, lost: false };
}

/** Hands over all events that wait, as long as `take` wants more. Lost are those that it did not, or the kernel had no room for. */
function drainEvents(events: Transport, take: (message: Message) => boolean): { lost: boolean } {
  let lost = false;
  for (;;) {
    try {
      for (const message of decodeMessages(events.receive(false))) lost = !take(message) || lost;
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      if (error.code === 'EAGAIN') return { lost };
      if (error.code !== 'ENOBUFS') throw error;
      lost = true;
    }
  }
}
