import type { NetworkPolicy } from '../../api/objects.ts';
import { formatOwner } from '../../api/owner.ts';
import type { ObjectRef, Outcome } from '../../kube/index.ts';
import { PORT_GROUP } from '../../ovn/port-group.ts';
import type { Port_GroupRow } from '../../ovn/schema/nb.gen.ts';
import type { Wanted } from '../../ovn/wanted.ts';
import { formatPolicyOwner, type PolicyPlan } from '../../plan/policies/acls.ts';
import { formatGroupName, GROUP_OWNER } from '../../plan/policies/groups.ts';
import { NOTHING } from '../../plan/rows.ts';
import { reportProblem, type Turn } from '../context.ts';
import { type Programmed, program } from '../port/program.ts';
import type { Policies } from './policies.ts';

const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 1000;
const DENIED_MS = 10_000;
/** Until the ACLs of the policies that spoke of a group are gone from it. */
const IN_USE_MS = 200;

const formatGroupOwner = (id: string): string => formatOwner({ kind: GROUP_OWNER, name: id });

const settle = (programming: Programmed): Outcome =>
  programming.ok ? { done: true } : { requeueAfterMs: UNPROGRAMMED_MS };

/** One turn for a NetworkPolicy, `<namespace>/<name>`: its ACLs, and the groups of pods that they speak of. */
export async function runPolicyTurn(turn: Turn, key: string): Promise<Outcome> {
  const { policies, world } = turn;
  const [namespace = '', name = ''] = key.split('/');
  const owner = formatPolicyOwner(namespace, name);
  if (policies === undefined) return settle(await program(turn, NOTHING, [owner]));
  if (!policies.isKnown()) return { requeueAfterMs: DENIED_MS };
  const policy = world.networkPolicies?.store.get(key);
  const plan = policies.refresh(key);
  if (policy === undefined || plan === undefined) return endPolicy(turn, { namespace, name }, owner);
  const owners = [owner, ...plan.groups.map(({ id }) => formatGroupOwner(id))];
  // At the moment of writing: meanwhile ports may have come, which have put themselves into the groups.
  const programming = await program(turn, () => planRows(turn, policies, plan), owners);
  for (const problem of plan.problems) reportProblem(turn, describe(policy), 'Planning', problem);
  if (!programming.ok) reportProblem(turn, describe(policy), 'Programming', programming.problem);
  return settle(programming);
}

/** The cache may lag behind what an earlier leader has seen: the API server is asked before anybody is let in. */
async function endPolicy(turn: Turn, ref: ObjectRef, owner: string): Promise<Outcome> {
  const found = await turn.api.networkPolicies.find(ref, { signal: turn.signal });
  return found === undefined ? settle(await program(turn, NOTHING, [owner])) : { requeueAfterMs: LAGGING_MS };
}

function planRows({ nb }: Turn, policies: Policies, { groups, acls }: PolicyPlan): Wanted {
  const portGroups = groups.map((group) => policies.planGroup(nb.observed, group));
  return { ...NOTHING, portGroups, groupAcls: acls };
}

const describe = (policy: NetworkPolicy) => ({ ...policy, apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' });

/** One turn for a group of pods: its ports, or its end when no policy speaks of it any more. */
export async function runPolicyGroupTurn(turn: Turn, id: string): Promise<Outcome> {
  const { policies, nb } = turn;
  const owner = formatGroupOwner(id);
  if (policies === undefined) return settle(await program(turn, NOTHING, [owner]));
  if (!policies.isKnown()) return { requeueAfterMs: DENIED_MS };
  const [row] = nb.observed.findByKey(PORT_GROUP, formatGroupName(id)) as readonly Port_GroupRow[];
  if (policies.findGroup(id) === undefined && (row?.acls ?? []).length > 0) return { requeueAfterMs: IN_USE_MS };
  const plan = (): Wanted => {
    const group = policies.findGroup(id);
    return group === undefined ? NOTHING : { ...NOTHING, portGroups: [policies.planGroup(nb.observed, group)] };
  };
  return settle(await program(turn, plan, [owner]));
}
