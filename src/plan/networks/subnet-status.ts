import type { Problem } from '../../api/problem.ts';
import type { Subnet, SubnetStatus } from '../../api/types.gen.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from '../conditions.ts';
import type { SubnetPlan } from './subnet.ts';

export type SubnetCount = { readonly family: 4 | 6; readonly used: bigint; readonly available: bigint };

export type SubnetFacts = {
  readonly plan: SubnetPlan;
  readonly counts: readonly SubnetCount[];
  readonly programming: { readonly ok: true } | { readonly ok: false; readonly problem: Problem };
  /** The node that carries the traffic out of a centralized subnet. */
  readonly gateway?: string | undefined;
  /** What guests cannot be told. */
  readonly dhcpProblems: readonly string[];
  /** Ports that keep a subnet from being deleted. */
  readonly holders: readonly string[];
};

const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);

/** The status of a Subnet: counts per family and whether it can be used, or why not. */
export function deriveSubnetStatus(subnet: Subnet, facts: SubnetFacts, moment: Moment): SubnetStatus {
  const isEnding = subnet.metadata.deletionTimestamp !== undefined;
  const ready = isEnding ? deriveInUse('ports', facts.holders) : deriveReady(facts);
  return {
    conditions: planConditions(subnet.status?.conditions, { Ready: ready }, moment),
    ...formatCounts(facts.counts),
    ...(facts.gateway === undefined ? {} : { activateGateway: facts.gateway }),
  };
}

type Counts = Pick<SubnetStatus, 'v4usingIPs' | 'v4availableIPs' | 'v6usingIPs' | 'v6availableIPs'>;

/** Counts as the status of Subnets and IPPools has them; JSON numbers end at 2^53. */
export function formatCounts(counts: readonly SubnetCount[]): Counts {
  const status: Counts = {};
  for (const { family, used, available } of counts) {
    const [using, free] = [used, available].map((count) => Number(count > MAX_COUNT ? MAX_COUNT : count));
    if (family === 4) Object.assign(status, { v4usingIPs: using, v4availableIPs: free });
    else Object.assign(status, { v6usingIPs: using, v6availableIPs: free });
  }
  return status;
}

/** Of an object that is being deleted while others still need it; at most three of them are named. */
export function deriveInUse(what: string, users: readonly string[]): Verdict {
  const more = users.length > 3 ? ` and ${users.length - 3} more` : '';
  return isFalse('InUse', `being deleted; waits for ${what} ${users.slice(0, 3).join(', ')}${more}`);
}

/** Full is told, not an error of the subnet: what it has given out keeps working. */
function deriveReady({ plan, programming, counts, gateway, dhcpProblems }: SubnetFacts): Verdict {
  if (plan.problem !== undefined) return isFalse(plan.problem.reason, plan.problem.message);
  if (!programming.ok) return isFalse(programming.problem.reason, programming.problem.message);
  if (plan.gateways.length > 0 && gateway === undefined) {
    const message = `none of ${plan.gateways.join(', ')} is ready and in OVN; nothing leaves the subnet until one is`;
    return isFalse('GatewayNodeUnavailable', message);
  }
  if (dhcpProblems.length > 0) {
    return isFalse('InvalidDHCPOptions', `${dhcpProblems.slice(0, 5).join('; ')}; guests are told everything else`);
  }
  if (counts.some(({ available }) => available === 0n)) return isTrue('SubnetFull');
  if (plan.warning !== undefined) return isTrue(plan.warning.reason, plan.warning.message);
  return plan.notes.length === 0 ? isTrue('Ready') : isTrue('Ready', `NotApplicable: ${plan.notes.join('; ')}`);
}
