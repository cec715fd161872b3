import { decodeMessages, encodeMessage, type Message, parseAcknowledgement } from './codec.ts';
import { decodeConntrack, encodeChange, encodeHeader, encodeNew, encodeQuery } from './conntrack-codec.ts';
import {
  CONNTRACK_LIMIT,
  type ConntrackEntry,
  type ConntrackTuple,
  isSameFlow,
  planTravel,
} from './conntrack-entry.ts';
import { CTNL, NLM, NLM_DUMP, NLM_NEW, NLMSG } from './constants.ts';
import { fromCode, fromErrno, NetlinkError } from './errors.ts';
import { getGateState } from './gate.ts';
import { formatIp } from './ip.ts';
import { type Netns, refuseOwnNetns } from './netns.ts';
import { createRouteSocket, openNetfilterTransport, type RouteSocket, type Transport } from './socket.ts';

/** What a load is asked to do; see the job of the same name. */
export type ConntrackLoad = { entries: readonly ConntrackEntry[]; gateInterface?: string };

const BATCH = 64;
const EEXIST = 17;
const MAX_SETTLING = 3;

/**
 * The tracked flows of a namespace that mean something elsewhere, in no order, at most `limit`. A table that changes
 * meanwhile may show a flow twice or leave one out, as every reader of it sees. Throws NetlinkError.
 */
export function dumpConntrack(netns: Netns, limit: number): { entries: ConntrackEntry[]; truncated: boolean } {
  refuseOwnNetns(netns);
  const transport = openNetfilterTransport(netns);
  try {
    return readEntries(transport, Math.min(limit, CONNTRACK_LIMIT));
  } finally {
    transport.close();
  }
}

function readEntries(transport: Transport, limit: number): { entries: ConntrackEntry[]; truncated: boolean } {
  const payload = encodeHeader(0);
  transport.send(encodeMessage({ type: CTNL.get, flags: NLM.request | NLM_DUMP, seq: 1, portId: 0, payload }));
  const entries: ConntrackEntry[] = [];
  const format = rememberAddresses();
  for (;;) {
    for (const message of decodeMessages(transport.receive(true))) {
      if (isEnd(message)) return { entries, truncated: false };
      const entry = decodeTravelling(message, format);
      if (entry === undefined) continue;
      if (entries.length >= limit) return { entries, truncated: true };
      entries.push(entry);
    }
  }
}

function isEnd(message: Message): boolean {
  if (message.type !== NLMSG.done && message.type !== NLMSG.error) return false;
  const { errno, detail } = parseAcknowledgement(message);
  if (errno !== 0) throw fromErrno(errno, 'list tracked flows', detail);
  return true;
}

function decodeTravelling(message: Message, format: (bytes: Buffer) => string): ConntrackEntry | undefined {
  if (message.type !== CTNL.new) return undefined;
  const entry = decodeConntrack(message, format);
  return entry === undefined ? undefined : planTravel(entry);
}

/** Formatting an IPv6 address costs more than all else of an entry, and half of a launcher's addresses are its own. */
function rememberAddresses(): (bytes: Buffer) => string {
  const known = new Map<string, string>();
  return (bytes) => {
    if (bytes.length === 4) return bytes.join('.');
    const key = bytes.toString('latin1');
    const text = known.get(key) ?? formatIp(bytes);
    known.set(key, text);
    return text;
  };
}

/**
 * Brings entries into a namespace; see the job of the same name. `refused` counts those that the kernel would not take (its
 * table is full), or that are in the way of what a guest on this side has begun. Throws NetlinkError, EINVAL above the limit.
 */
export function loadConntrack(netns: Netns, load: ConntrackLoad): { loaded: number; refused: number } {
  refuseOwnNetns(netns);
  const { entries, gateInterface } = load;
  if (entries.length > CONNTRACK_LIMIT) throw fromCode('EINVAL', `${entries.length} tracked flows at once`);
  const replace = gateInterface === undefined || getGateState(netns, gateInterface)?.open === false;
  const transport = openNetfilterTransport(netns);
  try {
    return writeEntries(transport, entries, replace);
  } finally {
    transport.close();
  }
}

