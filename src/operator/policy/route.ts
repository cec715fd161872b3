import type { Namespace, Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { Change } from '../../kube/index.ts';
import { listNamedPorts } from '../../plan/policies/endpoints.ts';
import type { Context } from '../context.ts';
import { formatPolicyKey, type Policies } from './policies.ts';

type Inbox = { add(key: string): void };
type Means = Pick<Context, 'world' | 'policies'>;

const formatGroupKey = ({ id }: { readonly id: string }): string => `policygroup/${id}`;

/** The keys of all policies, and of the groups that they speak of. */
export function listPolicyKeys({ world, policies }: Means): string[] {
  if (policies === undefined) return [];
  return [
    ...(world.networkPolicies?.store.list() ?? []).map(formatPolicyKey),
    ...policies.listGroups().map(formatGroupKey),
  ];
}

/**
 * Turns news of policies, and of what they depend on, into their keys. A pod's own labels are no matter of theirs: its
 * ports have their turns then, and see to the groups that they are in.
 */
export function routePolicies({ world, policies }: Means, inbox: Inbox): (() => void)[] {
  const { networkPolicies } = world;
  if (policies === undefined || networkPolicies === undefined) return [];
  return [
    networkPolicies.onNews(({ object }) => inbox.add(formatPolicyKey(object))),
    policies.onOrphan((id) => inbox.add(formatGroupKey({ id }))),
    world.namespaces.onNews((change) => routeNamespace(policies, change, inbox)),
    world.pods.onNews((change) => {
      if (change.type === 'updated' && describePod(change.object) === describePod(change.previous)) return;
      const pods = change.type === 'updated' ? [change.object, change.previous] : [change.object];
      for (const pod of pods) addNamers(policies, pod, inbox);
    }),
    world.ports.onNews((change) => {
      if (change.type === 'updated' && describeHolders(change.object) === describeHolders(change.previous)) return;
      for (const pod of listPods({ world }, change)) addNamers(policies, pod, inbox);
    }),
  ];
}

function routeNamespace(policies: Policies, change: Change<Namespace>, inbox: Inbox): void {
  const labels = change.object.metadata.labels ?? {};
  const before = change.type === 'updated' ? (change.previous.metadata.labels ?? {}) : undefined;
  const [old, now] = change.type === 'deleted' ? [labels, undefined] : [before, labels];
  const groups = policies.listGroupsByLabels(old, now);
  for (const group of groups) inbox.add(formatGroupKey(group));
  if (groups.length > 0) for (const key of policies.listWideNamers()) inbox.add(`policy/${key}`);
}

const describePod = (pod: Pod): string => JSON.stringify([pod.metadata.labels, pod.status?.phase, listNamedPorts(pod)]);

const describeHolders = ({ spec }: LogicalPort): string => JSON.stringify(spec.attachments ?? []);

function listPods({ world }: Pick<Means, 'world'>, change: Change<LogicalPort>): Pod[] {
  const { metadata, spec } = change.object;
  const before = change.type === 'updated' ? (change.previous.spec.attachments ?? []) : [];
  const names = new Set([...(spec.attachments ?? []), ...before].map(({ podName }) => podName));
  return [...names].flatMap((name) => world.pods.store.get(`${metadata.namespace ?? ''}/${name}`) ?? []);
}

/** Which numbers a name stands for may be others now. */
function addNamers(policies: Policies, pod: Pod, inbox: Inbox): void {
  const ports = listNamedPorts(pod);
  if (ports.length === 0) return;
  for (const key of policies.listNamers({ namespace: pod.metadata.namespace ?? '', ports })) inbox.add(`policy/${key}`);
}
