import { type Attribute, decodeAttributes, encodeAttributes, type Message, readU32, u32 } from './codec.ts';
import { IFA, IFA_F, NLM_NEW, RTM } from './constants.ts';
import { fromCode, NetlinkError } from './errors.ts';
import { type Cidr, findBroadcast, formatIp, parseCidr } from './ip.ts';
import type { RouteSocket } from './socket.ts';

/** An address on a link; `cidr` in canonical text. */
export type Address = { ifIndex: number; family: number; cidr: string; flags: number; scope: number };
export type AddressOptions = { noDad?: boolean };

const HEADER = 8;

/** struct ifaddrmsg and its attributes. */
export function encodeAddress(ifIndex: number, cidr: Cidr, flags = 0): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(cidr.family, 0);
  header.writeUInt8(cidr.prefix, 1);
  header.writeUInt8(flags & 0xff, 2);
  header.writeUInt32LE(ifIndex, 4);
  const attributes: Attribute[] = [
    { type: IFA.local, value: cidr.bytes },
    { type: IFA.address, value: cidr.bytes },
    { type: IFA.flags, value: u32(flags) },
  ];
  const broadcast = findBroadcast(cidr);
  if (broadcast !== undefined) attributes.push({ type: IFA.broadcast, value: broadcast });
  return Buffer.concat([header, encodeAttributes(attributes)]);
}

/** Reads an RTM_NEWADDR message. Throws EBADMSG. */
export function decodeAddress(message: Message): Address {
  const { payload } = message;
  if (payload.length < HEADER) throw fromCode('EBADMSG', `address message of ${payload.length} bytes`);
  const attributes = decodeAttributes(payload.subarray(HEADER));
  const bytes = attributes.get(IFA.local) ?? attributes.get(IFA.address);
  if (bytes === undefined) throw fromCode('EBADMSG', 'address message without an address');
  return {
    ifIndex: payload.readUInt32LE(4),
    family: payload.readUInt8(0),
    cidr: `${formatIp(bytes)}/${payload.readUInt8(1)}`,
    flags: readU32(attributes, IFA.flags) ?? payload.readUInt8(2),
    scope: payload.readUInt8(3),
  };
}

/** Adds `address/prefix`, or refreshes it. `noDad` (IPv6): usable at once, no duplicate detection. Throws ENODEV. */
export function ensureAddress(socket: RouteSocket, ifIndex: number, cidr: string, options: AddressOptions = {}): void {
  const flags = options.noDad === true && cidr.includes(':') ? IFA_F.noDad : 0;
  socket.request({
    type: RTM.newAddress,
    flags: NLM_NEW.create | NLM_NEW.replace,
    payload: encodeAddress(ifIndex, parseCidr(cidr), flags),
    what: `add address ${cidr} to link ${ifIndex}`,
  });
}

/**
 * Addresses of one link, or of all. The choice is made here: asked to choose by link itself, the kernel (seen on 6.18) does
 * not say when a change interrupts the dump.
 */
export function listAddresses(socket: RouteSocket, ifIndex?: number): Address[] {
  const dump = socket.dump({ type: RTM.getAddress, payload: Buffer.alloc(HEADER), what: 'list addresses' });
  return dump.map(decodeAddress).filter((address) => ifIndex === undefined || address.ifIndex === ifIndex);
}

/** Removes an address; says whether it was there. */
export function deleteAddress(socket: RouteSocket, ifIndex: number, cidr: string): boolean {
  const payload = encodeAddress(ifIndex, parseCidr(cidr));
  try {
    socket.request({ type: RTM.delAddress, payload, what: `delete address ${cidr} of link ${ifIndex}` });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.class === 'not-found') return false;
    throw error;
  }
}
