import { type Attribute, decodeAttributes, encodeAttributes, type Message, u8 } from './codec.ts';
import {
  CONNTRACK_STATUS,
  type ConntrackEntry,
  type ConntrackTcp,
  type ConntrackTuple,
  isTravellingProtocol,
  PROTOCOL,
} from './conntrack-entry.ts';
import {
  AF,
  CTA,
  CTA_IP,
  CTA_NAT,
  CTA_PROTO,
  CTA_PROTOINFO_TCP,
  CTA_PROTONAT,
  CTA_TCP,
  CTA_TUPLE,
} from './constants.ts';
import { fromCode } from './errors.ts';
import { formatIp, parseIp } from './ip.ts';

/**
 * Entries as bytes of ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h; what the kernel makes of them:
 * net/netfilter/nf_conntrack_netlink.c). Numbers of more than one byte are in network order.
 */

/** Addresses as text and as bytes; a seam for a memory across many entries, most of which share them. */
export type Addresses = { format: (bytes: Buffer) => string; parse: (text: string) => Buffer };

const PLAIN: Addresses = { format: formatIp, parse: (text) => parseIp(text).bytes };

type Flow = Pick<ConntrackEntry, 'family' | 'protocol'>;

const HEADER = 4;
/** Take segments outside of the known window: an entry from elsewhere knows none (nf_conntrack_tcp.h). */
const BE_LIBERAL = 0x08;

/** struct nfgenmsg. Family 0 asks for both. */
export function encodeHeader(family: 0 | 4 | 6): Buffer {
  const number = family === 0 ? AF.unspec : family === 4 ? AF.inet : AF.inet6;
  return Buffer.from([number, 0, 0, 0]);
}

/** Names one entry by the tuple of its original (or any) direction, for get and delete. */
export function encodeQuery(flow: Flow, tuple: ConntrackTuple, addresses: Addresses = PLAIN): Buffer {
  const attributes = encodeAttributes([{ type: CTA.tupleOriginal, value: planTuple(flow, tuple, addresses) }]);
  return Buffer.concat([encodeHeader(flow.family), attributes]);
}

/**
 * A new entry. The reply goes in mirrored, and both translations with ranges of one address and one port: only so does the
 * kernel set its NAT bits, and choose nothing itself (nf_nat_setup_info). An entry without NAT names its own addresses,
 * without which the next packet would go through the rules again.
 */
export function encodeNew(entry: ConntrackEntry, addresses: Addresses = PLAIN): Buffer {
  const { family, original, reply } = entry;
  const from = { address: addresses.parse(reply.destination), id: findId(reply, reply.destinationPort) };
  const to = { address: addresses.parse(reply.source), id: findId(original, reply.sourcePort) };
  const attributes: Attribute[] = [
    { type: CTA.tupleOriginal, value: planTuple(entry, original, addresses) },
    { type: CTA.tupleReply, value: planTuple(entry, mirror(entry), addresses) },
    { type: CTA.natSource, value: planNat(family, from) },
    { type: CTA.natDestination, value: planNat(family, to) },
    ...planState(entry),
  ];
  return Buffer.concat([encodeHeader(family), encodeAttributes(attributes)]);
}

/** A change of an entry that is there; addresses and NAT of it cannot change. */
export function encodeChange(entry: ConntrackEntry, addresses: Addresses = PLAIN): Buffer {
  const tuple = { type: CTA.tupleOriginal, value: planTuple(entry, entry.original, addresses) };
  return Buffer.concat([encodeHeader(entry.family), encodeAttributes([tuple, ...planState(entry)])]);
}

function planState({ status, timeoutSeconds, mark, tcp }: ConntrackEntry): Attribute[] {
  return [
    { type: CTA.status, value: u32be(status | CONNTRACK_STATUS.confirmed) },
    { type: CTA.timeout, value: u32be(timeoutSeconds) },
    ...(mark === undefined ? [] : [{ type: CTA.mark, value: u32be(mark) }]),
    ...(tcp === undefined ? [] : [{ type: CTA.protoInfo, value: planTcp(tcp) }]),
  ];
}

