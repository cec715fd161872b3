import { type Result, succeed } from '../api/problem.ts';
import type { AddressRequest } from './allocate.ts';
import { type Change, type Changes, createChanges } from './changes.ts';
import { type Holder, isReserved as isReservation, markLeftOver, markReserved } from './holders.ts';
import type { PoolPlan } from './ip-pools.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { RandomBytes } from './mac.ts';
import type { Network } from './networks.ts';
import { type Count, countPool, countReserved, hold, type Lease, listRivals } from './pool.ts';

/** An address on one of our switches that another system gave out. */
export type ForeignLease = { readonly subnet: string; readonly name: string; readonly lease: Lease };

/** What OVN still has of an owner although its LogicalPort says something else. */
export type Leftover = { readonly subnet: string; readonly lease: Lease };

/**
 * Who has which address in all subnets: what the LogicalPorts have, what was chosen and is in no LogicalPort yet, what
 * a changing port is about to leave, and what other systems have. Only the first is told from outside, all of it is
 * forgotten by a restart, and nothing is lost by that.
 */
export type Registry = {
  setNetworks(networks: readonly Network[], plans: ReadonlyMap<string, PoolPlan>): void;
  /** What a holder's LogicalPort has now. A lease without addresses and MAC holds nothing. */
  setPort(holder: Holder, subnet: string, lease: Lease): void;
  /** The LogicalPort is gone. */
  removePort(holder: Holder): void;
  /** All or nothing. What is chosen stays held until the LogicalPort has it, or `giveBack`. */
  reserve(requests: readonly AddressRequest[]): Result<Lease[]>;
  /** Ends a reservation; what a LogicalPort has is not touched. */
  giveBack(subnet: string, holder: Holder): void;
  /** True between `reserve` and its end. */
  isReserved(subnet: string, holder: Holder): boolean;
  reserveChange(request: AddressRequest): Result<Lease>;
  settleChange(holder: Holder): void;
  dropChange(holder: Holder): void;
  findChange(holder: Holder): Change | undefined;
  forgetReservations(): void;
  /** Holds these, instead of what was told before. */
  holdForeign(leases: readonly ForeignLease[]): void;
  /** Holds this for the owner beside all else, instead of what was told of it before; undefined for nothing. */
  holdLeftover(owner: Holder, leftover: Leftover | undefined): void;
  /** Other owners of an address or of the MAC that the holder's LogicalPort has, as the caller knows it. */
  listRivals(holder: Holder, subnet: string, lease: Lease): Holder[];
  counts(subnet: string): Count[];
  poolCounts(pool: string): Count[];
  /** True when anybody of ours holds or is about to get an address of the subnet. */
  isInUse(subnet: string): boolean;
};

/** No LogicalPort's key begins like this. */
const FOREIGN = 'ovn:';

/** Knows no subnets and no ports yet. */
export function createRegistry(random: RandomBytes): Registry {
  const ledger = createLedger(random);
  const { networks, findPool } = ledger;
  const ports = new Map<Holder, string>();
  const changes = createChanges(ledger, (holder) => ports.get(holder));
  const foreign = createForeign(ledger);
  const reservations = createReservations(ledger, changes);
  return {
    setNetworks: ledger.setNetworks,
    ...createFollower(ledger, { changes, ports, endReservation: reservations.end }),
    ...reservations.calls,
    reserveChange: changes.reserve,
    settleChange: changes.settle,
    dropChange: changes.drop,
    findChange: changes.find,
    holdForeign: foreign.set,
    holdLeftover: createLeftovers(ledger),
    listRivals: (holder, subnet, lease) => {
      const pool = findPool(subnet);
      return pool === undefined ? [] : listRivals(pool, holder, lease);
    },
    counts: (subnet) => {
      const pool = findPool(subnet);
      return pool === undefined ? [] : countPool(pool);
    },
    poolCounts: (name) => {
      const pool = findPool(ledger.findPlan(name)?.subnet);
      return pool === undefined ? [] : countReserved(pool, name);
    },
    isInUse: (subnet) => (networks.pools.get(subnet)?.leases.size ?? 0) > foreign.count(subnet),
  };
}

type Follower = {
  readonly changes: Changes;
  readonly ports: Map<Holder, string>;
  readonly endReservation: (holder: Holder) => void;
};

