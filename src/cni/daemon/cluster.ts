import { KINDS } from '../../api/group.ts';
import { formatNodeLabel } from '../../api/names.ts';
import type { NetworkAttachmentDefinition } from '../../api/objects.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import {
  type Clock,
  createReflector,
  type KubeObject,
  type Logger,
  type Metrics,
  type Random,
  type Transport,
  watchWhenServed,
} from '../../kube/index.ts';
import type { PodIdentity } from './request.ts';

export type Pod = KubeObject & { spec?: { nodeName?: string; hostNetwork?: boolean }; status?: { phase?: string } };
export type Node = KubeObject & {
  status?: { addresses?: readonly { readonly type: string; readonly address: string }[] };
};

/** What the agent knows of the API: its own node's pods and LogicalPorts, all subnets, its own Node. */
export type Cluster = {
  /** All four kinds have been listed once. */
  hasSynced(): boolean;
  /** The pod as the runtime names it; a static pod by the config hash that its mirror carries. */
  findPod(identity: PodIdentity): Pod | undefined;
  listPods(): readonly Pod[];
  /** The LogicalPort with an attachment for this pod's interface. */
  findPort(podUid: string, ifname: string): LogicalPort | undefined;
  /** Every LogicalPort with an attachment on this node. */
  listPorts(): readonly LogicalPort[];
  findSubnet(name: string): Subnet | undefined;
  listSubnets(): readonly Subnet[];
  findNode(): Node | undefined;
  onChange(listener: () => void): () => void;
};

export type ClusterOptions = {
  readonly transport: Transport;
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
};

export type RunningCluster = Cluster & {
  /** From a watch of all of them; the kind may not be served, and nothing waits for it. */
  findNad(namespace: string, name: string): NetworkAttachmentDefinition | undefined;
  /** Tells `namespace/name` of every pod of the node that is there or changes. */
  onPod(listener: (key: string) => void): () => void;
  start(): void;
  stop(): Promise<void>;
};

const CONFIG_HASH = 'kubernetes.io/config.hash';

/** Watches with server-side selectors, so that a node's cost does not grow with the cluster. */
export function createCluster(options: ClusterOptions): RunningCluster {
  const { node, ...common } = options;
  const pods = createReflector<Pod>({ ...common, kind: KINDS.pod, fieldSelector: `spec.nodeName=${node}` });
  const ports = createReflector<LogicalPort>({
    ...common,
    kind: KINDS.logicalPort,
    labelSelector: formatNodeLabel(node),
    indexers: { attachment: listAttachments },
  });
  const subnets = createReflector<Subnet>({ ...common, kind: KINDS.subnet });
  const nodes = createReflector<Node>({ ...common, kind: KINDS.node, fieldSelector: `metadata.name=${node}` });
  const nads = watchWhenServed<NetworkAttachmentDefinition>({ ...common, kind: KINDS.nad });
  const all = [pods, ports, subnets, nodes];
  // One handler per kind for all waiters: a reflector repeats its whole content to each new handler.
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  for (const reflector of [...all, nads]) reflector.onChange(tell);
  return {
    hasSynced: () => all.every((reflector) => reflector.hasSynced()),
    findPod: (identity) => {
      const pod = pods.store.get(`${identity.namespace}/${identity.name}`);
      return pod !== undefined && isSamePod(pod, identity.uid) ? pod : undefined;
    },
    listPods: () => pods.store.list(),
    findPort: (podUid, ifname) => ports.store.byIndex('attachment', `${podUid}/${ifname}`)[0],
    listPorts: () => ports.store.list(),
    findSubnet: (name) => subnets.store.get(name),
    listSubnets: () => subnets.store.list(),
    findNode: () => nodes.store.get(node),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    findNad: (namespace, name) => nads.store.get(`${namespace}/${name}`),
    onPod: (listener) => pods.onChange(({ key }) => listener(key)),
    start: () => {
      for (const reflector of [...all, nads]) reflector.start();
    },
    stop: async () => {
      await Promise.all([...all, nads].map((reflector) => reflector.stop()));
    },
  };
}

/** `<pod uid>/<interface>` of every attachment. */
export function listAttachments(port: LogicalPort): string[] {
  return (port.spec.attachments ?? []).map((attachment) => `${attachment.podUID}/${attachment.interface}`);
}

/** Is this the life of the name that the runtime means? A static pod's UID is the hash that its mirror pod carries. */
export function isSamePod(pod: Pod, uid: string): boolean {
  return pod.metadata?.uid === uid || pod.metadata?.annotations?.[CONFIG_HASH] === uid;
}
