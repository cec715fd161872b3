import { fromCode } from './errors.ts';
import { formatIp, parseIp } from './ip.ts';

/** One direction of a tracked flow. TCP and UDP have both ports, ICMP and ICMPv6 have `icmp` (an echo). */
export type ConntrackTuple = {
  source: string;
  destination: string;
  sourcePort?: number;
  destinationPort?: number;
  icmp?: { type: number; code: number; id: number };
};

/** The TCP part: `state` as in nf_conntrack_tcp.h (1 SYN_SENT .. 9 SYN_SENT2), window scales 0..14, flags of each side. */
export type ConntrackTcp = {
  state: number;
  windowScaleOriginal: number;
  windowScaleReply: number;
  flagsOriginal: number;
  flagsReply: number;
};

/**
 * One flow of a kernel's connection tracking, as it travels from one namespace to another. NAT is what `reply` differs by
 * from the mirrored `original`: its destination from the source (SNAT), its source from the destination (DNAT).
 */
export type ConntrackEntry = {
  family: 4 | 6;
  /** IP protocol: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6. */
  protocol: number;
  original: ConntrackTuple;
  reply: ConntrackTuple;
  /** Bits of `CONNTRACK_STATUS`. */
  status: number;
  timeoutSeconds: number;
  /** The connection's mark, when it is not 0. */
  mark?: number;
  tcp?: ConntrackTcp;
};

/** The status bits that travel (nf_conntrack_common.h, IPS_*); all others say how the source's kernel came to the entry. */
export const CONNTRACK_STATUS = { seenReply: 0x2, assured: 0x4, confirmed: 0x8 } as const;
/** No more entries are read or written at once; a node's own default table holds four times as many. */
export const CONNTRACK_LIMIT = 65_536;

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
/** Window scaling, SACK and who closed first (nf_conntrack_tcp.h); what else there is depends on packets just seen. */
export const TCP_FLAGS = 0x07;
export const TCP_STATE = { established: 3, last: 9 } as const;

const STATUS_MASK = CONNTRACK_STATUS.seenReply | CONNTRACK_STATUS.assured | CONNTRACK_STATUS.confirmed;
const MAX_WINDOW_SCALE = 14;
/** The kernel's own default for an established TCP session: five days. */
const MAX_TCP_SECONDS = 432_000;
const MAX_OTHER_SECONDS = 3_600;
const MAX_ADDRESS_TEXT = 45;
const ECHO: Record<number, { request: number; reply: number }> = {
  [PROTOCOL.icmp]: { request: 8, reply: 0 },
  [PROTOCOL.icmpv6]: { request: 128, reply: 129 },
};

/**
 * Reads one entry that a peer sent. Hostile until it has passed: only known fields are taken, addresses become canonical
 * and must be of the family, ports 1..65535, status, flags and timeout are cut to what may travel. Throws EBADMSG for
 * what is no entry, or none that may travel (`isPortable`).
 */
export function parseConntrackEntry(value: unknown): ConntrackEntry {
  const record = parseRecord(value, 'entry');
  const family = record.family;
  if (family !== 4 && family !== 6) throw refuse('family');
  const protocol = parseInteger(record.protocol, 'protocol', 0, 255);
  const context = { family, protocol } as const;
  const original = parseTuple(record.original, context, 'original');
  const reply = parseTuple(record.reply, context, 'reply');
  const mark = record.mark === undefined ? 0 : parseInteger(record.mark, 'mark', 0, 0xffffffff);
  const entry: ConntrackEntry = {
    ...context,
    original,
    reply,
    status: parseInteger(record.status, 'status', 0, 0xffffffff) & STATUS_MASK,
    timeoutSeconds: parseInteger(record.timeoutSeconds, 'timeoutSeconds', 1, 0xffffffff),
    ...(mark === 0 ? {} : { mark }),
    ...(protocol === PROTOCOL.tcp ? { tcp: parseTcp(record.tcp) } : {}),
  };
  if (!isPortable(entry)) throw refuse('addresses or ICMP type');
  return capTimeout(entry);
}

/** The same entry with a timeout that its state can have at most, in a kernel with default settings. */
export function capTimeout(entry: ConntrackEntry): ConntrackEntry {
  const lasting = entry.tcp?.state === TCP_STATE.established;
  const most = lasting ? MAX_TCP_SECONDS : MAX_OTHER_SECONDS;
  return { ...entry, timeoutSeconds: Math.min(entry.timeoutSeconds, most) };
}

/**
 * What travels of an entry that a kernel has: the status bits and TCP flags that mean something elsewhere. Undefined when
 * nothing does: it is as good as over, or not portable.
 */
export function planTravel(entry: ConntrackEntry): ConntrackEntry | undefined {
  const { tcp, status, timeoutSeconds } = entry;
  if (timeoutSeconds === 0 || tcp?.state === 0 || !isPortable(entry)) return undefined;
  const lighter = { ...entry, status: status & STATUS_MASK };
  if (tcp === undefined) return capTimeout(lighter);
  const flags = { flagsOriginal: tcp.flagsOriginal & TCP_FLAGS, flagsReply: tcp.flagsReply & TCP_FLAGS };
  return capTimeout({ ...lighter, tcp: { ...tcp, ...flags } });
}

