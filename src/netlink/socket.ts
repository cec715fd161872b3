import { decodeMessages, encodeMessage, type Message, parseAcknowledgement, u32 } from './codec.ts';
import { AF, NLM, NLM_DUMP, NLMSG } from './constants.ts';
import { fromCode, fromErrno, NetlinkError } from './errors.ts';
import {
  bindSocket,
  closeFd,
  connectSocket,
  MSG_DONTWAIT,
  MSG_TRUNC,
  openSocket,
  receiveInto,
  SOCK_RAW,
  sendBytes,
  setSocketOption,
} from './libc.ts';
import { closeNetns, type Netns, openNetns, withNetns } from './netns.ts';

/** What a route socket needs of the system; a seam so that a test can step between two datagrams. */
export type Transport = {
  fd: number;
  send: (bytes: Buffer) => void;
  /** One datagram; blocks up to the receive timeout (EAGAIN), or not at all. */
  receive: (wait: boolean) => Buffer;
  close: () => void;
};

export type Request = { type: number; flags?: number; payload: Uint8Array; what: string };

/** A socket to the kernel's rtnetlink (rtnetlink(7)); synchronous, one request at a time. */
export type RouteSocket = {
  fd: number;
  /** Sends and waits for the acknowledgement. Throws NetlinkError with the kernel's text. */
  request: (request: Request) => void;
  /** Sends and returns the one object that is answered. */
  get: (request: Request) => Message;
  /** A consistent dump; repeated when the kernel says that it was interrupted by a change. */
  dump: (request: Request) => Message[];
  close: () => void;
};

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const RECEIVE_TIMEOUT_SECONDS = 10;
const RECEIVE_BUFFER = 1 << 20;
const DATAGRAM = 1 << 16;
const MAX_TRIES = 8;
const DIRTY = new Set(['ENOBUFS', 'EBUSY', 'EAGAIN']);

/**
 * Opens a route socket in the namespace at `netnsPath`, or in the caller's. The socket keeps that namespace: later use
 * needs no switching. Throws not-found when the namespace has gone.
 */
export function openRouteSocket(netnsPath?: string): RouteSocket {
  if (netnsPath === undefined) return createRouteSocket(openTransport());
  const netns = openNetns(netnsPath);
  try {
    return openRouteSocketIn(netns);
  } finally {
    closeNetns(netns);
  }
}

/** The same, for a namespace that is already open. */
export function openRouteSocketIn(netns: Netns): RouteSocket {
  return withNetns(netns, () => createRouteSocket(openTransport()));
}

/** A transport to the netfilter subsystems (nfnetlink, RFC 3549's envelope) of a namespace; it keeps that namespace. */
export function openNetfilterTransport(netns: Netns): Transport {
  return withNetns(netns, () => openTransport(RECEIVE_BUFFER, NETLINK_NETFILTER));
}

