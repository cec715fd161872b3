import type { Node } from '../api/objects.ts';
import type { Problem, Result } from '../api/problem.ts';
import type { LogicalPort, Subnet } from '../api/types.gen.ts';
import type { AddressRequest, RandomBytes } from '../ipam/allocate.ts';
import type { Change as LeaseChange } from '../ipam/changes.ts';
import { type PoolPlan, planPools } from '../ipam/ip-pools.ts';
import { type Network, ROUTER } from '../ipam/networks.ts';
import type { Holder, Lease } from '../ipam/pool.ts';
import { createRegistry, type ForeignLease, type Leftover } from '../ipam/registry.ts';
import { type Change, type KubeObject, keyOf } from '../kube/index.ts';
import { listNodeAddresses } from '../plan/networks/node-addresses.ts';
import { deriveDomain, isOvnProvider } from '../plan/networks/provider.ts';
import { compareAge, deriveRouterMac, planSubnets, type SubnetPlan } from '../plan/networks/subnet.ts';
import type { SubnetCount } from '../plan/networks/subnet-status.ts';
import { isHandedOver } from '../plan/ports/claim-status.ts';
import { describeSharer, sharesMac } from '../plan/ports/mac-turns.ts';
import type { Settings } from '../plan/settings.ts';
import type { World } from './world.ts';

export type { ForeignLease, Leftover } from '../ipam/registry.ts';

/**
 * The allocator: it follows the LogicalPorts in the cache, and holds beside them what was chosen and is not in the cache
 * yet. Nothing here survives a restart, and nothing needs to: the LogicalPorts are the record.
 *
 * A new address: `allocate`, create the LogicalPort. A refusal for certain is followed by `giveBack`; after an answer
 * that was lost, `allocate` again gives the same.
 *
 * Another address for a port that has one: `reserveChange` with the port's own key as `holder`; write the LogicalPort
 * with the lease that it gives; write the rows; `settleChange`. From the first step to the last the holder has both, so
 * that a crash anywhere loses neither. Each step may be repeated. `settleChange` may come before the cache shows the new
 * LogicalPort; the old address is then freed when it does. `dropChange` instead, when the change is not wanted any more
 * and its write is known not to have happened: the port keeps what its LogicalPort says. After a restart in the middle,
 * the LogicalPort tells which of the two the port has, and the other is free.
 */
export type Addresses = {
  plans(): ReadonlyMap<string, SubnetPlan>;
  /** All or nothing. What is given stays held until `giveBack`, or until the LogicalPort came and went. */
  allocate(requests: readonly AddressRequest[]): Result<Lease[]>;
  /** Ends what `allocate` began; what a LogicalPort in the cache has stays its own. */
  giveBack(subnet: string, holder: Holder): void;
  /** True of what `allocate` gave and is in no LogicalPort that the cache has. */
  isReserved(subnet: string, holder: Holder): boolean;
  /**
   * Another lease for `request.holder`, in the same subnet or another. What the request does not name stays as it is
   * where it can; gives the present lease when that is what is asked for. The same request again gives the same lease;
   * another one takes the place of the first. Without a lease at present it is as `allocate`.
   */
  reserveChange(request: AddressRequest): Result<Lease>;
  /** The LogicalPort and the rows have the new lease: the old one is free. Nothing for a holder that does not change. */
  settleChange(holder: Holder): void;
  /** The change does not come: the new lease is free, unless the LogicalPort in the cache has it; then the old one is. */
  dropChange(holder: Holder): void;
  /** The change of a holder between `reserveChange` and its end. */
  findChange(holder: Holder): LeaseChange | undefined;
  /** Drops what was given and never came into the cache: for the start of a term, when another process may have led. */
  forgetPending(): void;
  /** Holds what rows that are not ours have on our switches, instead of what they had before. */
  holdForeign(leases: readonly ForeignLease[]): void;
  /** Holds for a port what OVN still has of it although its LogicalPort says something else; undefined for nothing. */
  holdLeftover(holder: Holder, leftover: Leftover | undefined): void;
  /** Who among the holders of this port's addresses is older. Not empty: this port must not be programmed. */
  listOlderRivals(port: LogicalPort): string[];
  /**
   * Ports that share an address with this one in the VPC, or its MAC in the L2 domain, whatever their age; not those that
   * take turns with the MAC.
   */
  listRivals(port: LogicalPort): string[];
  /** Ports of other guests that may have the MAC of this one, and do: `judgeMac` says whose turn it is. */
  listMacPartners(port: LogicalPort): LogicalPort[];
  counts(subnet: string): SubnetCount[];
  /** True when a port has an address of the subnet, or is about to get or to leave one. Takes no time. */
  isInUse(subnet: string): boolean;
  /** What becomes of each IPPool, oldest first. */
  poolPlans(): ReadonlyMap<string, PoolPlan>;
  /** Of the families that the IPPool has addresses of. */
  poolCounts(pool: string): SubnetCount[];
};

