import type { NetworkPolicy } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { WantedGroupAcl } from '../../ovn/wanted.ts';
import type { JoinNetwork } from '../settings.ts';
import { type PolicyPlan, planPolicy } from './acls.ts';
import { type Endpoint, formatGroupName, type Group, isMember, listNumbers } from './groups.ts';
import type { Labels } from './selectors.ts';

/** Everything that NetworkPolicies depend on, at one moment. */
export type PolicyState = {
  readonly cluster: string;
  readonly join: JoinNetwork;
  readonly policies: readonly NetworkPolicy[];
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly endpoints: readonly Endpoint[];
};

/** What is to be in OVN for all policies together. */
export type PolicyRows = {
  /** Names of switch ports by the name of their port group. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly acls: readonly WantedGroupAcl[];
  readonly problems: readonly Problem[];
};

/** The whole of it at once. The operator works on one policy and one port at a time, by the same parts. */
export function planPolicies(state: PolicyState): PolicyRows {
  const labelsOf = (namespace: string) => state.namespaces.get(namespace);
  const plans = state.policies.map((policy): PolicyPlan => {
    const { cluster, join, endpoints } = state;
    return planPolicy(policy, { cluster, join, listNumbers: (use) => listNumbers(use, endpoints, labelsOf) });
  });
  const groups = new Map(plans.flatMap((plan) => plan.groups.map((group): [string, Group] => [group.id, group])));
  const members = ([id, group]: [string, Group]): [string, string[]] => [
    formatGroupName(id),
    state.endpoints.flatMap((endpoint) => (isMember(group, endpoint, labelsOf) ? endpoint.lsp : [])),
  ];
  return {
    groups: new Map([...groups].map(members)),
    acls: plans.flatMap(({ acls }) => acls),
    problems: plans.flatMap(({ problems }) => problems),
  };
}
