import { fail, type Result } from '../api/problem.ts';
import type { LogicalPort, Subnet } from '../api/types.gen.ts';
import { type AddressRequest, allocateAll, type RandomBytes } from '../ipam/allocate.ts';
import { countPool, createPool, type Holder, hold, type Lease, listRivals, type Pool, release } from '../ipam/pool.ts';
import { keyOf } from '../kube/index.ts';
import type { Settings } from '../plan/settings.ts';
import { compareAge, deriveRouterMac, planSubnets, type SubnetPlan } from '../plan/subnet.ts';
import type { SubnetCount } from '../plan/subnet-status.ts';
import type { World } from './world.ts';

/**
 * The allocator: pools that follow the LogicalPorts in the cache, plus what was chosen and is not in the cache yet.
 * Nothing here survives a restart, and nothing needs to: the LogicalPorts are the record.
 */
export type Addresses = {
  plans(): ReadonlyMap<string, SubnetPlan>;
  /** All or nothing. What is given stays held until `giveBack`, or until the LogicalPort came and went. */
  allocate(requests: readonly AddressRequest[]): Result<Lease[]>;
  giveBack(subnet: string, holder: Holder): void;
  /** Drops what was given and never came into the cache: for the start of a term, when another process may have led. */
  forgetPending(): void;
  /** Holds what rows that are not ours have on our switches, instead of what they had before. */
  holdForeign(leases: readonly ForeignLease[]): void;
  /** Who among the holders of this port's addresses is older. Not empty: this port must not be programmed. */
  listOlderRivals(port: LogicalPort): string[];
  /** Ports that share an address with this one, whatever their age. */
  listRivals(port: LogicalPort): string[];
  counts(subnet: string): SubnetCount[];
  /** Calls `handler` with a subnet's name when an address of it was freed. */
  onFreed(handler: (subnet: string) => void): void;
};

/** An address on one of our switches that another system gave out. */
export type ForeignLease = { readonly subnet: string; readonly name: string; readonly lease: Lease };

const ROUTER: Holder = 'router';
/** No LogicalPort's key begins like this. */
const FOREIGN = 'ovn:';
const isOurs = (holder: Holder): boolean => holder !== ROUTER && !holder.startsWith(FOREIGN);

/** Follows the world; to be made before the caches start. */
export function createAddresses(world: World, settings: Settings, random: RandomBytes): Addresses {
  const pools = new Map<string, Pool>();
  const freed: ((subnet: string) => void)[] = [];
  let plans: ReadonlyMap<string, SubnetPlan> = new Map();

  const refresh = () => {
    plans = planSubnets(world.subnets.store.list() as Subnet[], settings);
    for (const plan of plans.values()) refreshPool(pools, plan, world);
  };
  world.subnets.onChange(refresh);
  world.ports.onChange((change) => {
    const holder = change.key;
    if (change.type === 'updated') moveLease(pools, holder, [change.previous, change.object]);
    else if (change.type === 'added') holdPort(pools.get(change.object.spec.subnet), change.object);
    else {
      releaseFrom(pools, change.object.spec.subnet, holder);
      for (const handler of freed) handler(change.object.spec.subnet);
    }
  });
  const rivals = (port: LogicalPort) => {
    const pool = pools.get(port.spec.subnet);
    return pool === undefined ? [] : listRivals(pool, keyOf(port));
  };
  return {
    plans: () => plans,
    allocate: (requests) => {
      const unusable = requests.find((request) => plans.get(request.subnet)?.usable !== true);
      return unusable === undefined ? allocateAll(pools, requests, random) : explain(plans, unusable.subnet);
    },
    giveBack: (subnet, holder) => {
      if (world.ports.store.get(holder)?.spec.subnet !== subnet) releaseFrom(pools, subnet, holder);
    },
    forgetPending: () => {
      for (const pool of pools.values()) {
        const lost = [...pool.leases.keys()].filter((holder) => isOurs(holder) && !world.ports.store.get(holder));
        for (const holder of lost) release(pool, holder);
      }
    },
    holdForeign: (leases) => {
      for (const pool of pools.values()) {
        for (const holder of [...pool.leases.keys()]) if (holder.startsWith(FOREIGN)) release(pool, holder);
      }
      for (const { subnet, name, lease } of leases) {
        const pool = pools.get(subnet);
        if (pool !== undefined) hold(pool, FOREIGN + name, lease);
      }
    },
    listRivals: rivals,
    listOlderRivals: (port) => rivals(port).filter((holder) => isOlder(holder, world.ports.store.get(holder), port)),
    counts: (subnet) => {
      const pool = pools.get(subnet);
      return pool === undefined ? [] : countPool(pool);
    },
    onFreed: (handler) => {
      freed.push(handler);
    },
  };
}

function explain(plans: ReadonlyMap<string, SubnetPlan>, name: string) {
  const plan = plans.get(name);
  if (plan === undefined) return fail('SubnetNotFound', `subnet ${name} does not exist`);
  return fail('SubnetNotReady', `subnet ${name}: ${plan.problem?.message ?? 'not usable'}`);
}

/** The router was there before; what other systems did is no reason to take a working port away. */
function isOlder(holder: Holder, rival: LogicalPort | undefined, port: LogicalPort): boolean {
  return holder === ROUTER || (rival !== undefined && compareAge(rival, port) < 0);
}

function holdPort(pool: Pool | undefined, port: LogicalPort): void {
  if (pool !== undefined) hold(pool, keyOf(port), { ips: port.spec.ips, mac: port.spec.mac });
}

function moveLease(
  pools: ReadonlyMap<string, Pool>,
  holder: Holder,
  [before, after]: [LogicalPort, LogicalPort],
): void {
  if (before.spec.subnet !== after.spec.subnet) releaseFrom(pools, before.spec.subnet, holder);
  holdPort(pools.get(after.spec.subnet), after);
}

function releaseFrom(pools: ReadonlyMap<string, Pool>, subnet: string, holder: Holder): void {
  const pool = pools.get(subnet);
  if (pool !== undefined) release(pool, holder);
}

/** A pool whose ranges changed is made anew and holds what the old one held; an unusable subnet keeps its pool. */
function refreshPool(pools: Map<string, Pool>, plan: SubnetPlan, world: World): void {
  const old = pools.get(plan.name);
  if (!plan.usable || (old !== undefined && isSameRanges(old, plan))) return;
  const pool = createPool(plan.ranges);
  hold(pool, ROUTER, { ips: [], mac: deriveRouterMac(plan.vpc, plan.name) });
  for (const [holder, lease] of old?.leases ?? []) hold(pool, holder, lease);
  for (const port of world.ports.store.byIndex('subnet', plan.name)) holdPort(pool, port);
  pools.set(plan.name, pool);
}

const serialize = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));

const isSameRanges = (pool: Pool, plan: SubnetPlan): boolean => serialize(pool.ranges) === serialize(plan.ranges);