type Sources = Pick<World, 'ports' | 'subnets' | 'vpcs' | 'ipPools' | 'nodes'>;

/** Follows the world; to be made before the caches start. */
export function createAddresses(world: Sources, settings: Settings, random: RandomBytes): Addresses {
  const registry = createRegistry(random);
  const networks = followNetworks(world, settings, registry.setNetworks);
  const current = () => {
    networks.refresh();
    return registry;
  };
  world.ports.onChange((change) => {
    const { spec } = change.object;
    if (change.type === 'deleted') current().removePort(change.key);
    else if (change.type === 'added' || !isSameAllocation(change.previous, change.object)) {
      current().setPort(change.key, spec.subnet, getLease(change.object));
    }
  });
  const findPartners = (port: LogicalPort) => {
    const { mac, subnet } = port.spec;
    const own = describeSharer(port);
    return current()
      .listRivals(keyOf(port), subnet, { ips: [], mac })
      .flatMap((holder) => world.ports.store.get(holder) ?? [])
      .filter((other) => sharesMac(own, describeSharer(other)));
  };
  const listRivals = (port: LogicalPort) => {
    const lease = getLease(port);
    const all = current().listRivals(keyOf(port), port.spec.subnet, lease);
    const partners = all.length === 0 ? [] : findPartners(port).map(keyOf);
    if (partners.length === 0) return all;
    const byIp = current().listRivals(keyOf(port), port.spec.subnet, { ...lease, mac: '' });
    return all.filter((holder) => byIp.includes(holder) || !partners.includes(holder));
  };
  const explain = (requests: readonly AddressRequest[]) => {
    const problems = requests.map(({ subnet }) => findObstacle(world, networks.refresh().subnets, subnet));
    return problems.find((problem) => problem !== undefined);
  };
  return {
    plans: () => networks.refresh().subnets,
    allocate: (requests) => {
      const problem = explain(requests);
      return problem === undefined ? current().reserve(requests) : { ok: false, problem };
    },
    giveBack: (subnet, holder) => current().giveBack(subnet, holder),
    isReserved: (subnet, holder) => current().isReserved(subnet, holder),
    reserveChange: (request) => {
      const problem = explain([request]);
      return problem === undefined ? current().reserveChange(request) : { ok: false, problem };
    },
    settleChange: (holder) => current().settleChange(holder),
    dropChange: (holder) => current().dropChange(holder),
    findChange: (holder) => current().findChange(holder),
    forgetPending: () => current().forgetReservations(),
    holdForeign: (leases) => current().holdForeign(leases),
    holdLeftover: (holder, leftover) => current().holdLeftover(holder, leftover),
    listRivals,
    listMacPartners: findPartners,
    listOlderRivals: (port) =>
      listRivals(port).filter((holder) => {
        const rival = world.ports.store.get(holder);
        return isOlder(holder, rival, port) && !isPredecessor(rival, port);
      }),
    counts: (subnet) => current().counts(subnet),
    isInUse: (subnet) => current().isInUse(subnet),
    poolPlans: () => networks.refresh().pools,
    poolCounts: (pool) => current().poolCounts(pool),
  };
}

type Plans = { readonly subnets: ReadonlyMap<string, SubnetPlan>; readonly pools: ReadonlyMap<string, PoolPlan> };
type Tell = (networks: readonly Network[], pools: ReadonlyMap<string, PoolPlan>) => void;