/** The reply that an entry without NAT would have. */
function mirror({ original, reply }: ConntrackEntry): ConntrackTuple {
  const { source, destination, sourcePort, destinationPort, icmp } = original;
  const addresses = { source: destination, destination: source };
  if (icmp !== undefined) return { ...addresses, icmp: { ...icmp, type: reply.icmp?.type ?? icmp.type } };
  return {
    ...addresses,
    ...(destinationPort === undefined ? {} : { sourcePort: destinationPort }),
    ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }),
  };
}

/** What stands for the port in a NAT range; an echo's id belongs to the side that asked. */
function findId(tuple: ConntrackTuple, port: number | undefined): number {
  return port ?? tuple.icmp?.id ?? 0;
}

function planTuple({ family, protocol }: Flow, tuple: ConntrackTuple, { parse }: Addresses): Attribute[] {
  const [source, destination] =
    family === 4 ? [CTA_IP.v4Source, CTA_IP.v4Destination] : [CTA_IP.v6Source, CTA_IP.v6Destination];
  const ip = [
    { type: source, value: parse(tuple.source) },
    { type: destination, value: parse(tuple.destination) },
  ];
  const proto = [{ type: CTA_PROTO.number, value: u8(protocol) }, ...planPorts(family, tuple)];
  return [
    { type: CTA_TUPLE.ip, value: ip },
    { type: CTA_TUPLE.proto, value: proto },
  ];
}

function planPorts(family: 4 | 6, { sourcePort, destinationPort, icmp }: ConntrackTuple): Attribute[] {
  if (icmp === undefined) {
    return [
      { type: CTA_PROTO.sourcePort, value: u16be(sourcePort ?? 0) },
      { type: CTA_PROTO.destinationPort, value: u16be(destinationPort ?? 0) },
    ];
  }
  const types = findIcmpTypes(family);
  return [
    { type: types.id, value: u16be(icmp.id) },
    { type: types.type, value: u8(icmp.type) },
    { type: types.code, value: u8(icmp.code) },
  ];
}

function findIcmpTypes(family: 4 | 6): { id: number; type: number; code: number } {
  if (family === 4) return { id: CTA_PROTO.icmpId, type: CTA_PROTO.icmpType, code: CTA_PROTO.icmpCode };
  return { id: CTA_PROTO.icmpv6Id, type: CTA_PROTO.icmpv6Type, code: CTA_PROTO.icmpv6Code };
}

function planNat(family: 4 | 6, { address, id }: { address: Buffer; id: number }): Attribute[] {
  const types = family === 4 ? [CTA_NAT.v4Least, CTA_NAT.v4Most] : [CTA_NAT.v6Least, CTA_NAT.v6Most];
  const ports = [CTA_PROTONAT.portLeast, CTA_PROTONAT.portMost].map((type) => ({ type, value: u16be(id) }));
  return [...types.map((type) => ({ type, value: address })), { type: CTA_NAT.proto, value: ports }];
}

function planTcp(tcp: ConntrackTcp): Attribute[] {
  const flags = (value: number) => Buffer.from([value | BE_LIBERAL, 0xff]);
  const value = [
    { type: CTA_TCP.state, value: u8(tcp.state) },
    { type: CTA_TCP.windowScaleOriginal, value: u8(tcp.windowScaleOriginal) },
    { type: CTA_TCP.windowScaleReply, value: u8(tcp.windowScaleReply) },
    { type: CTA_TCP.flagsOriginal, value: flags(tcp.flagsOriginal) },
    { type: CTA_TCP.flagsReply, value: flags(tcp.flagsReply) },
  ];
  return [{ type: CTA_PROTOINFO_TCP, value }];
}

/**
 * Reads one entry, raw: status and timeout as they are. Undefined for a protocol that does not travel, and for an entry of
 * a zone, which only rules of the source's namespace could lead a packet to. Throws EBADMSG on broken bytes.
 */