/** What the LogicalPorts have. */
function createFollower(ledger: Ledger, { changes, ports, endReservation }: Follower) {
  const { networks, letGo, findLease } = ledger;
  const setPort: Registry['setPort'] = (holder, subnet, lease) => {
    const before = ports.get(holder);
    ports.set(holder, subnet);
    if (before !== undefined && before !== subnet) letGo(before, holder);
    hold(networks.ensurePool(subnet), holder, lease);
    if (changes.find(holder) !== undefined) changes.observe(holder);
    else if (findLease(subnet, holder) !== undefined) {
      endReservation(holder);
      letGo(subnet, markReserved(holder));
    }
  };
  const removePort: Registry['removePort'] = (holder) => {
    const subnet = ports.get(holder);
    ports.delete(holder);
    changes.drop(holder);
    // A port that waited for its address and is gone will not come for what was chosen for it.
    endReservation(holder);
    if (subnet !== undefined) letGo(subnet, holder);
  };
  return { setPort, removePort };
}

type Taken = { readonly subnet: string; readonly holder: Holder; readonly lease: Lease; readonly isNew: boolean };

/** What was chosen and is in no LogicalPort yet. */
function createReservations({ networks, take, letGo, findLease }: Ledger, changes: Changes) {
  const subnets = new Map<Holder, string>();
  const end = (holder: Holder) => {
    const subnet = subnets.get(holder);
    subnets.delete(holder);
    if (subnet !== undefined) letGo(subnet, markReserved(holder));
  };
  const reserveOne = (request: AddressRequest): Result<Taken> => {
    const { subnet, holder } = request;
    const known = findLease(subnet, holder) ?? findLease(subnet, markReserved(holder));
    if (known !== undefined) return succeed({ subnet, holder, lease: known, isNew: false });
    const lease = take(request, markReserved(holder), undefined);
    if (!lease.ok) return lease;
    // What was chosen in another subnet is not asked for any more.
    if (subnets.get(holder) !== subnet) end(holder);
    subnets.set(holder, subnet);
    return succeed({ subnet, holder, lease: lease.value, isNew: true });
  };
  const reserve: Registry['reserve'] = (requests) => {
    const taken: Taken[] = [];
    for (const request of requests) {
      const one = reserveOne(request);
      if (!one.ok) {
        for (const { holder } of taken.filter(({ isNew }) => isNew)) end(holder);
        return one;
      }
      taken.push(one.value);
    }
    return succeed(taken.map(({ lease }) => lease));
  };
  const giveBack: Registry['giveBack'] = (subnet, holder) => {
    if (changes.find(holder) !== undefined) return;
    if (subnets.get(holder) === subnet) subnets.delete(holder);
    letGo(subnet, markReserved(holder));
  };
  const forgetReservations = () => {
    changes.dropAll();
    subnets.clear();
    for (const [subnet, { leases }] of networks.pools) {
      for (const holder of [...leases.keys()].filter(isReservation)) letGo(subnet, holder);
    }
  };
  const isReserved: Registry['isReserved'] = (subnet, holder) => findLease(subnet, markReserved(holder)) !== undefined;
  return { end, calls: { reserve, giveBack, isReserved, forgetReservations } };
}

function createLeftovers({ networks, letGo }: Ledger): Registry['holdLeftover'] {
  const subnets = new Map<Holder, string>();
  return (owner, leftover) => {
    const before = subnets.get(owner);
    if (before !== undefined && before !== leftover?.subnet) letGo(before, markLeftOver(owner));
    if (leftover === undefined) {
      subnets.delete(owner);
      return;
    }
    subnets.set(owner, leftover.subnet);
    hold(networks.ensurePool(leftover.subnet), markLeftOver(owner), leftover.lease);
  };
}

/** What other systems have. It changes seldom, and only differences are told on. */
function createForeign({ networks, letGo }: Ledger) {
  let known = new Map<string, ForeignLease>();
  let numbers = new Map<string, number>();
  return {
    count: (subnet: string): number => numbers.get(subnet) ?? 0,
    set: (leases: readonly ForeignLease[]): void => {
      const held = leases.filter(({ lease }) => lease.ips.length > 0 || lease.mac !== '');
      const wanted = new Map(held.map((item) => [`${item.subnet} ${item.name}`, item]));
      for (const [key, { subnet, name }] of known) if (!wanted.has(key)) letGo(subnet, FOREIGN + name);
      for (const { subnet, name, lease } of wanted.values()) hold(networks.ensurePool(subnet), FOREIGN + name, lease);
      known = wanted;
      numbers = new Map();
      for (const { subnet } of wanted.values()) numbers.set(subnet, (numbers.get(subnet) ?? 0) + 1);
    },
  };
}
