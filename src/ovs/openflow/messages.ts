/**
 * The few messages of OpenFlow 1.3 that are needed to list flows and to add and remove simple ones (OpenFlow Switch
 * Specification 1.3.5, section 7; for registers, Open vSwitch's ovs-fields(7)). Pure.
 */
export const OPENFLOW_13 = 4;

export const TYPE = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  flowMod: 14,
  multipartRequest: 18,
  multipartReply: 19,
  barrierRequest: 20,
  barrierReply: 21,
} as const;

const HEADER = 8;
const MULTIPART_FLOW = 1;
const MORE = 1;
const ANY = 0xffffffff;
const NO_BUFFER = 0xffffffff;
const ALL_BITS = 0xffffffffffffffffn;
/** Every table, in a request. */
export const ALL_TABLES = 0xff;

/** A field of a match: class and number in one, as on the wire without the mask bit. */
const field = (oxmClass: number, number: number): number => oxmClass * 128 + number;
const BASIC = 0x8000;
const NICIRA = 1;
export const FIELD = {
  inPort: field(BASIC, 0),
  ethType: field(BASIC, 5),
  ipProto: field(BASIC, 10),
  udpSource: field(BASIC, 15),
  udpTarget: field(BASIC, 16),
  icmpv6Type: field(BASIC, 29),
  /** Register 14, in which OVN keeps the logical port that a packet came from (ovn-architecture(7)). */
  logicalInport: field(NICIRA, 14),
} as const;
/** Bytes of the fields that can be written. */
const WIDTH: ReadonlyMap<number, number> = new Map([
  [FIELD.inPort, 4],
  [FIELD.ethType, 2],
  [FIELD.ipProto, 1],
  [FIELD.udpSource, 2],
  [FIELD.udpTarget, 2],
  [FIELD.icmpv6Type, 1],
]);

/** Fields and their values, in the order in which prerequisites come first. A masked field has its value only. */
export type Match = ReadonlyMap<number, bigint>;

export type Flow = {
  readonly table: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly packets: bigint;
  readonly match: Match;
};

/** Which flows are asked for; without cookie, of any. */
export type FlowRequest = { readonly table: number; readonly cookie?: bigint };

/** A flow that drops what it matches, to be there or not. */
export type FlowChange = {
  readonly do: 'add' | 'delete';
  readonly table: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly match: Match;
};

/** What came from the switch. */
export type Message = { readonly type: number; readonly xid: number; readonly body: Buffer };

function format(type: number, xid: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(OPENFLOW_13, 0);
  header.writeUInt8(type, 1);
  header.writeUInt16BE(HEADER + body.length, 2);
  header.writeUInt32BE(xid, 4);
  return Buffer.concat([header, body]);
}

/** Offers version 1.3 and no other. */
export function formatHello(): Buffer {
  const bitmap = Buffer.alloc(8);
  bitmap.writeUInt16BE(1, 0);
  bitmap.writeUInt16BE(8, 2);
  bitmap.writeUInt32BE(1 << OPENFLOW_13, 4);
  return format(TYPE.hello, 0, bitmap);
}

export const formatBarrier = (xid: number): Buffer => format(TYPE.barrierRequest, xid);
export const formatEchoReply = ({ xid, body }: Message): Buffer => format(TYPE.echoReply, xid, body);

/** Asks for flows with their counters. */
export function formatFlowRequest(xid: number, { table, cookie }: FlowRequest): Buffer {
  const body = Buffer.alloc(40);
  body.writeUInt16BE(MULTIPART_FLOW, 0);
  body.writeUInt8(table, 8);
  body.writeUInt32BE(ANY, 12);
  body.writeUInt32BE(ANY, 16);
  body.writeBigUInt64BE(cookie ?? 0n, 24);
  body.writeBigUInt64BE(cookie === undefined ? 0n : ALL_BITS, 32);
  return format(TYPE.multipartRequest, xid, Buffer.concat([body, formatMatch(new Map())]));
}

const COMMAND = { add: 0, delete: 4 } as const;