function writeEntries(transport: Transport, entries: readonly ConntrackEntry[], replace: boolean) {
  const taken = entries.map(planTravel).filter((entry) => entry !== undefined);
  const present: ConntrackEntry[] = [];
  let refused = entries.length - taken.length;
  for (let at = 0; at < taken.length; at += BATCH) {
    const batch = taken.slice(at, at + BATCH);
    for (const [index, errno] of createBatch(transport, batch, at)) {
      const entry = batch[index];
      if (entry !== undefined && errno === EEXIST) present.push(entry);
      else refused += 1;
    }
  }
  const socket = createRouteSocket(transport);
  refused += present.filter((entry) => !settle(socket, entry, replace)).length;
  return { loaded: entries.length - refused, refused };
}

/**
 * Sends a batch in one datagram and returns errno by place for those that failed: the kernel answers each failure, and by
 * its acknowledgement the last, so that 64 entries cost two system calls and not 128.
 */
function createBatch(transport: Transport, batch: readonly ConntrackEntry[], at: number): Map<number, number> {
  const first = at + 1;
  const last = at + batch.length;
  const flags = NLM.request | NLM_NEW.create | NLM_NEW.exclusive;
  const messages = batch.map((entry, index) => {
    const seq = first + index;
    const acked = seq === last ? flags | NLM.ack : flags;
    return encodeMessage({ type: CTNL.new, flags: acked, seq, portId: 0, payload: encodeNew(entry) });
  });
  transport.send(Buffer.concat(messages));
  const failed = new Map<number, number>();
  for (;;) {
    for (const message of decodeMessages(transport.receive(true))) {
      if (message.type !== NLMSG.error || message.seq < first || message.seq > last) continue;
      const { errno } = parseAcknowledgement(message);
      if (errno !== 0) failed.set(message.seq - first, errno);
      if (message.seq === last) return failed;
    }
  }
}

/**
 * One entry of which something is there already: the same flow is brought up to date, or left when `replace` is false. A
 * different one that holds a tuple of this flow was made by packets before the entry came, with the translation that
 * the rules gave them; it goes. Says whether the entry is in place.
 */
function settle(socket: RouteSocket, entry: ConntrackEntry, replace: boolean): boolean {
  for (let tries = 0; tries < MAX_SETTLING; tries += 1) {
    const there = findEntry(socket, entry, entry.original) ?? findEntry(socket, entry, entry.reply);
    if (there !== undefined && !replace) return isSameFlow(there, entry);
    if (there !== undefined && isSameFlow(there, entry)) return tryChange(socket, entry, there.status);
    if (there !== undefined) removeEntry(socket, there);
    if (tryCreate(socket, entry)) return true;
  }
  return false;
}

/** A flow that has seen an answer, or is assured, stays so: the kernel refuses to take either back. */
function tryChange(socket: RouteSocket, entry: ConntrackEntry, status: number): boolean {
  const payload = encodeChange({ ...entry, status: entry.status | status });
  return attempt(() => socket.request({ type: CTNL.new, payload, what: 'change a tracked flow' }));
}

function tryCreate(socket: RouteSocket, entry: ConntrackEntry): boolean {
  const flags = NLM_NEW.create | NLM_NEW.exclusive;
  return attempt(() =>
    socket.request({ type: CTNL.new, flags, payload: encodeNew(entry), what: 'add a tracked flow' }),
  );
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno > 0) return false;
    throw error;
  }
}

function findEntry(socket: RouteSocket, entry: ConntrackEntry, tuple: ConntrackTuple): ConntrackEntry | undefined {
  try {
    const payload = encodeQuery(entry, tuple);
    return decodeConntrack(socket.get({ type: CTNL.get, payload, what: 'read a tracked flow' }));
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return undefined;
    throw error;
  }
}

function removeEntry(socket: RouteSocket, entry: ConntrackEntry): boolean {
  try {
    const payload = encodeQuery(entry, entry.original);
    socket.request({ type: CTNL.delete, payload, what: 'delete a tracked flow' });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return false;
    throw error;
  }
}

/** Deletes the flow of an entry's original direction. Says whether there was one. Throws NetlinkError. */
export function deleteConntrack(netns: Netns, entry: ConntrackEntry): boolean {
  refuseOwnNetns(netns);
  const transport = openNetfilterTransport(netns);
  try {
    return removeEntry(createRouteSocket(transport), entry);
  } finally {
    transport.close();
  }
}
