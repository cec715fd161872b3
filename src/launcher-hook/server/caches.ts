import { formatAddress, parseAddress, parseMac } from '../../api/address.ts';
import { KINDS } from '../../api/group.ts';
import type {
  KubeVirt,
  Namespace,
  NetworkAttachmentDefinition,
  Node,
  VirtualMachine,
  VirtualMachineInstance,
} from '../../api/objects.ts';
import type { IPPool, LogicalPort, Subnet, Vpc } from '../../api/types.gen.ts';
import {
  type Clock,
  type KubeObject,
  type Logger,
  type Metrics,
  type Random,
  type ReadonlyStore,
  type ReflectorOptions,
  type ResourceKind,
  type Transport,
  type Watch,
  watchAlways,
  watchWhenServed,
} from '../../kube/index.ts';
import { listNodeAddresses, type NodeAddresses } from '../../plan/networks/node-addresses.ts';
import { type Records, UnknownKind } from '../records.ts';

export type CacheOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/** Copies of what judges ask about. */
export type Caches = {
  readonly records: Records;
  start(): void;
  stop(): Promise<void>;
  /** Resolves when every cache is complete, or its kind known to be absent. */
  whenReady(signal: AbortSignal): Promise<void>;
  /** Kinds that were not read yet or may not be read any more. */
  listUnknown(): readonly string[];
};

const BY_IP = 'ip';
const BY_MAC = 'mac';

/** They follow nothing before `start`. */
export function createCaches(options: CacheOptions): Caches {
  const sources = createSources(options);
  const all = Object.values(sources) as unknown as Source<KubeObject>[];
  return {
    records: asRecords(sources),
    start: () => {
      for (const { watch } of all) watch.start();
    },
    stop: async () => {
      await Promise.all(all.map(({ watch }) => watch.stop()));
    },
    whenReady: async (signal) => {
      await Promise.all(all.map(({ watch }) => watch.whenReady(signal)));
    },
    listUnknown: () => all.flatMap(({ kind, watch }) => (isKnown(watch) && !watch.isDenied() ? [] : kind)),
  };
}

type Source<T> = { readonly kind: string; readonly watch: Watch<T> };
type More<T> = Pick<ReflectorOptions<T>, 'decode' | 'indexers'>;

/** Of the whole cluster: what the caller has beside the options, as a namespace of its own, is no selection of ours. */
function createSources({ transport, clock, random, log, metrics }: CacheOptions) {
  const options: CacheOptions = { transport, clock, random, log, metrics };
  const always = <T extends KubeObject>(kind: ResourceKind, more: More<T> = {}): Source<T> => ({
    kind: kind.kind,
    watch: watchAlways<T>({ ...options, kind, decode: trim<T>, ...more }),
  });
  const served = <T extends KubeObject>(kind: ResourceKind): Source<T> => ({
    kind: kind.kind,
    watch: watchWhenServed<T>({ ...options, kind, decode: trim<T> }),
  });
  return {
    namespaces: always<Namespace>(KINDS.namespace),
    nodes: always<Node>(KINDS.node, { decode: trimNode }),
    vpcs: always<Vpc>(KINDS.vpc),
    pools: always<IPPool>(KINDS.ipPool),
    subnets: always<Subnet>(KINDS.subnet),
    ports: always<LogicalPort>(KINDS.logicalPort, {
      indexers: {
        [BY_IP]: ({ spec }) => spec.ips.flatMap((ip) => formatIpKey(spec.subnet, ip)),
        [BY_MAC]: ({ spec }) => formatMacKey(spec.subnet, spec.mac),
      },
    }),
    nads: served<NetworkAttachmentDefinition>(KINDS.nad),
    vms: served<VirtualMachine>(KINDS.vm),
    vmis: served<VirtualMachineInstance>(KINDS.vmi),
    kubevirts: served<KubeVirt>(KINDS.kubevirt),
  };
}

/** An absent kind is known to be empty. What was read stays known, though it may not be read any more. */
const isKnown = <T>(watch: Watch<T>): boolean => watch.isKnown() || watch.isAbsent();

/** Throws UnknownKind. */
function read<T>({ kind, watch }: Source<T>): ReadonlyStore<T> {
  if (!isKnown(watch)) throw new UnknownKind(kind);
  return watch.store;
}

function asRecords(sources: ReturnType<typeof createSources>): Records {
  const { namespaces, subnets, ports, nads, vms, vmis, kubevirts, vpcs, pools } = sources;
  const findPorts = (index: string, keys: readonly string[]) => {
    const store = read(ports);
    return keys.flatMap((key) => store.byIndex(index, key));
  };
  return {
    findNamespace: (name) => read(namespaces).get(name),
    findSubnet: (name) => read(subnets).get(name),
    listSubnets: () => read(subnets).list(),
    findNad: (namespace, name) => read(nads).get(`${namespace}/${name}`),
    findPort: (namespace, name) => read(ports).get(`${namespace}/${name}`),
    listPorts: () => read(ports).list(),
    findPortsByIp: (subnet, ip) => findPorts(BY_IP, formatIpKey(subnet, ip)),
    findPortsByMac: (subnet, mac) => findPorts(BY_MAC, formatMacKey(subnet, mac)),
    findVm: (namespace, name) => read(vms).get(`${namespace}/${name}`),
    findVmi: (namespace, name) => read(vmis).get(`${namespace}/${name}`),
    findKubevirt: () =>
      read(kubevirts)
        .list()
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0],
    findVpc: (name) => read(vpcs).get(name),
    listPools: () => read(pools).list(),
    getNodeAddresses: remember(sources.nodes),
  };
}

/** Nodes change far less often than somebody asks. */
function remember(nodes: Source<Node>): () => NodeAddresses {
  let known: NodeAddresses | undefined;
  nodes.watch.onNews(() => {
    known = undefined;
  });
  return () => {
    known ??= listNodeAddresses(read(nodes).list());
    return known;
  };
}

/** No key for what is no address: nothing is found by it. */
function formatIpKey(subnet: string, ip: string): string[] {
  const address = parseAddress(ip);
  return address === undefined ? [] : [`${subnet}/${formatAddress(address)}`];
}

function formatMacKey(subnet: string, text: string): string[] {
  const mac = parseMac(text);
  return mac === undefined ? [] : [`${subnet}/${mac}`];
}

/** Who wrote which field is a third of an object, and nobody asks. */
function trim<T extends KubeObject>(raw: KubeObject): T {
  const { metadata, ...rest } = raw;
  const { managedFields: _, ...kept } = (metadata ?? {}) as { managedFields?: unknown };
  return { ...rest, metadata: kept } as unknown as T;
}

const NODE_IPS = ['InternalIP', 'ExternalIP'];

/** Their addresses as the operator reads them; a node's status is long and changes all the time. */
function trimNode(raw: KubeObject): Node {
  const { apiVersion = 'v1', kind = 'Node', metadata, status } = raw as Node;
  const addresses = (status?.addresses ?? []).filter(({ type }) => NODE_IPS.includes(type));
  return { apiVersion, kind, metadata: { name: metadata.name, uid: metadata.uid ?? '' }, status: { addresses } };
}
