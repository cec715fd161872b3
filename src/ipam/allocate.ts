import { type Address, containsAddress, formatAddress, formatCidr, parseAddress, parseMac } from '../api/address.ts';
import { fail, type Problem, type Result, succeed } from '../api/problem.ts';
import { findNext, type Holder, hold, isFree, type Lease, type Pool, release } from './pool.ts';
import { quote } from './ranges.ts';

/** What a holder asks of a subnet: an address of each family, and a MAC. What it does not name is chosen for it. */
export type AddressRequest = {
  readonly holder: Holder;
  readonly subnet: string;
  readonly ips?: readonly string[] | undefined;
  readonly mac?: string | undefined;
};

/** Gives `length` random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

/**
 * First octet of the MACs that we make: locally administered, unicast (IEEE 802 section 8.4), and not one of the
 * prefixes that KubeVirt, QEMU or other network providers make theirs of.
 */
const MAC_PREFIX = '0a';
const MAC_SPACE = 1n << 40n;

/**
 * Gives an address of each family of the subnet, and a MAC, and holds them. A holder that holds something already gets
 * the same again. Problems: AddressOutsideSubnet, AddressReserved, AddressInUse, SubnetFull, InvalidRequest.
 */
export function allocate(pool: Pool, request: AddressRequest, random: RandomBytes): Result<Lease> {
  const held = pool.leases.get(request.holder);
  if (held !== undefined) return succeed(held);
  const fixed = parseFixed(pool, request);
  if (!fixed.ok) return fixed;
  const mac = chooseMac(pool, request, random);
  if (!mac.ok) return mac;
  const ips: string[] = [];
  for (const family of pool.families) {
    const { cidr } = family.range;
    const value = fixed.value.get(cidr.family) ?? findNext(family);
    if (value === undefined) return fail('SubnetFull', `subnet ${request.subnet}: ${formatCidr(cidr)} is full`);
    ips.push(formatAddress({ family: cidr.family, value }));
  }
  const lease = { ips, mac: mac.value };
  hold(pool, request.holder, lease);
  return succeed(lease);
}

/** All or nothing: when one request fails, none of the others holds anything new. */
export function allocateAll(
  pools: ReadonlyMap<string, Pool>,
  requests: readonly AddressRequest[],
  random: RandomBytes,
): Result<Lease[]> {
  const leases: Lease[] = [];
  const undo: (() => void)[] = [];
  const giveUp = (problem: Problem): Result<Lease[]> => {
    for (const step of undo) step();
    return { ok: false, problem };
  };
  for (const request of requests) {
    const pool = pools.get(request.subnet);
    if (pool === undefined) return giveUp({ reason: 'SubnetNotFound', message: `no usable subnet ${request.subnet}` });
    const isNew = !pool.leases.has(request.holder);
    const lease = allocate(pool, request, random);
    if (!lease.ok) return giveUp(lease.problem);
    if (isNew) undo.push(() => release(pool, request.holder));
    leases.push(lease.value);
  }
  return succeed(leases);
}

function parseFixed(pool: Pool, request: AddressRequest): Result<Map<4 | 6, bigint>> {
  const fixed = new Map<4 | 6, bigint>();
  for (const text of request.ips ?? []) {
    const address = parseAddress(text.trim());
    if (address === undefined) return fail('InvalidRequest', `${quote(text)} is not an address`);
    if (fixed.has(address.family)) return fail('InvalidRequest', `two addresses of one family: ${quote(text)}`);
    const problem = checkFixed(pool, request.subnet, address);
    if (problem !== undefined) return { ok: false, problem };
    fixed.set(address.family, address.value);
  }
  return succeed(fixed);
}

function checkFixed(pool: Pool, subnet: string, address: Address): Problem | undefined {
  const text = formatAddress(address);
  const family = pool.families.find(({ range }) => containsAddress(range.cidr, address));
  if (family === undefined) {
    const cidrs = pool.ranges.map(({ cidr }) => formatCidr(cidr)).join(',');
    return { reason: 'AddressOutsideSubnet', message: `${text} is not in ${cidrs} of subnet ${subnet}` };
  }
  if (isFree(family, address.value)) return undefined;
  const [holder] = family.holders.get(address.value) ?? [];
  if (holder === undefined) return { reason: 'AddressReserved', message: `${text} is reserved in subnet ${subnet}` };
  return { reason: 'AddressInUse', message: `${text} in subnet ${subnet} is held by ${holder}` };
}

function chooseMac(pool: Pool, request: AddressRequest, random: RandomBytes): Result<string> {
  if (request.mac === undefined) return succeed(makeMac(pool, random));
  const mac = parseMac(request.mac);
  if (mac === undefined) return fail('InvalidRequest', `${quote(request.mac)} is not a unicast MAC`);
  const [holder] = pool.macs.get(mac) ?? [];
  if (holder === undefined) return succeed(mac);
  return fail('AddressInUse', `MAC ${mac} in subnet ${request.subnet} is held by ${holder}`);
}

/** A random MAC, and from there the next one that is free: it ends, also with a poor source of randomness. */
function makeMac(pool: Pool, random: RandomBytes): string {
  const start = random(5).reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  for (let value = start; ; value = (value + 1n) % MAC_SPACE) {
    const mac = formatMac(value);
    if (!pool.macs.has(mac)) return mac;
  }
}

function formatMac(value: bigint): string {
  const digits = value.toString(16).padStart(10, '0');
  return [MAC_PREFIX, ...(digits.match(/../g) ?? [])].join(':');
}
