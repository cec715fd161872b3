import { formatAddress, parseAddress, parseMac } from '../../api/address.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { NicRequest } from '../requests/types.ts';
import type { PoolWish } from '../wishes/types.ts';

/** True while no address could be given to the port: it is a place for the condition that says why. */
export const isUnallocated = ({ spec }: Pick<LogicalPort, 'spec'>): boolean => spec.ips.length === 0;

/**
 * What of a port's allocation is asked to be otherwise, in words; undefined when it is as asked for. What is not asked
 * for stays: a port that got its address by chance, or from a pool that its namespace has by right, keeps it, and a list
 * of addresses is satisfied by any of them (a VM keeps the one it got).
 */
export function findChange({ spec }: Pick<LogicalPort, 'spec'>, request: NicRequest): string | undefined {
  const held = new Set(spec.ips.map(normalizeIp));
  const has = (ips: readonly string[]) => ips.every((ip) => held.has(normalizeIp(ip)));
  const { subnet, ips, mac, pool } = request;
  const isSameMac = mac === undefined || normalizeMac(mac) === normalizeMac(spec.mac);
  const isSameMaker = (request.ipamOnly === true) === (spec.ipamOnly === true);
  const changes: [boolean, string][] = [
    [subnet !== spec.subnet, `subnet ${subnet}`],
    [ips !== undefined && !has(ips), `ips ${ips?.join(',')}`],
    [!isSameMac, `mac ${mac}`],
    [pool !== undefined && !fitsPool(pool, spec.pool, has), describePool(pool)],
    [!isSameMaker, request.ipamOnly === true ? 'a NIC that another plugin makes' : 'a NIC of ours'],
  ];
  const asked = changes.flatMap(([isAsked, what]) => (isAsked ? [what] : []));
  return asked.length === 0 ? undefined : asked.join(', ').slice(0, 500);
}

type Has = (ips: readonly string[]) => boolean;

function fitsPool(pool: PoolWish, present: string | undefined, has: Has): boolean {
  return pool.kind === 'named' ? pool.name === present : pool.candidates.some(has);
}

const describePool = (pool: PoolWish | undefined): string =>
  pool?.kind === 'named' ? `pool ${pool.name}` : 'an address of a list';

function normalizeIp(text: string): string {
  const address = parseAddress(text.trim());
  return address === undefined ? text : formatAddress(address);
}

const normalizeMac = (text: string): string => parseMac(text) ?? text;
