import type { Problem } from '../api/problem.ts';
import type { Subnet, SubnetStatus } from '../api/types.gen.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from './conditions.ts';
import type { SubnetPlan } from './subnet.ts';

export type SubnetCount = { readonly family: 4 | 6; readonly used: bigint; readonly available: bigint };

export type SubnetFacts = {
  readonly plan: SubnetPlan;
  readonly counts: readonly SubnetCount[];
  readonly programming: { readonly ok: true } | { readonly ok: false; readonly problem: Problem };
};

const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);

/** The status of a Subnet: counts per family and whether it can be used, or why not. */
export function deriveSubnetStatus(subnet: Subnet, facts: SubnetFacts, moment: Moment): SubnetStatus {
  const ready = deriveReady(facts);
  const status: SubnetStatus = { conditions: planConditions(subnet.status?.conditions, { Ready: ready }, moment) };
  for (const { family, used, available } of facts.counts) {
    const numbers = [used, available].map((count) => Number(count > MAX_COUNT ? MAX_COUNT : count));
    if (family === 4) Object.assign(status, { v4usingIPs: numbers[0], v4availableIPs: numbers[1] });
    else Object.assign(status, { v6usingIPs: numbers[0], v6availableIPs: numbers[1] });
  }
  return status;
}

/** Full is told, not an error of the subnet: what it has given out keeps working. */
function deriveReady({ plan, programming, counts }: SubnetFacts): Verdict {
  if (plan.problem !== undefined) return isFalse(plan.problem.reason, plan.problem.message);
  if (!programming.ok) return isFalse(programming.problem.reason, programming.problem.message);
  const full = counts.some(({ available }) => available === 0n);
  return full ? isTrue('SubnetFull') : isTrue('Ready');
}
