import { decodeMessages, encodeMessage, type Message, parseAcknowledgement } from './codec.ts';
import { type BatchRequest, requestBatch } from './conntrack-batch.ts';
import {
  type Addresses,
  decodeConntrack,
  encodeChange,
  encodeHeader,
  encodeNew,
  encodeQuery,
} from './conntrack-codec.ts';
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
import { formatIp, parseIp } from './ip.ts';
import { type Netns, refuseOwnNetns } from './netns.ts';
import { createRouteSocket, openNetfilterTransport, type RouteSocket, type Transport } from './socket.ts';

/** What a load is asked to do; see the job of the same name. */
export type ConntrackLoad = { entries: readonly ConntrackEntry[]; gateInterface?: string };

const EEXIST = 17;
const MAX_SETTLING = 3;
/** Failures of the socket, after which nothing is known of the kernel's answer. */
const LOST = new Set(['EAGAIN', 'ENOBUFS']);

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
  const addresses = rememberAddresses();
  for (;;) {
    for (const message of decodeMessages(transport.receive(true))) {
      if (isEnd(message)) return { entries, truncated: false };
      const entry = decodeTravelling(message, addresses);
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

/** The flow of a message, when it is one that means something elsewhere. */
export function decodeTravelling(message: Message, addresses: Addresses): ConntrackEntry | undefined {
  if (message.type !== CTNL.new) return undefined;
  const entry = decodeConntrack(message, addresses);
  return entry === undefined ? undefined : planTravel(entry);
}

/** Reading or writing an IPv6 address costs more than all else of an entry, and half of a launcher's are its own. */
export function rememberAddresses(): Addresses {
  const texts = new Map<string, string>();
  const bytes = new Map<string, Buffer>();
  return {
    format: (address) => {
      const key = address.toString('latin1');
      const text = texts.get(key) ?? formatIp(address);
      texts.set(key, text);
      return text;
    },
    parse: (text) => {
      const address = bytes.get(text) ?? parseIp(text).bytes;
      bytes.set(text, address);
      return address;
    },
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
    const socket = createRouteSocket(transport);
    return writeEntries({ transport, socket, addresses: rememberAddresses(), replace }, entries);
  } finally {
    transport.close();
  }
}

type Loader = { transport: Transport; socket: RouteSocket; addresses: Addresses; replace: boolean };

function writeEntries(loader: Loader, entries: readonly ConntrackEntry[]): { loaded: number; refused: number } {
  const portable = entries.map(planTravel).filter((entry) => entry !== undefined);
  const created = requestBatch(
    loader.transport,
    portable.map((entry) => planCreate(loader, entry)),
  );
  const present = portable.filter((_entry, at) => created[at]?.errno === EEXIST);
  const failed = created.filter(({ errno }) => errno !== 0 && errno !== EEXIST).length;
  const stuck = settleSameFlows(loader, present).filter((entry) => !settle(loader, entry)).length;
  const refused = entries.length - portable.length + failed + stuck;
  return { loaded: entries.length - refused, refused };
}

/** What most entries of a second load are: there, the same. Returns those that need a closer look. */
function settleSameFlows(loader: Loader, present: readonly ConntrackEntry[]): ConntrackEntry[] {
  const { transport, addresses, replace } = loader;
  const gets = present.map((entry) => planGet(loader, entry, entry.original));
  const found = requestBatch(transport, gets).map(({ message }) => message && decodeConntrack(message, addresses));
  const left: ConntrackEntry[] = [];
  const changes: { entry: ConntrackEntry; request: BatchRequest }[] = [];
  for (const [at, entry] of present.entries()) {
    const there = found[at];
    if (there === undefined || !isSameFlow(there, entry)) left.push(entry);
    else if (replace) changes.push({ entry, request: planChange(loader, entry, there.status) });
  }
  const changed = requestBatch(
    transport,
    changes.map(({ request }) => request),
  );
  return [...left, ...changes.filter((_change, at) => changed[at]?.errno !== 0).map(({ entry }) => entry)];
}

/**
 * One entry of which something is there already: the same flow is brought up to date, or left when `replace` is false. A
 * different one that holds a tuple of this flow was made by packets before the entry came, with the translation that
 * the rules gave them; it goes. Says whether the entry is in place.
 */
function settle(loader: Loader, entry: ConntrackEntry): boolean {
  const { socket, replace } = loader;
  for (let tries = 0; tries < MAX_SETTLING; tries += 1) {
    const there = findEntry(loader, entry, entry.original) ?? findEntry(loader, entry, entry.reply);
    const same = there !== undefined && isSameFlow(there, entry);
    if (there !== undefined && !replace) return same;
    if (same) return tryRequest(socket, planChange(loader, entry, there.status));
    if (there !== undefined) removeEntry(socket, there);
    if (tryRequest(socket, planCreate(loader, entry))) return true;
  }
  return false;
}

function planCreate({ addresses }: Loader, entry: ConntrackEntry): BatchRequest {
  return { type: CTNL.new, flags: NLM_NEW.create | NLM_NEW.exclusive, payload: encodeNew(entry, addresses) };
}

/** A flow that has seen an answer, or is assured, stays so: the kernel refuses to take either back. */
function planChange({ addresses }: Loader, entry: ConntrackEntry, status: number): BatchRequest {
  return { type: CTNL.new, payload: encodeChange({ ...entry, status: entry.status | status }, addresses) };
}

function planGet({ addresses }: Loader, entry: ConntrackEntry, tuple: ConntrackTuple): BatchRequest {
  return { type: CTNL.get, payload: encodeQuery(entry, tuple, addresses) };
}

function tryRequest(socket: RouteSocket, request: BatchRequest): boolean {
  try {
    socket.request({ ...request, what: 'write a tracked flow' });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && !LOST.has(error.code)) return false;
    throw error;
  }
}

function findEntry(loader: Loader, entry: ConntrackEntry, tuple: ConntrackTuple): ConntrackEntry | undefined {
  try {
    return decodeConntrack(loader.socket.get({ ...planGet(loader, entry, tuple), what: 'read a tracked flow' }));
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