export function decodeConntrack(message: Message, { format }: Addresses = PLAIN): ConntrackEntry | undefined {
  const { payload } = message;
  if (payload.length < HEADER) throw fromCode('EBADMSG', `conntrack message of ${payload.length} bytes`);
  const family = payload.readUInt8(0) === AF.inet ? 4 : 6;
  const attributes = decodeAttributes(payload.subarray(HEADER));
  const inner = decodeAttributes(need(attributes, CTA.tupleOriginal, 8));
  const protocol = need(decodeAttributes(need(inner, CTA_TUPLE.proto, 4)), CTA_PROTO.number, 1).readUInt8(0);
  if (!isTravellingProtocol(family, protocol) || attributes.has(CTA.zone)) return undefined;
  const read = { family, protocol, format } as const;
  const mark = attributes.has(CTA.mark) ? need(attributes, CTA.mark, 4).readUInt32BE(0) : 0;
  return {
    family,
    protocol,
    original: decodeTuple(inner, read),
    reply: decodeTuple(decodeAttributes(need(attributes, CTA.tupleReply, 8)), read),
    status: need(attributes, CTA.status, 4).readUInt32BE(0),
    timeoutSeconds: attributes.has(CTA.timeout) ? need(attributes, CTA.timeout, 4).readUInt32BE(0) : 0,
    ...(mark === 0 ? {} : { mark }),
    ...(protocol === PROTOCOL.tcp ? { tcp: decodeTcp(attributes) } : {}),
  };
}

type Reading = { family: 4 | 6; protocol: number; format: Addresses['format'] };

function decodeTuple(parts: Map<number, Buffer>, { family, protocol, format }: Reading): ConntrackTuple {
  const ip = decodeAttributes(need(parts, CTA_TUPLE.ip, 8));
  const proto = decodeAttributes(need(parts, CTA_TUPLE.proto, 4));
  const length = family === 4 ? 4 : 16;
  const source = format(need(ip, family === 4 ? CTA_IP.v4Source : CTA_IP.v6Source, length));
  const destination = format(need(ip, family === 4 ? CTA_IP.v4Destination : CTA_IP.v6Destination, length));
  if (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) {
    const sourcePort = need(proto, CTA_PROTO.sourcePort, 2).readUInt16BE(0);
    return {
      source,
      destination,
      sourcePort,
      destinationPort: need(proto, CTA_PROTO.destinationPort, 2).readUInt16BE(0),
    };
  }
  const types = findIcmpTypes(family);
  const [type, code] = [need(proto, types.type, 1).readUInt8(0), need(proto, types.code, 1).readUInt8(0)];
  return { source, destination, icmp: { type, code, id: need(proto, types.id, 2).readUInt16BE(0) } };
}

/** The TCP part; a tracker that is just giving the entry up leaves it out, which counts as state 0. */
function decodeTcp(attributes: Map<number, Buffer>): ConntrackTcp {
  const info = attributes.get(CTA.protoInfo);
  const parts = info === undefined ? new Map<number, Buffer>() : decodeAttributes(info);
  const tcp = decodeAttributes(parts.get(CTA_PROTOINFO_TCP) ?? Buffer.alloc(0));
  const byte = (type: number) => (tcp.has(type) ? need(tcp, type, 1).readUInt8(0) : 0);
  return {
    state: byte(CTA_TCP.state),
    windowScaleOriginal: byte(CTA_TCP.windowScaleOriginal),
    windowScaleReply: byte(CTA_TCP.windowScaleReply),
    flagsOriginal: byte(CTA_TCP.flagsOriginal),
    flagsReply: byte(CTA_TCP.flagsReply),
  };
}

function need(attributes: Map<number, Buffer>, type: number, length: number): Buffer {
  const value = attributes.get(type);
  if (value === undefined || value.length < length)
    throw fromCode('EBADMSG', `conntrack attribute ${type} missing or short`);
  return value;
}

function u16be(value: number): Buffer {
  return Buffer.from([(value >>> 8) & 0xff, value & 0xff]);
}

function u32be(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}
