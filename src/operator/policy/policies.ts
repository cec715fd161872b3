import { formatPortLsp } from '../../api/names.ts';
import type { Namespace, NetworkPolicy } from '../../api/objects.ts';
import { formatExternalIds } from '../../api/owner.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { keyOf } from '../../kube/index.ts';
import type { Membership } from '../../ovn/membership.ts';
import type { Observed } from '../../ovn/observed.ts';
import { PORT_GROUP } from '../../ovn/port-group.ts';
import { NB, type Port_GroupRow } from '../../ovn/schema/nb.gen.ts';
import { SWITCH_PORT } from '../../ovn/switch-port.ts';
import type { WantedPortGroup } from '../../ovn/wanted.ts';
import { type PolicyPlan, planPolicy } from '../../plan/policies/acls.ts';
import { findHolder, type Holder } from '../../plan/policies/endpoints.ts';
import {
  type Endpoint,
  formatGroupName,
  GROUP_OWNER,
  type Group,
  isMember,
  listNumbers,
  mayAnswer,
  type NameUse,
} from '../../plan/policies/groups.ts';
import type { Labels } from '../../plan/policies/selectors.ts';
import type { Settings } from '../../plan/settings.ts';
import type { Watch } from '../optional-watch.ts';
import type { World } from '../world.ts';
import { createGroupIndex } from './group-index.ts';

/**
 * The policies that there are, as they were understood, and the groups of pods that they speak of. It follows the caches;
 * which port is in which group is never remembered: it is decided anew for one port, or for one group, when somebody asks.
 */
export type Policies = {
  /** False while nobody may read policies: what was made of them stays. */
  isKnown(): boolean;
  /** Makes the plan of a policy anew, as pods may have other numbers for its ports; undefined when it is not there. */
  refresh(key: string): PolicyPlan | undefined;
  /** A group that some policy speaks of. */
  findGroup(id: string): Group | undefined;
  listGroups(): Group[];
  /** Groups whose pods depend on what labels this namespace has. */
  listGroupsByLabels(before: Labels | undefined, after: Labels | undefined): Group[];
  /** Policies that call a port by a name that this pod gives to one of its own. */
  listNamers(pod: Pick<Endpoint, 'namespace' | 'ports'>): string[];
  /** Policies that call ports by name of pods in namespaces that they choose by label. */
  listWideNamers(): string[];
  /** The groups that a port is to be in; undefined where that stays as it is, as nobody can tell. */
  findMembership(port: LogicalPort): Membership | undefined;
  /** The row of a group with its ports as they are to be, to be used at once: it is of this very moment. */
  planGroup(observed: Observed, group: Group): WantedPortGroup;
  /** Calls `handler` with the id of each group that no policy speaks of any more; gives a function that ends this. */
  onOrphan(handler: (id: string) => void): () => void;
};

type Sources = Pick<World, 'ports' | 'pods' | 'namespaces'> & { readonly networkPolicies: Watch<NetworkPolicy> };

