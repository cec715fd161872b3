import { formatGroupName, type Group } from '../../plan/policies/groups.ts';
import { type Labels, matchesSelector } from '../../plan/policies/selectors.ts';

/** The groups that policies speak of, each as long as one of them does. */
export type GroupIndex = {
  /** What a policy speaks of now, instead of what it spoke of before. */
  set(policy: string, groups: readonly Group[]): void;
  find(id: string): Group | undefined;
  /** By the name of its port group. */
  findByName(name: string): Group | undefined;
  list(): Group[];
  /** Groups that pods of this namespace may be in. */
  listFor(namespace: string): Group[];
  /** Groups that a namespace with these labels is in, or not, unlike with those that it had; undefined: not there. */
  listByLabels(before: Labels | undefined, after: Labels | undefined): Group[];
};

type Entry = { readonly group: Group; readonly users: Set<string> };

/** `onOrphan` is told of each group that nobody speaks of any more. */
export function createGroupIndex(onOrphan: (id: string) => void): GroupIndex {
  const entries = new Map<string, Entry>();
  const byName = new Map<string, Group>();
  const byPolicy = new Map<string, readonly Group[]>();
  /** By the namespace that they are of; under undefined those that choose namespaces by label. */
  const byNamespace = new Map<string | undefined, Map<string, Group>>();
  const placeOf = ({ namespaces }: Group) => (typeof namespaces === 'string' ? namespaces : undefined);

  const add = (policy: string, group: Group) => {
    const entry = entries.get(group.id) ?? { group, users: new Set() };
    entry.users.add(policy);
    entries.set(group.id, entry);
    byName.set(formatGroupName(group.id), entry.group);
    const place = byNamespace.get(placeOf(group)) ?? new Map<string, Group>();
    byNamespace.set(placeOf(group), place.set(group.id, entry.group));
  };
  const leave = (policy: string, group: Group) => {
    const users = entries.get(group.id)?.users;
    users?.delete(policy);
    if (users === undefined || users.size > 0) return;
    entries.delete(group.id);
    byName.delete(formatGroupName(group.id));
    const place = byNamespace.get(placeOf(group));
    place?.delete(group.id);
    if (place?.size === 0) byNamespace.delete(placeOf(group));
    onOrphan(group.id);
  };
  const listWide = (): Group[] => [...(byNamespace.get(undefined)?.values() ?? [])];
  return {
    set: (policy, groups) => {
      const before = byPolicy.get(policy) ?? [];
      const kept = new Set(groups.map(({ id }) => id));
      if (groups.length === 0) byPolicy.delete(policy);
      else byPolicy.set(policy, groups);
      for (const group of groups) add(policy, group);
      for (const group of before) if (!kept.has(group.id)) leave(policy, group);
    },
    find: (id) => entries.get(id)?.group,
    findByName: (name) => byName.get(name),
    list: () => [...entries.values()].map(({ group }) => group),
    listFor: (namespace) => [...(byNamespace.get(namespace)?.values() ?? []), ...listWide()],
    listByLabels: (before, after) =>
      listWide().filter(({ namespaces }) => {
        const takes = (labels: Labels | undefined) =>
          labels !== undefined && typeof namespaces !== 'string' && matchesSelector(namespaces, labels);
        return takes(before) !== takes(after);
      }),
  };
}
