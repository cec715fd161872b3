import { isIPv4, isIPv6 } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import { AF } from './constants.ts';
import { fromCode } from './errors.ts';

/** A parsed address; `bytes` in network order, `family` AF_INET or AF_INET6. */
export type Ip = { family: number; bytes: Buffer };
export type Cidr = Ip & { prefix: number };

/** Parses an address without zone or prefix. Throws EINVAL. */
export function parseIp(value: string): Ip {
  if (isIPv4(value)) return { family: AF.inet, bytes: Buffer.from(value.split('.').map(Number)) };
  if (!isIPv6(value) || value.includes('%')) throw fromCode('EINVAL', `not an IP address: ${JSON.stringify(value)}`);
  const hex = new Address6(value).bigInt().toString(16).padStart(32, '0');
  return { family: AF.inet6, bytes: Buffer.from(hex, 'hex') };
}

/** Parses `address/prefix`; host bits are kept. Throws EINVAL. */
export function parseCidr(value: string): Cidr {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value);
  if (match?.[1] === undefined) throw fromCode('EINVAL', `not address/prefix: ${JSON.stringify(value)}`);
  const ip = parseIp(match[1]);
  const prefix = Number(match[2]);
  if (prefix > ip.bytes.length * 8) throw fromCode('EINVAL', `prefix too long: ${value}`);
  return { ...ip, prefix };
}

/** The canonical text of address bytes: dotted, or RFC 5952. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return new Address4([...bytes].join('.')).correctForm();
  if (bytes.length !== 16) throw fromCode('EBADMSG', `address of ${bytes.length} bytes`);
  return Address6.fromBigInt(BigInt(`0x${Buffer.from(bytes).toString('hex')}`)).correctForm();
}

/** `address/prefix` in canonical form, host bits kept. Throws EINVAL. */
export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr.bytes)}/${cidr.prefix}`;
}

/** The same network with its host bits zero. */
export function maskCidr(cidr: Cidr): Cidr {
  const bytes = Buffer.from(cidr.bytes.map((byte, index) => byte & maskByte(cidr.prefix - index * 8)));
  return { family: cidr.family, bytes, prefix: cidr.prefix };
}

/** The IPv4 broadcast address of a network, undefined for IPv6 and for prefixes that have none. */
export function findBroadcast(cidr: Cidr): Buffer | undefined {
  if (cidr.family !== AF.inet || cidr.prefix > 30) return undefined;
  return Buffer.from(cidr.bytes.map((byte, index) => byte | (~maskByte(cidr.prefix - index * 8) & 0xff)));
}

function maskByte(bits: number): number {
  return bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}

/** Parses `aa:bb:cc:dd:ee:ff` into six bytes; multicast and all-zero addresses are refused. Throws EINVAL. */
export function parseMac(value: string): Buffer {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(value)) {
    throw fromCode('EINVAL', `not a MAC address: ${JSON.stringify(value)}`);
  }
  const bytes = Buffer.from(value.replaceAll(':', ''), 'hex');
  if ((bytes.readUInt8(0) & 1) === 1 || bytes.every((byte) => byte === 0)) {
    throw fromCode('EINVAL', `not a unicast MAC address: ${value}`);
  }
  return bytes;
}

/** Lower-case, colon-separated. */
export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
