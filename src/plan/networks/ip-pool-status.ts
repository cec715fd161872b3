import type { IPPool, IPPoolStatus } from '../../api/types.gen.ts';
import type { PoolPlan } from '../../ipam/ip-pools.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from '../conditions.ts';
import { deriveInUse, formatCounts, type SubnetCount } from './subnet-status.ts';

export type PoolFacts = {
  readonly plan: PoolPlan;
  readonly counts: readonly SubnetCount[];
  /** Ports with an address of the pool; asked for only when it is being deleted. */
  readonly holders: readonly string[];
};

/** The status of an IPPool: counts per family, and whether it gives addresses, or why not. */
export function derivePoolStatus(pool: IPPool, facts: PoolFacts, moment: Moment): IPPoolStatus {
  const isEnding = pool.metadata.deletionTimestamp !== undefined;
  const ready = isEnding ? deriveInUse('ports', facts.holders) : deriveReady(facts);
  return {
    conditions: planConditions(pool.status?.conditions, { Ready: ready }, moment),
    ...formatCounts(facts.counts),
  };
}

/** Full is told, not an error of the pool. */
function deriveReady({ plan, counts }: PoolFacts): Verdict {
  if (plan.problem !== undefined) return isFalse(plan.problem.reason, plan.problem.message);
  return counts.some(({ available }) => available === 0n) ? isTrue('PoolFull') : isTrue('Ready');
}
