import type { Problem } from '../../api/problem.ts';
import type { Vpc, VpcStatus } from '../../api/types.gen.ts';
import { isFalse, isTrue, type Moment, planConditions, type Verdict } from '../conditions.ts';
import { deriveInUse } from './subnet-status.ts';

export type VpcFacts = {
  /** Names of the Subnets of this VPC. */
  readonly subnets: readonly string[];
  /** How many LogicalPorts are on them. */
  readonly ports: number;
  readonly programming: { readonly ok: true } | { readonly ok: false; readonly problem: Problem };
};

/** The status of a Vpc: what is in it, and whether its router is there, or what keeps it from being deleted. */
export function deriveVpcStatus(vpc: Vpc, facts: VpcFacts, moment: Moment): VpcStatus {
  const ready =
    vpc.metadata.deletionTimestamp === undefined ? deriveReady(facts) : deriveInUse('subnets', facts.subnets);
  return {
    subnets: [...facts.subnets],
    ports: facts.ports,
    conditions: planConditions(vpc.status?.conditions, { Ready: ready }, moment),
  };
}

function deriveReady({ programming }: VpcFacts): Verdict {
  return programming.ok ? isTrue('Ready') : isFalse(programming.problem.reason, programming.problem.message);
}
