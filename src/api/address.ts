import { Address4, Address6 } from 'ip-address';

/** An address as a number with its family. */
export type Address = { readonly family: 4 | 6; readonly value: bigint };
/** A network: first address (host bits zero) and prefix length. */
export type Cidr = { readonly family: 4 | 6; readonly network: bigint; readonly prefix: number };

const MAX_TEXT = 64;
const BITS = { 4: 32, 6: 128 } as const;

/** Strict: no octal or short forms, no zone, no prefix. Undefined when it is not an address. */
export function parseAddress(text: string): Address | undefined {
  if (text.length === 0 || text.length > MAX_TEXT || /[%/\s]/.test(text)) return undefined;
  try {
    // One try, of the family that it can be: the library says no by throwing, which costs far more than parsing.
    return text.includes(':')
      ? { family: 6, value: new Address6(text).bigInt() }
      : { family: 4, value: new Address4(text).bigInt() };
  } catch {
    return undefined;
  }
}

/** Canonical text: dotted decimal, or RFC 5952. */
export function formatAddress(address: Address): string {
  return address.family === 4
    ? Address4.fromBigInt(address.value).correctForm()
    : Address6.fromBigInt(address.value).correctForm();
}

/** Parses `a/p`. `hostBits` tells whether the address part was not the network's first address. */
export function parseCidr(text: string): (Cidr & { readonly hostBits: boolean; readonly address: bigint }) | undefined {
  const [left, right, ...rest] = text.split('/');
  if (left === undefined || right === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(right))
    return undefined;
  const address = parseAddress(left);
  const prefix = Number(right);
  if (address === undefined || prefix > BITS[address.family]) return undefined;
  const size = BigInt(BITS[address.family] - prefix);
  const network = (address.value >> size) << size;
  return { family: address.family, network, prefix, hostBits: network !== address.value, address: address.value };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress({ family: cidr.family, value: cidr.network })}/${cidr.prefix}`;
}

/** The last address of the network. */
export function getLastAddress(cidr: Cidr): bigint {
  return cidr.network + (1n << BigInt(BITS[cidr.family] - cidr.prefix)) - 1n;
}

export function containsAddress(cidr: Cidr, address: Address): boolean {
  return cidr.family === address.family && address.value >= cidr.network && address.value <= getLastAddress(cidr);
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.network <= getLastAddress(b) && b.network <= getLastAddress(a);
}

/** Lower-case unicast MAC, or undefined. Multicast, broadcast and zero are refused. */
export function parseMac(text: string): string | undefined {
  const mac = text.toLowerCase();
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return undefined;
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === '00:00:00:00:00:00') return undefined;
  return mac;
}
