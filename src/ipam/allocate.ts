import { type Address, containsAddress, formatAddress, formatCidr, parseAddress } from '../api/address.ts';
import { fail, type Problem, type Result, succeed } from '../api/problem.ts';
import { findOther, type Holder } from './holders.ts';
import type { PoolPlan } from './ip-pools.ts';
import { checkMac, describeOther, makeMac, type RandomBytes, type SharesMac } from './mac.ts';
import { hold, type Lease, type Pool } from './pool.ts';
import { quote } from './ranges.ts';
import { type FamilyPool, findSupply } from './space.ts';
import { findNext, type Supply } from './supply.ts';

export type { RandomBytes, SharesMac } from './mac.ts';

/** What a holder asks of a subnet: an address of each family, and a MAC. What it does not name is chosen for it. */
export type AddressRequest = {
  readonly holder: Holder;
  readonly subnet: string;
  readonly ips?: readonly string[] | undefined;
  readonly mac?: string | undefined;
  /** Groups with one address per family, to choose from when `ips` names none: the first one that is free as a whole. */
  readonly candidates?: readonly (readonly string[])[] | undefined;
  /** Which of the candidates and no other, counted from 0. */
  readonly ordinal?: number | undefined;
  /** Name of the IPPool that all addresses are to come from. */
  readonly pool?: string | undefined;
  /** Holders who hand over what they have: it may be asked for while they still hold it. */
  readonly heirOf?: readonly Holder[] | undefined;
  /** Who may have the same MAC; nobody when absent. */
  readonly sharesMac?: SharesMac | undefined;
  /** Whose pools are its own; the first part of `holder` when absent. */
  readonly namespace?: string | undefined;
};

/** The IPPools that a request has the right to. */
type Rights = { readonly named: PoolPlan | undefined; readonly own: readonly PoolPlan[] };
/** A request, with what decides about it. */
type Case = { readonly pool: Pool; readonly request: AddressRequest; readonly rights: Rights };
type Values = ReadonlyMap<4 | 6, bigint>;

/**
 * Gives an address of each family of the subnet, and a MAC, and holds them. A holder that holds something already gets
 * the same again. Problems: see `chooseLease`.
 */
export function allocate(pool: Pool, request: AddressRequest, random: RandomBytes): Result<Lease> {
  const held = pool.leases.get(request.holder);
  if (held !== undefined) return succeed(held);
  const lease = chooseLease(pool, request, { random });
  if (lease.ok) hold(pool, request.holder, lease.value);
  return lease;
}

/**
 * Chooses without holding. What the request does not name stays as it is in `current`, the present lease of the same
 * owner, where it can. All families or none (F64). Problems: AddressOutsideSubnet, AddressReserved, AddressInUse,
 * SubnetFull, PoolNotFound, PoolNotAllowed, PoolFull, InvalidPool, InvalidRequest.
 */
export function chooseLease(
  pool: Pool,
  request: AddressRequest,
  { random, current }: { readonly random: RandomBytes; readonly current?: Lease | undefined },
): Result<Lease> {
  const rights = findRights(pool, request);
  if (!rights.ok) return rights;
  const the: Case = { pool, request, rights: rights.value };
  const kept = parseKept(pool, current);
  const fixed = chooseFixed(the, kept);
  if (!fixed.ok) return fixed;
  const mac = chooseMac(the, { random, current });
  if (!mac.ok) return mac;
  const ips: string[] = [];
  const from = new Set<string>();
  for (const family of pool.families) {
    const chosen = chooseValue(the, family, { fixed: fixed.value, kept });
    if (!chosen.ok) return chosen;
    ips.push(formatAddress({ family: family.range.cidr.family, value: chosen.value }));
    const name = findSupply(family, chosen.value)?.pool;
    if (name !== undefined) from.add(name);
  }
  const [name] = from;
  return succeed({ ips, mac: mac.value, ...(name === undefined ? {} : { pool: name }) });
}

