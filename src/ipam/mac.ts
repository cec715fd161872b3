import { parseMac } from '../api/address.ts';
import { fail, type Result, succeed } from '../api/problem.ts';
import { getOwner, type Holder, type Holders, listHolders } from './holders.ts';
import { quote } from './ranges.ts';

/** Gives `length` random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

/**
 * First octet of the MACs that we make: locally administered, unicast (IEEE 802 section 8.4), and not one of the
 * prefixes that KubeVirt, QEMU or other network providers make theirs of.
 */
const MAC_PREFIX = '0a';
const MAC_SPACE = 1n << 40n;

/** True of owners with whom a MAC may be shared: they take turns with it. */
export type SharesMac = (other: Holder) => boolean;

/** The MAC as asked for, or why its owner cannot have it. Problems: InvalidRequest, AddressInUse. */
export function checkMac(
  macs: Holders<string>,
  text: string,
  { holder: owner, sharesMac }: { readonly holder: Holder; readonly sharesMac?: SharesMac | undefined },
): Result<string> {
  const mac = parseMac(text);
  if (mac === undefined) return fail('InvalidRequest', `${quote(text)} is not a unicast MAC`);
  const others = listHolders(macs, mac).filter((holder) => getOwner(holder) !== owner);
  const other = others.find((holder) => sharesMac?.(getOwner(holder)) !== true);
  return other === undefined ? succeed(mac) : fail('AddressInUse', `MAC ${mac} ${describeOther(other, owner)}`);
}

/** Names a holder only to those of its own namespace: a tenant learns nothing about others. */
export function describeOther(other: Holder, owner: Holder): string {
  const namespace = owner.slice(0, owner.indexOf('/') + 1);
  const isOwn = namespace !== '' && getOwner(other).startsWith(namespace);
  return isOwn ? `is held by ${getOwner(other)}` : 'belongs to another owner';
}

/** A random MAC, and from there the next one that is free: it ends, also with a poor source of randomness. */
export function makeMac(macs: Holders<string>, random: RandomBytes): string {
  const start = random(5).reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  for (let value = start; ; value = (value + 1n) % MAC_SPACE) {
    const mac = formatMac(value);
    if (!macs.has(mac)) return mac;
  }
}

function formatMac(value: bigint): string {
  const digits = value.toString(16).padStart(10, '0');
  return [MAC_PREFIX, ...(digits.match(/../g) ?? [])].join(':');
}
