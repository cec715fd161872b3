import type { Problem, Result } from '../../api/problem.ts';
import { fail, succeed } from '../../api/problem.ts';
import type { Named, PoolWish, Wish } from './types.ts';

const SCALARS = [
  'subnet',
  'mac',
  'pool',
  'routes',
  'defaultRoute',
  'binding',
  'openBinding',
  'releasePolicy',
  'securityGroups',
  'ipamClaim',
  'adopt',
] as const satisfies readonly (keyof Wish)[];

/**
 * One wish out of all: what several say must be the same, else it is a RequestDisagreement that names both. Addresses
 * are compared within their family. The outcome does not depend on the order of the sources.
 */
export function mergeWishes(wishes: readonly Named[]): Result<Wish> {
  const [only] = wishes;
  if (only === undefined || wishes.length === 1) return settlePool(only?.wish ?? {});
  const merged = new Map<string, unknown>();
  for (const field of SCALARS) {
    const asked = wishes.flatMap(({ from, wish }) => (wish[field] === undefined ? [] : { from, value: wish[field] }));
    const problem = findDisagreement(asked);
    if (problem !== undefined) return { ok: false, problem };
    if (asked[0] !== undefined) merged.set(field, asked[0].value);
  }
  const ips = mergeIps(wishes);
  if (!ips.ok) return ips;
  if (ips.value.length > 0) merged.set('ips', ips.value);
  return settlePool(Object.fromEntries(merged) as Wish);
}

type Asked = { readonly from: string; readonly value: unknown };

function findDisagreement([first, ...others]: readonly Asked[]): Problem | undefined {
  const other = others.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first?.value));
  if (first === undefined || other === undefined) return undefined;
  const [left, right] = [first, other].map(show).sort();
  return { reason: 'RequestDisagreement', message: `${left}, but ${right}` };
}

function show({ from, value }: Asked): string {
  const isTexts = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
  const text = typeof value === 'string' ? value : isTexts ? value.join(',') : JSON.stringify(value);
  return `${from} asks for ${text.slice(0, 100)}`;
}

function mergeIps(wishes: readonly Named[]): Result<readonly string[]> {
  const merged: string[] = [];
  for (const isFamily of [isV4, isV6]) {
    const asked = wishes.flatMap(({ from, wish }) =>
      (wish.ips ?? []).filter(isFamily).map((value) => ({ from, value })),
    );
    const problem = findDisagreement(asked);
    if (problem !== undefined) return { ok: false, problem };
    if (asked[0] !== undefined) merged.push(asked[0].value);
  }
  return succeed(merged);
}

const isV6 = (ip: string): boolean => ip.includes(':');
const isV4 = (ip: string): boolean => !isV6(ip);

/** A fixed address that is in the list is the choice; one that is not contradicts it. An IPPool is asked later. */
function settlePool({ pool, ...wish }: Wish): Result<Wish> {
  if (pool === undefined || wish.ips === undefined || pool.kind === 'named') {
    return succeed(pool === undefined ? wish : { ...wish, pool });
  }
  const { ips } = wish;
  const chosen = pool.candidates.find((candidate) => ips.every((ip) => candidate.includes(ip)));
  return chosen === undefined
    ? fail('RequestDisagreement', `${ips.join(',')} is asked for, but ip_pool is ${showPool(pool)}`)
    : succeed({ ...wish, ips: chosen });
}

function showPool({ candidates }: Extract<PoolWish, { kind: 'list' }>): string {
  return candidates
    .map((ips) => ips.join(','))
    .join(';')
    .slice(0, 100);
}
