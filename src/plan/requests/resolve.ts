import { parseAddress } from '../../api/address.ts';
import type { Problem, Result } from '../../api/problem.ts';
import { succeed } from '../../api/problem.ts';
import type { Subnet } from '../../api/types.gen.ts';
import { findMisplacedKey, type WishReader } from '../wishes/reader.ts';
import type { PoolWish, Wish, WishSource } from '../wishes/types.ts';
import { type Draft, type Identified, identify, isFirst } from './draft.ts';
import { checkPool, chooseSubnet, type SubnetNeed } from './grants.ts';
import { type Family, listDefaults, planFirstRoutes, planRoutes } from './routes.ts';
import type { NicProblem, NicRequest, RequestContext, RequestPlan, Route } from './types.ts';

/** The NICs of one owner with everything that their requests are read from. */
export type Listing = {
  readonly drafts: readonly (readonly [nic: string, draft: Result<Draft>])[];
  readonly sources: readonly WishSource[];
  readonly read: WishReader;
  /** Which of a list of addresses is a pod's, by its number in its StatefulSet. */
  readonly ordinal?: number;
};

/** One NIC after everything but the pod's default route is settled. `subnet` is absent for a NIC of another plugin. */
type Outcome = {
  readonly nic: string;
  readonly first: boolean;
  readonly defaults: readonly Family[];
  readonly found?: Found;
  readonly problem?: Problem;
};

type Found = { readonly request: NicRequest; readonly subnet: Subnet };

/** Resolves each NIC by itself, then what they have between them: names and the pod's default route. */
export function resolveAll(listing: Listing, context: RequestContext): RequestPlan {
  const isShared = countNads(listing.drafts);
  const outcomes = listing.drafts.map(([nic, draft]) => {
    const identified = draft.ok ? identify(draft.value, isShared, context) : draft;
    if (!identified.ok) return { nic, first: false, defaults: [], problem: identified.problem };
    return identified.value === undefined
      ? { nic, first: false, defaults: [] }
      : resolve(identified.value, listing, context);
  });
  return finish(refuseShares(refuseTwins(outcomes)));
}