function findRights(pool: Pool, request: AddressRequest): Result<Rights> {
  const { holder, namespace = holder.slice(0, Math.max(0, holder.indexOf('/'))) } = request;
  const own = [...pool.pools.values()].filter(({ namespaces, ending }) => !ending && namespaces.includes(namespace));
  if (request.pool === undefined) {
    const broken = own.every(({ usable }) => !usable) ? own[0] : undefined;
    return broken === undefined ? succeed({ named: undefined, own }) : failBroken(broken);
  }
  const named = pool.pools.get(request.pool);
  if (named === undefined) {
    return fail('PoolNotFound', `subnet ${request.subnet} has no IPPool ${quote(request.pool)}`);
  }
  if (named.namespaces.length > 0 && !named.namespaces.includes(namespace)) {
    return fail('PoolNotAllowed', `namespace ${namespace} may not use IPPool ${named.name}`);
  }
  return named.usable ? succeed({ named, own }) : failBroken(named);
}

const failBroken = ({ name, ending }: PoolPlan) =>
  ending
    ? fail('PoolNotFound', `IPPool ${name} is being deleted`)
    : fail('InvalidPool', `IPPool ${name} is not usable; see its own condition`);

/** The addresses of the present lease that may stay: those that still are in the subnet. */
function parseKept(pool: Pool, current: Lease | undefined): Values {
  const kept = new Map<4 | 6, bigint>();
  for (const ip of current?.ips ?? []) {
    const address = parseAddress(ip);
    if (address !== undefined && findFamily(pool, address) !== undefined) kept.set(address.family, address.value);
  }
  return kept;
}

const findFamily = (pool: Pool, address: Address): FamilyPool | undefined =>
  pool.families.find(({ range }) => containsAddress(range.cidr, address));

/** The addresses that the request names, all of them good; none when it leaves the choice to us. */
function chooseFixed(the: Case, kept: Values): Result<Values> {
  const { ips, candidates, ordinal } = the.request;
  if (ips !== undefined || candidates === undefined) return parseGroup(the, ips ?? []);
  if (ordinal !== undefined) {
    const group = candidates[ordinal];
    if (group !== undefined) return parseGroup(the, group);
    return fail('PoolFull', `the list has ${candidates.length} candidates and none for ordinal ${ordinal}`);
  }
  return chooseCandidate(the, candidates, kept);
}

/** The group that is held already, else the first one in order (K8). */
function chooseCandidate(the: Case, candidates: readonly (readonly string[])[], kept: Values): Result<Values> {
  let first: Result<Values> | undefined;
  const problems: Problem[] = [];
  for (const group of candidates) {
    const parsed = parseGroup(the, group);
    if (!parsed.ok) problems.push(parsed.problem);
    else if (kept.size === 0 || isSame(parsed.value, kept)) return parsed;
    else first ??= parsed;
  }
  if (first !== undefined) return first;
  const other = problems.find(({ reason }) => reason !== 'AddressInUse');
  if (other !== undefined && problems.every(({ reason }) => reason !== 'AddressInUse')) {
    return { ok: false, problem: other };
  }
  const hint = other === undefined ? '' : `; one of them cannot be used at all: ${other.message}`;
  return fail('PoolFull', `none of the ${candidates.length} candidates in subnet ${the.request.subnet} is free${hint}`);
}

const isSame = (group: Values, kept: Values): boolean =>
  [...group].every(([family, value]) => kept.get(family) === value);

function parseGroup(the: Case, texts: readonly string[]): Result<Values> {
  const fixed = new Map<4 | 6, bigint>();
  for (const text of texts) {
    const address = parseAddress(text.trim());
    if (address === undefined) return fail('InvalidRequest', `${quote(text)} is not an address`);
    if (fixed.has(address.family)) return fail('InvalidRequest', `two addresses of one family: ${quote(text)}`);
    const problem = checkFixed(the, address);
    if (problem !== undefined) return { ok: false, problem };
    fixed.set(address.family, address.value);
  }
  return succeed(fixed);
}

