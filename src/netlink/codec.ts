import { ERROR_ATTR, NLA_NESTED, NLA_TYPE_MASK, NLM, NLMSG } from './constants.ts';
import { fromCode } from './errors.ts';

/**
 * The netlink envelope: messages and attributes (RFC 3549 section 2.2, netlink(7), libnl's nlattr rules). Host byte order;
 * every machine that Node 24 runs Linux on is little endian, big endian is refused at load.
 */
export type Attribute = { type: number; value: Uint8Array | readonly Attribute[] };
export type Message = { type: number; flags: number; seq: number; portId: number; payload: Buffer };
export type Acknowledgement = { errno: number; detail: string; offset?: number };

const HEADER = 16;
const ATTR_HEADER = 4;
const MAX_ATTR = 0xffff;

const align = (length: number): number => (length + 3) & ~3;

/** Byte values of an attribute. */
export const u8 = (value: number): Buffer => Buffer.from([value]);
export const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
};
/** A NUL-terminated string. */
export const text = (value: string): Buffer => Buffer.from(`${value}\0`);

/** Encodes attributes with their padding; nested ones carry NLA_F_NESTED. Throws EMSGSIZE above 65535 bytes. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(attributes.map(encodeAttribute));
}

function encodeAttribute(attribute: Attribute): Buffer {
  const nested = Array.isArray(attribute.value);
  const value = nested
    ? encodeAttributes(attribute.value as readonly Attribute[])
    : Buffer.from(attribute.value as Uint8Array);
  const length = ATTR_HEADER + value.length;
  if (length > MAX_ATTR) throw fromCode('EMSGSIZE', `netlink attribute ${attribute.type} of ${length} bytes`);
  const out = Buffer.alloc(align(length));
  out.writeUInt16LE(length, 0);
  out.writeUInt16LE((attribute.type & NLA_TYPE_MASK) | (nested ? NLA_NESTED : 0), 2);
  value.copy(out, ATTR_HEADER);
  return out;
}

/** Attributes by type; the last of a type wins, as in the kernel's nla_parse. Throws EBADMSG on a broken length. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const out = new Map<number, Buffer>();
  let at = 0;
  while (bytes.length - at >= ATTR_HEADER) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTR_HEADER || at + length > bytes.length) {
      throw fromCode('EBADMSG', `netlink attribute of ${length} bytes at ${at} of ${bytes.length}`);
    }
    out.set(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + ATTR_HEADER, at + length));
    at += align(length);
  }
  return out;
}

/** Reads a u32 attribute, undefined when it is absent or short. */
export function readU32(attributes: Map<number, Buffer>, type: number): number | undefined {
  const value = attributes.get(type);
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : undefined;
}

/** Reads a NUL-terminated string attribute. */
export function readText(attributes: Map<number, Buffer>, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

/** One message with its header, padded. */
export function encodeMessage(message: Omit<Message, 'payload'> & { payload: Uint8Array }): Buffer {
  const length = HEADER + message.payload.length;
  const out = Buffer.alloc(align(length));
  out.writeUInt32LE(length, 0);
  out.writeUInt16LE(message.type, 4);
  out.writeUInt16LE(message.flags, 6);
  out.writeUInt32LE(message.seq >>> 0, 8);
  out.writeUInt32LE(message.portId >>> 0, 12);
  out.set(message.payload, HEADER);
  return out;
}

/** All messages of one datagram. Payloads are views into `bytes`. Throws EBADMSG on a broken length. */
export function decodeMessages(bytes: Buffer): Message[] {
  const out: Message[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER || at + length > bytes.length) {
      throw fromCode('EBADMSG', `netlink message of ${length} bytes at ${at} of ${bytes.length}`);
    }
    out.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      seq: bytes.readUInt32LE(at + 8),
      portId: bytes.readUInt32LE(at + 12),
      payload: bytes.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return out;
}

/**
 * The errno (positive, 0 = done well) and the kernel's text in an NLMSG_ERROR or NLMSG_DONE message
 * (include/uapi/linux/netlink.h, NLMSGERR_ATTR_*). A DONE without payload counts as 0.
 */
export function parseAcknowledgement(message: Message): Acknowledgement {
  const { payload } = message;
  if (payload.length < 4) return { errno: 0, detail: '' };
  const errno = 0 - payload.readInt32LE(0);
  if ((message.flags & NLM.ackTlvs) === 0) return { errno, detail: '' };
  const attributes = decodeAttributes(payload.subarray(findTlvStart(message)));
  const offset = readU32(attributes, ERROR_ATTR.offset);
  const detail = readText(attributes, ERROR_ATTR.message) ?? '';
  return offset === undefined ? { errno, detail } : { errno, detail, offset };
}

function findTlvStart(message: Message): number {
  if (message.type === NLMSG.done) return 4;
  const { payload, flags } = message;
  if (payload.length < 4 + HEADER) return payload.length;
  const echoed = (flags & NLM.capped) === 0 ? align(payload.readUInt32LE(4)) : HEADER;
  return Math.min(payload.length, 4 + Math.max(HEADER, echoed));
}
