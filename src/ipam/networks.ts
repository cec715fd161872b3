import { addHolder, type Holder, type Holders } from './holders.ts';
import type { PoolPlan } from './ip-pools.ts';
import { createPool, detachPool, type Pool, replacePool } from './pool.ts';
import type { FamilyRange, Interval, SubnetRanges } from './ranges.ts';
import { createCommons, createSpace, type Space } from './space.ts';

/** A subnet, as the allocator sees it. */
export type Network = {
  readonly name: string;
  /** Within one space an address has one holder: a VPC, or a network that is not ours. */
  readonly space: string;
  /** Empty for a subnet that cannot be used: what its ports hold, they keep. */
  readonly ranges: SubnetRanges;
  /** Of the router on the subnet: no port gets it. */
  readonly routerMac: string;
  /** Subnets of one L2 domain share their MACs; the subnet alone when absent. */
  readonly domain?: string | undefined;
};

/** The pools of all subnets. */
export type Networks = {
  readonly pools: ReadonlyMap<string, Pool>;
  /** Makes anew what is different now. Leases stay with their holders, whatever becomes of the ranges. */
  set(networks: readonly Network[], plans: ReadonlyMap<string, PoolPlan>): void;
  /** The pool of a subnet; one without addresses to give for a subnet that is not known (yet). */
  ensurePool(subnet: string): Pool;
};

/** No LogicalPort's key, and no other holder, is this. */
export const ROUTER: Holder = 'router';

type Entry = { readonly network: Network; readonly pool: Pool };
type Domain = Holders<string>;

export function createNetworks(): Networks {
  const commons = createCommons();
  const pools = new Map<string, Pool>();
  const known = new Map<string, Entry>();
  let spaces = new Map<string, Space>();
  let domains = new Map<string, Domain>();

  const build = (network: Network, reserves: ReadonlyMap<string, PoolPlan>): Pool => {
    const space = ensure(spaces, `shared ${network.space}`, () => createSpace(commons));
    const macs = ensure(domains, getDomain(network), () => new Map());
    addHolder(macs, network.routerMac, ROUTER);
    return createPool(network.ranges, { space, macs, pools: reserves });
  };
  const ensurePool = (subnet: string): Pool =>
    ensure(pools, subnet, () => {
      const space = ensure(spaces, `subnet ${subnet}`, () => createSpace(commons));
      return createPool([], { space, macs: ensure(domains, `subnet ${subnet}`, () => new Map()) });
    });
  return {
    pools,
    ensurePool,
    set: (networks, plans) => {
      const reserves = groupBySubnet(plans);
      const wanted = new Map(networks.map((network) => [network.name, network]));
      const none: ReadonlyMap<string, PoolPlan> = new Map();
      const changed = networks.filter(
        (network) => !isSameNetwork(known.get(network.name), network, reserves.get(network.name) ?? none),
      );
      const gone = [...known.keys()].filter((name) => !wanted.has(name));
      const before = takeAway(pools, known, [...changed.map(({ name }) => name), ...gone]);
      for (const network of changed) {
        const pool = build(network, reserves.get(network.name) ?? none);
        pools.set(network.name, pool);
        known.set(network.name, { network, pool });
      }
      for (const [name, pool] of before)
        if (wanted.has(name) || pool.leases.size > 0) replacePool(pool, ensurePool(name));
      const used = [...pools.values()];
      spaces = keep(spaces, new Set(used.map(({ space }) => space)));
      domains = keep(domains, new Set(used.map(({ macs }) => macs)));
    },
  };
}

function ensure<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

const keep = <T>(map: ReadonlyMap<string, T>, used: ReadonlySet<T>): Map<string, T> =>
  new Map([...map].filter(([, value]) => used.has(value)));

const getDomain = ({ name, domain }: Network): string => (domain === undefined ? `subnet ${name}` : `shared ${domain}`);

/** Removes pools, all of them before a new one is made: two subnets may swap their ranges. */
function takeAway(pools: Map<string, Pool>, known: Map<string, Entry>, names: readonly string[]): Map<string, Pool> {
  const taken = new Map<string, Pool>();
  for (const name of names) {
    const pool = pools.get(name);
    known.delete(name);
    pools.delete(name);
    if (pool === undefined) continue;
    detachPool(pool);
    taken.set(name, pool);
  }
  return taken;
}

function groupBySubnet(plans: ReadonlyMap<string, PoolPlan>): Map<string, Map<string, PoolPlan>> {
  const groups = new Map<string, Map<string, PoolPlan>>();
  for (const [name, plan] of plans) ensure(groups, plan.subnet, () => new Map()).set(name, plan);
  return groups;
}

function isSameNetwork(
  entry: Entry | undefined,
  { space, ranges, routerMac, domain }: Network,
  plans: ReadonlyMap<string, PoolPlan>,
): boolean {
  if (entry === undefined) return false;
  const { network, pool } = entry;
  if (network.space !== space || network.routerMac !== routerMac || network.domain !== domain) return false;
  return (
    isSameList(network.ranges, ranges, isSameRange) &&
    isSameList([...pool.pools.values()], [...plans.values()], isSamePlan)
  );
}

const isSameList = <T>(a: readonly T[], b: readonly T[], isSame: (left: T, right: T) => boolean): boolean =>
  a === b || (a.length === b.length && a.every((item, index) => isEqual(item, b[index], isSame)));

const isEqual = <T>(a: T, b: T | undefined, isSame: (left: T, right: T) => boolean): boolean =>
  b !== undefined && (a === b || isSame(a, b));

const isSameInterval = (a: Interval, b: Interval): boolean => a.first === b.first && a.last === b.last;

const isSameRange = (a: FamilyRange, b: FamilyRange): boolean =>
  a.cidr.family === b.cidr.family &&
  a.cidr.network === b.cidr.network &&
  a.cidr.prefix === b.cidr.prefix &&
  isSameList(a.free, b.free, isSameInterval);

const isSamePlan = (a: PoolPlan, b: PoolPlan): boolean =>
  a.name === b.name &&
  a.usable === b.usable &&
  a.ending === b.ending &&
  isSameList(a.namespaces, b.namespaces, (left, right) => left === right) &&
  isSameList(a.intervals[4], b.intervals[4], isSameInterval) &&
  isSameList(a.intervals[6], b.intervals[6], isSameInterval);
