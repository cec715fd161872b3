import { containsAddress, parseAddress, parseCidr } from '../../../api/address.ts';

/** A pod as the API has it. */
export type TestPod = {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
};

/** Who is at the end of a connection: a pod, or an address that is no pod's. */
export type End = { readonly pod?: TestPod; readonly ip: string };

export type Connection = {
  readonly from: End;
  readonly to: End;
  /** `icmp` has no ports. */
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port: number;
};

type Selector = {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
};
type Peer = {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
};
type Port = { protocol?: string; port?: number | string; endPort?: number };
type Rule = { from?: Peer[]; to?: Peer[]; ports?: Port[] };
export type TestPolicy = {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes?: string[];
    readonly ingress?: Rule[];
    readonly egress?: Rule[];
  };
};

export type TestNamespaces = ReadonlyMap<string, Readonly<Record<string, string>>>;

/**
 * What the API's own documents say of a connection, written down as plainly as can be and without looking at how it is
 * planned: both ends must allow it, and an end allows all unless a policy isolates it.
 */
export function isAllowed(policies: readonly TestPolicy[], namespaces: TestNamespaces, how: Connection): boolean {
  return (
    endAllows(policies, namespaces, { how, own: how.from, other: how.to, type: 'Egress' }) &&
    endAllows(policies, namespaces, { how, own: how.to, other: how.from, type: 'Ingress' })
  );
}

type Sight = { how: Connection; own: End; other: End; type: 'Ingress' | 'Egress' };

function endAllows(policies: readonly TestPolicy[], namespaces: TestNamespaces, sight: Sight): boolean {
  const { own, type } = sight;
  const { pod } = own;
  if (pod === undefined) return true;
  const isolating = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.namespace && selects(spec.podSelector, pod.labels) && typesOf(spec).includes(type),
  );
  if (isolating.length === 0) return true;
  return isolating.some(({ metadata, spec }) =>
    ((type === 'Ingress' ? spec.ingress : spec.egress) ?? []).some(
      (rule) =>
        hasPeer((type === 'Ingress' ? rule.from : rule.to) ?? [], namespaces, sight.other, metadata.namespace) &&
        hasPort(rule.ports ?? [], sight.how),
    ),
  );
}

function typesOf(spec: TestPolicy['spec']): string[] {
  if (spec.policyTypes !== undefined && spec.policyTypes.length > 0) return spec.policyTypes;
  return (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function hasPeer(peers: readonly Peer[], namespaces: TestNamespaces, end: End, own: string): boolean {
  if (peers.length === 0) return true;
  return peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (ipBlock !== undefined)
      return isIn(ipBlock.cidr, end.ip) && !(ipBlock.except ?? []).some((e) => isIn(e, end.ip));
    if (end.pod === undefined) return false;
    const { namespace, labels } = end.pod;
    const home = namespaces.get(namespace);
    const isPlace = namespaceSelector === undefined ? namespace === own : selects(namespaceSelector, home ?? {});
    return isPlace && selects(podSelector ?? {}, labels);
  });
}

/** A name is one of the pod that the packet goes to. */
function hasPort(ports: readonly Port[], { protocol, port, to }: Connection): boolean {
  if (ports.length === 0) return true;
  return ports.some((rule) => {
    if ((rule.protocol ?? 'TCP').toLowerCase() !== protocol) return false;
    if (rule.port === undefined) return true;
    if (typeof rule.port === 'number') return port >= rule.port && port <= (rule.endPort ?? rule.port);
    return (to.pod?.ports ?? []).some(
      (own) => own.name === rule.port && own.protocol.toLowerCase() === protocol && own.port === port,
    );
  });
}

function isIn(cidr: string, ip: string): boolean {
  const [network, address] = [parseCidr(cidr), parseAddress(ip)];
  return network !== undefined && address !== undefined && containsAddress(network, address);
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Readonly<Record<string, string>>) {
  const plain = Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
  const others = matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const isIn = value !== undefined && values.includes(value);
    return operator === 'In' ? isIn : !isIn;
  });
  return plain && others;
}