/** The real transport: connected to the kernel, so that no other process can answer in its place. */
export function openTransport(receiveBuffer: number = RECEIVE_BUFFER, protocol: number = NETLINK_ROUTE): Transport {
  const fd = openSocket(AF.netlink, SOCK_RAW, protocol);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF.netlink, 0);
  try {
    bindSocket(fd, address);
    connectSocket(fd, address);
    setSocketOption(fd, SOL_SOCKET, { name: SO_RCVBUF, value: u32(receiveBuffer) });
    setSocketOption(fd, SOL_SOCKET, { name: SO_RCVTIMEO, value: encodeTimeval(RECEIVE_TIMEOUT_SECONDS) });
    for (const name of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      setSocketOption(fd, SOL_NETLINK, { name, value: u32(1) });
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return createTransport(fd);
}

function createTransport(fd: number): Transport {
  let buffer = Buffer.allocUnsafe(DATAGRAM);
  const receive = (wait: boolean): Buffer => {
    const length = receiveInto(fd, buffer, MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
    if (length > buffer.length) {
      buffer = Buffer.allocUnsafe(length * 2);
      throw fromCode('EAGAIN', `netlink datagram of ${length} bytes did not fit`);
    }
    return Buffer.from(buffer.subarray(0, length));
  };
  return { fd, send: (bytes) => sendBytes(fd, bytes), receive, close: () => closeFd(fd) };
}

function encodeTimeval(seconds: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigInt64LE(BigInt(seconds), 0);
  return out;
}

/** Requests, acknowledgements and dumps over a transport. */
export function createRouteSocket(transport: Transport): RouteSocket {
  let sequence = 0;
  let open = true;
  const exchange = (request: Request, flags: number): Message[] => {
    sequence = (sequence + 1) >>> 0;
    const { type, payload } = request;
    transport.send(encodeMessage({ type, flags: flags | (request.flags ?? 0), seq: sequence, portId: 0, payload }));
    return collectReply(transport, sequence, request.what);
  };
  return {
    fd: transport.fd,
    request: (request) => {
      guardQueue(transport, () => exchange(request, NLM.request | NLM.ack));
    },
    get: (request) => {
      const found = retry(request.what, () => guardQueue(transport, () => exchange(request, NLM.request | NLM.ack)));
      if (found[0] === undefined) throw fromCode('ENOENT', request.what);
      return found[0];
    },
    dump: (request) =>
      retry(request.what, () => guardQueue(transport, () => exchange(request, NLM.request | NLM_DUMP))),
    close: () => {
      if (open) transport.close();
      open = false;
    },
  };
}

/**
 * Reads until the acknowledgement or the end of the dump; answers of earlier requests are skipped. An interrupted dump is
 * read to its end too, without which the kernel refuses the next one with EBUSY.
 */
function collectReply(transport: Transport, sequence: number, what: string): Message[] {
  const out: Message[] = [];
  let interrupted = false;
  for (;;) {
    const ours = decodeMessages(transport.receive(true)).filter((message) => message.seq === sequence);
    interrupted ||= ours.some((message) => (message.flags & NLM.dumpInterrupted) !== 0);
    out.push(...ours.filter((message) => message.type > NLMSG.overrun));
    const end = ours.find((message) => message.type === NLMSG.error || message.type === NLMSG.done);
    if (end === undefined) continue;
    const { errno, detail } = parseAcknowledgement(end);
    if (errno !== 0) throw fromErrno(errno, what, detail);
    if (interrupted) throw fromCode('EINTR', `${what}: the dump was interrupted by a change`);
    return out;
  }
}

/**
 * ENOBUFS means that the kernel threw answers away, EBUSY that an unread dump is in the way: what is left in the queue is
 * worthless. Empties it, so that the next request starts clean, and passes the error on; a change may have been made.
 */
function guardQueue<T>(transport: Transport, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof NetlinkError && DIRTY.has(error.code)) drain(transport);
    throw error;
  }
}

/** Takes all that waits in the queue, or throws it away. Says whether the kernel had no room for more. Throws NetlinkError. */
export function drain(transport: Transport, take?: (message: Message) => void): boolean {
  let lost = false;
  for (;;) {
    try {
      const datagram = transport.receive(false);
      if (take !== undefined) decodeMessages(datagram).forEach(take);
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'EAGAIN') return lost;
      if (!(error instanceof NetlinkError) || error.code !== 'ENOBUFS') throw error;
      lost = true;
    }
  }
}

/** Hears what the kernel multicasts to these groups; `receiveBuffer` bytes of it may wait. Throws NetlinkError. */
export function subscribe({ fd }: Transport, groups: readonly number[], receiveBuffer: number): void {
  setSocketOption(fd, SOL_SOCKET, { name: SO_RCVBUFFORCE, value: u32(receiveBuffer) });
  for (const group of groups) setSocketOption(fd, SOL_NETLINK, { name: NETLINK_ADD_MEMBERSHIP, value: u32(group) });
}

/** Reading is harmless to repeat; changes are not repeated here. */
function retry<T>(what: string, action: () => T): T {
  for (let tries = 1; ; tries += 1) {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.class !== 'retry') throw error;
      if (tries >= MAX_TRIES) throw fromCode(error.code, `${what}: gave up after ${tries} tries: ${error.message}`);
    }
  }
}