/**
 * Whether an entry means anything in another namespace: TCP, UDP and echo between unicast addresses. What stays behind is
 * loopback, multicast, broadcast, the unspecified address (DHCP) and IPv6 link-local, which belong to one launcher alone.
 */
export function isPortable(entry: ConntrackEntry): boolean {
  const { original, reply, family, protocol } = entry;
  const addresses = [original.source, original.destination, reply.source, reply.destination];
  return isTravellingProtocol(family, protocol) && isEchoPair(entry) && addresses.every(isTravellingAddress);
}

/** TCP, UDP, and the ICMP of the family. */
export function isTravellingProtocol(family: 4 | 6, protocol: number): boolean {
  if (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) return true;
  return protocol === (family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6);
}

function isEchoPair({ protocol, original, reply }: ConntrackEntry): boolean {
  const echo = ECHO[protocol];
  if (echo === undefined) return true;
  const types = [original.icmp?.type, reply.icmp?.type];
  return types[0] === echo.request && types[1] === echo.reply;
}

const LOCAL4 = /^(0|127|22[4-9]|2[3-5]\d)\./;
const LOCAL6 = /^(::1?$|ff|fe[89ab])/;

function isTravellingAddress(address: string): boolean {
  return !(address.includes(':') ? LOCAL6 : LOCAL4).test(address);
}

/** Names a flow by its original direction: equal for two readings of one flow, different for any two flows of a table. */
export function formatConntrackKey(entry: ConntrackEntry): string {
  return `${entry.protocol} ${formatTuple(entry.original)}`;
}

/** Whether both entries translate the same flow the same way, whatever their states. */
export function isSameFlow(one: ConntrackEntry, other: ConntrackEntry): boolean {
  const same = formatConntrackKey(one) === formatConntrackKey(other);
  return same && formatTuple(one.reply) === formatTuple(other.reply);
}

/** Everything of an entry but the running timeout: what has changed since the last reading shows here. */
export function formatConntrackState(entry: ConntrackEntry): string {
  const { tcp, status, mark } = entry;
  const parts = tcp === undefined ? [] : [tcp.state, tcp.windowScaleOriginal, tcp.windowScaleReply];
  const flags = tcp === undefined ? [] : [tcp.flagsOriginal, tcp.flagsReply];
  return [formatConntrackKey(entry), formatTuple(entry.reply), status, mark ?? 0, ...parts, ...flags].join(' ');
}

function formatTuple({ source, destination, sourcePort, destinationPort, icmp }: ConntrackTuple): string {
  const rest = icmp === undefined ? `${sourcePort} ${destinationPort}` : `${icmp.type} ${icmp.code} ${icmp.id}`;
  return `${source} ${destination} ${rest}`;
}

function parseTuple(value: unknown, context: { family: 4 | 6; protocol: number }, what: string): ConntrackTuple {
  const record = parseRecord(value, what);
  const addresses = {
    source: parseAddress(record.source, context.family),
    destination: parseAddress(record.destination, context.family),
  };
  if (ECHO[context.protocol] !== undefined) return { ...addresses, icmp: parseIcmp(record.icmp) };
  const sourcePort = parseInteger(record.sourcePort, `${what}.sourcePort`, 1, 65535);
  const destinationPort = parseInteger(record.destinationPort, `${what}.destinationPort`, 1, 65535);
  return { ...addresses, sourcePort, destinationPort };
}

function parseIcmp(value: unknown): { type: number; code: number; id: number } {
  const record = parseRecord(value, 'icmp');
  const type = parseInteger(record.type, 'icmp.type', 0, 255);
  return { type, code: parseInteger(record.code, 'icmp.code', 0, 0), id: parseInteger(record.id, 'icmp.id', 0, 65535) };
}

function parseTcp(value: unknown): ConntrackTcp {
  const record = parseRecord(value, 'tcp');
  const scale = (name: string) => parseInteger(record[name], `tcp.${name}`, 0, MAX_WINDOW_SCALE);
  const flags = (name: string) => parseInteger(record[name], `tcp.${name}`, 0, 255) & TCP_FLAGS;
  return {
    state: parseInteger(record.state, 'tcp.state', 1, TCP_STATE.last),
    windowScaleOriginal: scale('windowScaleOriginal'),
    windowScaleReply: scale('windowScaleReply'),
    flagsOriginal: flags('flagsOriginal'),
    flagsReply: flags('flagsReply'),
  };
}

function parseAddress(value: unknown, family: 4 | 6): string {
  if (typeof value !== 'string' || value.length > MAX_ADDRESS_TEXT) throw refuse('address');
  if (value.includes(':') !== (family === 6)) throw refuse('address family');
  try {
    return formatIp(parseIp(value).bytes);
  } catch {
    throw refuse('address');
  }
}

function parseRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(what);
  return value as Record<string, unknown>;
}

function parseInteger(value: unknown, what: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) throw refuse(what);
  return value;
}

function refuse(what: string): Error {
  return fromCode('EBADMSG', `not a tracked flow that may travel: ${what}`);
}