/**
 * The plans of subnets and IPPools. They are made when somebody looks and only after a change that matters: a list of
 * a thousand subnets makes them once, the thousand statuses written afterwards not at all.
 */
function followNetworks(world: Sources, settings: Settings, tell: Tell) {
  let plans: Plans = { subnets: new Map(), pools: new Map() };
  let isStale = true;
  const note = (change: Change<KubeObject & { spec?: unknown }>) => {
    if (change.type !== 'updated' || serializeWish(change.object) !== serializeWish(change.previous)) isStale = true;
  };
  world.subnets.onChange(note);
  world.vpcs.onChange(note);
  world.ipPools.onChange(note);
  world.nodes.onChange((change) => {
    if (change.type !== 'updated' || serializeIps(change.object) !== serializeIps(change.previous)) isStale = true;
  });
  const refresh = (): Plans => {
    if (!isStale) return plans;
    isStale = false;
    const subnets = world.subnets.store.list();
    const subnetPlans = planSubnets(
      subnets,
      settings,
      new Set(world.vpcs.store.list().map(({ metadata }) => metadata.name)),
      listNodeAddresses(world.nodes.store.list()),
    );
    const pools = planPools(world.ipPools.store.list(), subnetPlans);
    plans = { subnets: subnetPlans, pools };
    const objects = new Map(subnets.map((subnet) => [subnet.metadata.name, subnet]));
    tell(
      [...subnetPlans.values()].map((plan) => makeNetwork(plan, objects.get(plan.name))),
      pools,
    );
    return plans;
  };
  return { refresh };
}

const serializeWish = ({ spec, metadata }: KubeObject & { spec?: unknown }): string =>
  JSON.stringify([spec, metadata?.uid, metadata?.deletionTimestamp]);

/** The addresses of a node, to tell whether they are the same. */
export const serializeIps = ({ status }: Pick<Node, 'status'>): string => JSON.stringify(status?.addresses ?? []);

/** A network of another plugin is a world of its own, as planSubnets has it; ours are told apart by VPC. */
function makeNetwork({ name, vpc, usable, ranges }: SubnetPlan, subnet: Subnet | undefined): Network {
  const { provider } = subnet?.spec ?? {};
  const domain = deriveDomain(subnet?.spec ?? {});
  return {
    name,
    space: isOvnProvider(provider) ? `vpc/${vpc}` : `provider/${provider}`,
    ranges: usable ? ranges : [],
    routerMac: deriveRouterMac(vpc, name),
    ...(domain === undefined ? {} : { domain }),
  };
}

/** Why no address of the subnet can be given to anybody at present. */
function findObstacle(world: Sources, plans: ReadonlyMap<string, SubnetPlan>, name: string): Problem | undefined {
  const plan = plans.get(name);
  if (plan === undefined) return { reason: 'SubnetNotFound', message: `subnet ${name} does not exist` };
  if (!plan.usable) {
    return { reason: 'SubnetNotReady', message: `subnet ${name}: ${plan.problem?.message ?? 'not usable'}` };
  }
  if (world.subnets.store.get(name)?.metadata.deletionTimestamp === undefined) return undefined;
  return { reason: 'SubnetNotReady', message: `subnet ${name} is being deleted` };
}

const getLease = ({ spec: { ips, mac, pool } }: LogicalPort): Lease => ({
  ips,
  mac,
  ...(pool === undefined ? {} : { pool }),
});

function isSameAllocation({ spec: a }: LogicalPort, { spec: b }: LogicalPort): boolean {
  return a.subnet === b.subnet && a.mac === b.mac && a.pool === b.pool && a.ips.join() === b.ips.join();
}

/** The router was there before; what other systems did is no reason to take a working port away. */
function isOlder(holder: Holder, rival: LogicalPort | undefined, port: LogicalPort): boolean {
  return holder === ROUTER || (rival !== undefined && compareAge(rival, port) < 0);
}

/** What an IPAMClaim hands over from one port to the next has no rows any more. */
function isPredecessor(rival: LogicalPort | undefined, { metadata, spec }: LogicalPort): boolean {
  if (rival === undefined || rival.metadata.namespace !== metadata.namespace) return false;
  return rival.spec.ipamClaim === spec.ipamClaim && isHandedOver(rival);
}