/** What speaks against an address that was asked for. Whoever has it already may keep it. */
function checkFixed({ pool, request, rights }: Case, address: Address): Problem | undefined {
  const text = formatAddress(address);
  const family = findFamily(pool, address);
  if (family === undefined) {
    const cidrs = pool.ranges.map(({ cidr }) => formatCidr(cidr)).join(',');
    return { reason: 'AddressOutsideSubnet', message: `${text} is not in ${cidrs} of subnet ${request.subnet}` };
  }
  const { holders } = family.space;
  const other = findOther(holders, address.value, request.holder, request.heirOf);
  const isOwn = other === undefined && holders.has(address.value);
  const refused = isOwn ? undefined : checkSupply(findSupply(family, address.value), text, { request, rights });
  if (refused !== undefined) return refused;
  if (rights.named !== undefined && !isNamed(family, address.value, rights.named)) {
    return { reason: 'PoolNotAllowed', message: `${text} is not in IPPool ${rights.named.name}` };
  }
  if (other === undefined) return undefined;
  return {
    reason: 'AddressInUse',
    message: `${text} in subnet ${request.subnet} ${describeOther(other, request.holder)}`,
  };
}

const WHY_RESERVED = 'it is its gateway, at an end of its network, excluded, or a node has it; ask for another';

function checkSupply(
  supply: Supply | undefined,
  text: string,
  { request, rights }: Omit<Case, 'pool'>,
): Problem | undefined {
  if (supply === undefined) {
    return { reason: 'AddressReserved', message: `${text} is reserved in subnet ${request.subnet}: ${WHY_RESERVED}` };
  }
  if (supply.pool === undefined || supply.pool === rights.named?.name) return undefined;
  const own = rights.own.find(({ name }) => name === supply.pool);
  if (own?.usable === true) return undefined;
  if (own !== undefined) return failBroken(own).problem;
  const message = `${text} belongs to IPPool ${supply.pool}, which the request does not name`;
  return { reason: 'PoolNotAllowed', message };
}

/** True when the address comes from the pool, or the pool has none of its family. */
function isNamed(family: FamilyPool, value: bigint, { name }: PoolPlan): boolean {
  const supply = family.reserved.get(name);
  return supply === undefined || findSupply(family, value) === supply;
}

type Wishes = { readonly fixed: Values; readonly kept: Values };

function chooseValue(the: Case, family: FamilyPool, { fixed, kept }: Wishes): Result<bigint> {
  const { request, rights, pool } = the;
  const { cidr } = family.range;
  const asked = fixed.get(cidr.family);
  if (asked !== undefined) return succeed(asked);
  const own = kept.get(cidr.family);
  if (own !== undefined && (rights.named === undefined || isNamed(family, own, rights.named))) {
    if (findOther(pool.space[cidr.family].holders, own, request.holder) === undefined) return succeed(own);
  }
  const supplies = listSupplies(family, rights);
  for (const supply of supplies) {
    const value = findNext(supply, family.space.around);
    if (value !== undefined) return succeed(value);
  }
  const names = supplies.flatMap((supply) => supply.pool ?? []);
  if (names.length > 0) {
    return fail(
      'PoolFull',
      `IPPool ${names.join(', ')} of subnet ${request.subnet} has no free IPv${cidr.family} address`,
    );
  }
  const hint = family.reserved.size > 0 ? '; what is left belongs to IPPools' : '';
  return fail('SubnetFull', `subnet ${request.subnet}: ${formatCidr(cidr)} is full${hint}`);
}

/** Where addresses for the request come from: the pool that it names, else its namespace's own, else all others. */
function listSupplies(family: FamilyPool, { named, own }: Rights): readonly Supply[] {
  const reserved = named && family.reserved.get(named.name);
  if (reserved !== undefined) return [reserved];
  const mine = own.filter(({ usable }) => usable).flatMap(({ name }) => family.reserved.get(name) ?? []);
  return mine.length > 0 ? mine : [family.general];
}

type MacWishes = { readonly random: RandomBytes; readonly current?: Lease | undefined };

function chooseMac({ pool, request }: Case, { random, current }: MacWishes): Result<string> {
  if (request.mac !== undefined) return checkMac(pool.macs, request.mac, request);
  const kept = current === undefined ? undefined : checkMac(pool.macs, current.mac, request);
  return kept?.ok === true ? kept : succeed(makeMac(pool.macs, random));
}
