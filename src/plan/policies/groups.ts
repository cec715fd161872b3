import { formatDigest } from '../../api/names.ts';
import { formatSelector, type Labels, matchesSelector, type Selector } from './selectors.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** A port of a container that has a name. */
export type NamedPort = { readonly name: string; readonly protocol: Protocol; readonly port: number };

/** What is known of whoever is behind a switch port: the pod that holds it, be it a launcher or an ordinary one. */
export type Endpoint = {
  /** Name of the switch port. */
  readonly lsp: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: readonly NamedPort[];
};

/** Pods that a policy speaks of: whom it isolates, or whom it lets in or out. */
export type GroupSpec = {
  /** One namespace by its name, or those with such labels. */
  readonly namespaces: string | Selector;
  readonly pods: Selector;
  /** Only those with a container port of this name, protocol and number. */
  readonly port?: NamedPort;
};

/** Such pods with a name for them; the same in all policies that mean the same pods, so that they share one port group. */
export type Group = GroupSpec & { readonly id: string };

/** Policies' groups are told from all other rows of ours by this kind of owner. */
export const GROUP_OWNER = 'PolicyGroup';

export function makeGroup(cluster: string, spec: GroupSpec): Group {
  const { namespaces, pods, port } = spec;
  const place = typeof namespaces === 'string' ? ['named', namespaces] : ['labelled', formatSelector(namespaces)];
  const which = port === undefined ? [] : [port.name, port.protocol, port.port];
  const text = JSON.stringify([cluster, ...place, formatSelector(pods), ...which]);
  // Tenants choose the text: with 64 bits they could in the end find two that are called the same.
  return { ...spec, id: formatDigest(text) + formatDigest(`again ${text}`) };
}

/** Name of the port group, and of the address sets that northd keeps of it: an identifier of OVN's (ovn-sb(5)). */
export const formatGroupName = (id: string): string => `mooring_policy_${id}`;

/** `labelsOf` gives the labels of a namespace, undefined for one that is not there (yet): nobody is let in by it. */
export function isMember(
  group: GroupSpec,
  endpoint: Endpoint,
  labelsOf: (namespace: string) => Labels | undefined,
): boolean {
  return (
    matchesNamespace(group, endpoint.namespace, labelsOf) &&
    matchesSelector(group.pods, endpoint.labels) &&
    (group.port === undefined || endpoint.ports.some((port) => isSamePort(port, group.port)))
  );
}

function matchesNamespace(
  { namespaces }: GroupSpec,
  name: string,
  labelsOf: (namespace: string) => Labels | undefined,
): boolean {
  if (typeof namespaces === 'string') return namespaces === name;
  const labels = labelsOf(name);
  return labels !== undefined && matchesSelector(namespaces, labels);
}

const isSamePort = (a: NamedPort, b: NamedPort | undefined): boolean =>
  a.name === b?.name && a.protocol === b.protocol && a.port === b.port;

/** A container port that a policy calls by its name, of certain pods. */
export type NameUse = { readonly name: string; readonly protocol: Protocol; readonly pods: GroupSpec };

/** Whether a pod's own words have to do with what a policy says by that name. */
export const mayAnswer = (
  { name, protocol, pods }: NameUse,
  { namespace, ports }: Pick<Endpoint, 'namespace' | 'ports'>,
): boolean =>
  (typeof pods.namespaces !== 'string' || pods.namespaces === namespace) &&
  ports.some((port) => port.name === name && port.protocol === protocol);

/** The numbers that pods give to a port, the commonest first. */
export function listNumbers(
  use: NameUse,
  endpoints: Iterable<Endpoint>,
  labelsOf: (namespace: string) => Labels | undefined,
): number[] {
  const counts = new Map<number, number>();
  for (const endpoint of endpoints) {
    if (!mayAnswer(use, endpoint) || !isMember(use.pods, endpoint, labelsOf)) continue;
    const numbers = endpoint.ports.filter(({ name, protocol }) => name === use.name && protocol === use.protocol);
    for (const { port } of numbers) counts.set(port, (counts.get(port) ?? 0) + 1);
  }
  return [...counts].sort(([a, many], [b, more]) => more - many || a - b).map(([port]) => port);
}