/** Follows the world; to be made before the caches start. */
export function createPolicies(world: Sources, settings: Settings): Policies {
  const plans = new Map<string, PolicyPlan>();
  const orphaned = new Set<(id: string) => void>();
  const index = createGroupIndex((id) => {
    for (const handler of orphaned) handler(id);
  });
  const labelsOf = (name: string) => getLabels(world.namespaces.store.get(name));
  const find = createFinder(world.pods.store.get);
  const listEndpoints = ({ pods }: NameUse): Endpoint[] =>
    listPorts(world, pods.namespaces).flatMap((port) => {
      const holder = find(port);
      return typeof holder === 'string' ? [] : [holder];
    });
  const set = (key: string, policy: NetworkPolicy): PolicyPlan => {
    const facts = { cluster: settings.cluster, join: settings.join };
    const numbers = (use: NameUse) => listNumbers(use, listEndpoints(use), labelsOf);
    const plan = planPolicy(policy, { ...facts, listNumbers: numbers });
    plans.set(key, plan);
    index.set(key, plan.groups);
    return plan;
  };
  const remove = (key: string) => {
    plans.delete(key);
    index.set(key, []);
  };
  world.networkPolicies.onChange((change) => {
    if (change.type === 'deleted') remove(change.key);
    else if (change.type === 'added' || !isSameWish(change.object, change.previous)) set(change.key, change.object);
  });
  return {
    isKnown: world.networkPolicies.isKnown,
    refresh: (key) => {
      const policy = world.networkPolicies.store.get(key);
      if (policy === undefined) return undefined;
      const known = plans.get(key);
      return known === undefined || known.names.length > 0 ? set(key, policy) : known;
    },
    findGroup: index.find,
    listGroups: index.list,
    listGroupsByLabels: index.listByLabels,
    listNamers: (pod) =>
      [...plans].flatMap(([key, { names }]) => (names.some((use) => mayAnswer(use, pod)) ? key : [])),
    listWideNamers: () =>
      [...plans].flatMap(([key, { names }]) =>
        names.some(({ pods }) => typeof pods.namespaces !== 'string') ? key : [],
      ),
    findMembership: (port) => {
      const holder = world.networkPolicies.isKnown() ? find(port) : 'unknown';
      if (holder === 'unknown') return undefined;
      const candidates = holder === 'uncovered' ? [] : index.listFor(holder.namespace);
      const groups = candidates.filter((group) => holder !== 'uncovered' && isMember(group, holder, labelsOf));
      const judges = (name: string) => index.findByName(name) !== undefined;
      return { port: formatPortLsp(port), groups: new Set(groups.map(({ id }) => formatGroupName(id))), judges };
    },
    planGroup: (observed, group) => {
      const verdicts = new Map<string, boolean>();
      for (const port of listPorts(world, group.namespaces)) {
        const holder = find(port);
        if (holder === 'uncovered') verdicts.set(formatPortLsp(port), false);
        else if (holder !== 'unknown') verdicts.set(holder.lsp, isMember(group, holder, labelsOf));
      }
      return planRow(observed, group, { verdicts, cluster: settings.cluster });
    },
    onOrphan: (handler) => {
      orphaned.add(handler);
      return () => void orphaned.delete(handler);
    },
  };
}

const getLabels = (namespace: Namespace | undefined): Labels | undefined =>
  namespace === undefined ? undefined : (namespace.metadata.labels ?? {});

const isSameWish = (a: NetworkPolicy, b: NetworkPolicy): boolean => JSON.stringify(a.spec) === JSON.stringify(b.spec);

function listPorts({ ports }: Pick<Sources, 'ports'>, namespaces: Group['namespaces']): LogicalPort[] {
  return typeof namespaces === 'string' ? ports.store.byIndex('namespace', namespaces) : ports.store.list();
}

type FindPod = Parameters<typeof findHolder>[1];

/** Remembers who is behind a port for as long as neither the port nor any of its pods is another object. */
function createFinder(findPod: FindPod): (port: LogicalPort) => Holder {
  const known = new WeakMap<LogicalPort, { readonly pods: readonly unknown[]; readonly holder: Holder }>();
  return (port) => {
    const namespace = port.metadata.namespace ?? '';
    const pods = (port.spec.attachments ?? []).map(({ podName }) => findPod(`${namespace}/${podName}`));
    const last = known.get(port);
    if (last?.pods.every((pod, index) => pod === pods[index])) return last.holder;
    const holder = findHolder(port, findPod);
    known.set(port, { pods, holder });
    return holder;
  };
}

/** What is decided of switch ports, by their names; of others nothing can be said. */
type Judged = { readonly cluster: string; readonly verdicts: ReadonlyMap<string, boolean> };

/** Whoever is in it and cannot be judged stays: the cache may not have yet what has just been written. */
function planRow(observed: Observed, { id }: Group, { cluster, verdicts }: Judged): WantedPortGroup {
  const name = formatGroupName(id);
  const [row] = observed.findByKey(PORT_GROUP, name) as readonly Port_GroupRow[];
  const rows = observed.rows(NB.Logical_Switch_Port);
  const present = row?.ports ?? [];
  const kept = present.filter((uuid) => verdicts.get(rows.get(uuid)?.name ?? '') !== false);
  const wanted = [...verdicts].flatMap(([port, isIn]) =>
    isIn ? observed.findByKey(SWITCH_PORT, port).map(({ _uuid }) => _uuid) : [],
  );
  const externalIds = formatExternalIds(cluster, { kind: GROUP_OWNER, name: id, uid: id });
  return { name, ports: [...new Set([...kept, ...wanted])], externalIds };
}

/** Key of a policy in the queue. */
export const formatPolicyKey = (policy: NetworkPolicy): string => `policy/${keyOf(policy)}`;
