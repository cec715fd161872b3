import { fail, type Problem, type Result } from '../api/problem.ts';
import { type AddressRequest, chooseLease } from './allocate.ts';
import type { Holder } from './holders.ts';
import type { PoolPlan } from './ip-pools.ts';
import type { RandomBytes } from './mac.ts';
import { createNetworks, type Network, type Networks } from './networks.ts';
import { hold, type Lease, type Pool, release } from './pool.ts';
import { quote } from './ranges.ts';

/** The subnets with all that is held in them, under whatever mark: what the parts of the registry have in common. */
export type Ledger = {
  readonly networks: Networks;
  setNetworks(networks: readonly Network[], plans: ReadonlyMap<string, PoolPlan>): void;
  findPool(subnet: string | undefined): Pool | undefined;
  findPlan(pool: string): PoolPlan | undefined;
  findLease(subnet: string | undefined, holder: Holder): Lease | undefined;
  /** Chooses by the request and holds for `holder`, who is the owner or a mark of it. */
  take(request: AddressRequest, holder: Holder, current: Lease | undefined): Result<Lease>;
  letGo(subnet: string, holder: Holder): void;
};

export function createLedger(random: RandomBytes): Ledger {
  const networks = createNetworks();
  let plans: ReadonlyMap<string, PoolPlan> = new Map();
  const findPool = (subnet: string | undefined) => (subnet === undefined ? undefined : networks.pools.get(subnet));
  return {
    networks,
    setNetworks: (list, poolPlans) => {
      plans = poolPlans;
      networks.set(list, poolPlans);
    },
    findPool,
    findPlan: (pool) => plans.get(pool),
    findLease: (subnet, holder) => findPool(subnet)?.leases.get(holder),
    take: (request, holder, current) => {
      const elsewhere = findElsewhere(plans, request);
      if (elsewhere !== undefined) return { ok: false, problem: elsewhere };
      const pool = findPool(request.subnet);
      if (pool === undefined) return fail('SubnetNotFound', `no usable subnet ${quote(request.subnet)}`);
      const lease = chooseLease(pool, request, { random, current });
      if (lease.ok) hold(pool, holder, lease.value);
      return lease;
    },
    letGo: (subnet, holder) => {
      const pool = findPool(subnet);
      if (pool !== undefined) release(pool, holder);
    },
  };
}

function findElsewhere(plans: ReadonlyMap<string, PoolPlan>, { pool, subnet }: AddressRequest): Problem | undefined {
  const plan = pool === undefined ? undefined : plans.get(pool);
  if (plan === undefined || plan.subnet === subnet) return undefined;
  return { reason: 'PoolNotAllowed', message: `IPPool ${plan.name} is of subnet ${plan.subnet}, not of ${subnet}` };
}