/** Adds a flow without instructions, which drops, or deletes exactly that flow where it has this cookie. */
export function formatFlowChange(xid: number, change: FlowChange): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64BE(change.cookie, 0);
  body.writeBigUInt64BE(change.do === 'delete' ? ALL_BITS : 0n, 8);
  body.writeUInt8(change.table, 16);
  body.writeUInt8(COMMAND[change.do], 17);
  body.writeUInt16BE(change.priority, 22);
  body.writeUInt32BE(NO_BUFFER, 24);
  body.writeUInt32BE(ANY, 28);
  body.writeUInt32BE(ANY, 32);
  return format(TYPE.flowMod, xid, Buffer.concat([body, formatMatch(change.match)]));
}

const OXM = 1;
const pad8 = (length: number): number => (length + 7) & ~7;

/** Throws RangeError for a field of which the width is not known, or a value that does not fit. */
export function formatMatch(match: Match): Buffer {
  const fields = [...match].map(([key, value]) => {
    const width = WIDTH.get(key);
    if (width === undefined || value < 0n || value >> BigInt(width * 8) > 0n) {
      throw new RangeError(`field ${key} cannot be ${value}`);
    }
    const bytes = Buffer.alloc(4 + width);
    bytes.writeUInt32BE(key * 512 + width, 0);
    bytes.write(value.toString(16).padStart(width * 2, '0'), 4, 'hex');
    return bytes;
  });
  const length = 4 + fields.reduce((sum, bytes) => sum + bytes.length, 0);
  const all = Buffer.alloc(pad8(length));
  all.writeUInt16BE(OXM, 0);
  all.writeUInt16BE(length, 2);
  Buffer.concat(fields).copy(all, 4);
  return all;
}

/**
 * Cuts what has come so far into messages; `rest` is the begin of one that has not come whole. Throws RangeError for what
 * is no OpenFlow.
 */
export function splitMessages(bytes: Buffer): { readonly messages: Message[]; readonly rest: Buffer } {
  const messages: Message[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const length = bytes.readUInt16BE(at + 2);
    if (length < HEADER) throw new RangeError(`a message of ${length} bytes`);
    if (bytes.length - at < length) break;
    const body = bytes.subarray(at + HEADER, at + length);
    messages.push({ type: bytes.readUInt8(at + 1), xid: bytes.readUInt32BE(at + 4), body });
    at += length;
  }
  return { messages, rest: bytes.subarray(at) };
}

/** The flows of one part of an answer, and whether more parts follow. Throws RangeError for what is none. */
export function parseFlows({ type, body }: Message): { readonly flows: Flow[]; readonly more: boolean } {
  if (type !== TYPE.multipartReply || body.readUInt16BE(0) !== MULTIPART_FLOW) {
    throw new RangeError('no answer about flows');
  }
  const flows: Flow[] = [];
  for (let at = 8; at < body.length; ) {
    const length = body.readUInt16BE(at);
    if (length < 56 || at + length > body.length) throw new RangeError(`a flow of ${length} bytes`);
    flows.push(parseFlow(body.subarray(at, at + length)));
    at += length;
  }
  return { flows, more: (body.readUInt16BE(2) & MORE) !== 0 };
}

function parseFlow(bytes: Buffer): Flow {
  return {
    table: bytes.readUInt8(2),
    priority: bytes.readUInt16BE(12),
    cookie: bytes.readBigUInt64BE(24),
    packets: bytes.readBigUInt64BE(32),
    match: parseMatch(bytes.subarray(48)),
  };
}

function parseMatch(bytes: Buffer): Match {
  const match = new Map<number, bigint>();
  const end = bytes.readUInt16BE(2);
  if (end < 4 || end > bytes.length) throw new RangeError(`a match of ${end} bytes`);
  for (let at = 4; at < end; ) {
    const header = bytes.readUInt32BE(at);
    const length = header & 0xff;
    if (at + 4 + length > end) throw new RangeError('a field longer than its match');
    const isMasked = (header & 0x100) !== 0;
    const value = bytes.subarray(at + 4, at + 4 + (isMasked ? length / 2 : length));
    match.set(Math.floor(header / 512), value.length === 0 ? 0n : BigInt(`0x${value.toString('hex')}`));
    at += 4 + length;
  }
  return match;
}