function countNads(drafts: Listing['drafts']): (nad: NonNullable<Draft['nad']>) => boolean {
  const counts = new Map<string, number>();
  for (const [, draft] of drafts) {
    if (!draft.ok || draft.value.nad === undefined || draft.value.absent) continue;
    const key = formatNad(draft.value.nad);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return (nad) => (counts.get(formatNad(nad)) ?? 0) > 1;
}

const formatNad = ({ namespace, name }: NonNullable<Draft['nad']>): string => `${namespace}/${name}`;

/** Checks in order: wishes, subnet, pool, routes. */
function resolve(identified: Identified, listing: Listing, context: RequestContext): Outcome {
  const { draft, keys, plan } = identified;
  const base = { nic: draft.nic, first: isFirst(draft), defaults: [] };
  if (plan?.kind === 'none') {
    const problem = findMisplacedKey(keys, listing.sources);
    return problem === undefined ? { ...base, defaults: listForeignDefaults(draft) } : { ...base, problem };
  }
  const wish = listing.read(keys, draft.more);
  const placed = wish.ok ? place(identified, wish.value, context) : wish;
  if (!placed.ok || !wish.ok) return { ...base, ...(placed.ok ? {} : { problem: placed.problem }) };
  const { subnet, routes } = placed.value;
  const request = makeRequest(identified, { ...wish.value, subnet: subnet.metadata.name }, listing.ordinal);
  return {
    ...base,
    defaults: draft.absent ? [] : listDefaults(routes),
    found: { request: routes === undefined ? request : { ...request, routes }, subnet },
  };
}

type Place = { readonly subnet: Subnet; readonly routes: readonly Route[] | undefined };

/** What the NIC needs of a subnet. */
export function describeNeed({ draft, keys, plan }: Identified, wish: Pick<Wish, 'subnet'>): SubnetNeed {
  return {
    asked: wish.subnet,
    first: isFirst(draft),
    ...(plan === undefined || plan.kind === 'none' ? {} : { provider: plan.provider, ipamOnly: plan.kind === 'ipam' }),
    orPrimary: keys.nad?.primaryKeys === true,
  };
}

function place(identified: Identified, wish: Wish, { grants }: RequestContext): Result<Place> {
  const subnet = chooseSubnet(grants, describeNeed(identified, wish));
  if (!subnet.ok) return subnet;
  const { pool } = wish;
  const refusal = pool?.kind === 'named' ? checkPool(grants, pool.name, subnet.value.metadata.name) : undefined;
  if (refusal !== undefined) return { ok: false, problem: refusal };
  const routes = planRoutes(subnet.value, wish);
  return routes.ok ? succeed({ subnet: subnet.value, routes: routes.value }) : routes;
}

function listForeignDefaults({ defaultRoute }: Draft): Family[] {
  if (defaultRoute?.length === 0) return [4, 6];
  return (defaultRoute ?? []).flatMap((gateway) => parseAddress(gateway)?.family ?? []);
}

function makeRequest(
  { draft, plan }: Identified,
  wish: Wish & { readonly subnet: string },
  ordinal: number | undefined,
): NicRequest {
  const { routes: _, defaultRoute: __, openBinding: ___, adopt, pool, ...rest } = wish;
  const { nic, interface: name, absent, nad } = draft;
  return {
    nic,
    interface: name,
    absent,
    ...rest,
    ...(pool && { pool: addOrdinal(pool, ordinal) }),
    ...(nad && { nad: formatNad(nad) }),
    ...(plan?.kind === 'ipam' ? { ipamOnly: true as const } : {}),
    ...(adopt === true ? { adopt } : {}),
  };
}

function addOrdinal(pool: PoolWish, ordinal: number | undefined): PoolWish {
  return pool.kind === 'list' && ordinal !== undefined ? { ...pool, ordinal } : pool;
}

/** One NIC is one port: a second network of its name would take an address that no port gives back. */
function refuseTwins(outcomes: readonly Outcome[]): Outcome[] {
  const byNic = Map.groupBy(outcomes, ({ nic }) => nic);
  return [...byNic].flatMap(([nic, [first, ...others]]) => {
    if (first === undefined || others.length === 0) return first ?? [];
    const message = `two networks for interface ${nic.slice(0, 100)}`;
    return { nic, first: false, defaults: [], problem: { reason: 'InvalidRequest', message } };
  });
}

/** A pod of a StatefulSet has one entry of a list: two of its NICs with the same list would have the same address. */
function refuseShares(outcomes: readonly Outcome[]): Outcome[] {
  const takers = new Map<string, string[]>();
  for (const { nic, found } of outcomes) {
    for (const ip of listEntry(found)) takers.set(ip, [...(takers.get(ip) ?? []), nic]);
  }
  return outcomes.map((outcome) => {
    const [nics] = listEntry(outcome.found).flatMap((ip) => [takers.get(ip) ?? []].filter(({ length }) => length > 1));
    if (nics === undefined) return outcome;
    const { found: _, ...rest } = outcome;
    const message = `the NICs ${nics.toSorted().join(' and ')} take the same entry of ip_pool, as a StatefulSet's pod has that of its number; give each its own list with <nad>.<namespace>.ovn.<interface>.kubernetes.io/ip_pool`;
    return { ...rest, problem: { reason: 'InvalidRequest', message } };
  });
}

/** What a NIC takes of a list by its pod's number, each with its subnet. */
function listEntry(found: Found | undefined): string[] {
  const { pool, subnet } = found?.request ?? {};
  if (pool?.kind !== 'list' || pool.ordinal === undefined) return [];
  return (pool.candidates[pool.ordinal] ?? []).map((ip) => `${subnet} ${ip}`);
}

function finish(outcomes: readonly Outcome[]): RequestPlan {
  const problems: NicProblem[] = [];
  const requests: NicRequest[] = [];
  const others: string[] = [];
  for (const outcome of outcomes) {
    const problem = outcome.problem ?? findRivalRoute(outcome, outcomes);
    if (problem !== undefined) problems.push({ nic: outcome.nic, problem });
    else if (outcome.found === undefined) others.push(outcome.nic);
    else requests.push(settleFirst(outcome, outcome.found, outcomes));
  }
  return { requests, problems, ...(others.length === 0 ? {} : { others }) };
}

function findRivalRoute(outcome: Outcome, outcomes: readonly Outcome[]): Problem | undefined {
  const rival = outcomes.find(
    (other) => other.nic !== outcome.nic && other.defaults.some((family) => outcome.defaults.includes(family)),
  );
  if (rival === undefined || outcome.found === undefined) return undefined;
  const [left, right] = [outcome.nic, rival.nic].toSorted();
  return {
    reason: 'RequestDisagreement',
    message: `the NICs ${left} and ${right} both ask for the pod's default route`,
  };
}

/** A default route that another NIC takes leaves the first interface. */
function settleFirst(outcome: Outcome, { request, subnet }: Found, outcomes: readonly Outcome[]): NicRequest {
  if (!outcome.first) return request;
  const elsewhere = outcomes.flatMap(({ nic, defaults }) => (nic === outcome.nic ? [] : defaults));
  const routes = planFirstRoutes(subnet, request.routes, elsewhere);
  return routes === undefined ? request : { ...request, routes };
}

/** What a wish of the list itself is called in messages. */
export const named = (from: string, wish: Result<Wish>): Draft['more'][number] =>
  wish.ok ? succeed({ from, wish: wish.value }) : wish;
