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
  type Transport,
  type Watch,
  watchAlways,
  watchWhenServed,
} from '../../kube/index.ts';
import { listNodeAddresses, type NodeAddresses } from '../../plan/networks/node-addresses.ts';
import type { Records } from '../records.ts';

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
  /** Resolves when every cache is complete, or its kind known to be absent or not to be read. */
  whenReady(signal: AbortSignal): Promise<void>;
};

const BY_IP = 'ip';
const BY_MAC = 'mac';

/** They follow nothing before `start`. */
export function createCaches(options: CacheOptions): Caches {
  const watches = createWatches(options);
  const all = Object.values(watches) as unknown as Watch<KubeObject>[];
  return {
    records: asRecords(watches),
    start: () => {
      for (const watch of all) watch.start();
    },
    stop: async () => {
      await Promise.all(all.map((watch) => watch.stop()));
    },
    whenReady: async (signal) => {
      await Promise.all(all.map((watch) => watch.whenReady(signal)));
    },
  };
}

/** Of the whole cluster: what the caller has beside the options, as a namespace of its own, is no selection of ours. */
function createWatches({ transport, clock, random, log, metrics }: CacheOptions) {
  const options: CacheOptions = { transport, clock, random, log, metrics };
  return {
    namespaces: watchAlways<Namespace>({ ...options, kind: KINDS.namespace, decode: trim<Namespace> }),
    nodes: watchAlways<Node>({ ...options, kind: KINDS.node, decode: trimNode }),
    vpcs: watchAlways<Vpc>({ ...options, kind: KINDS.vpc, decode: trim<Vpc> }),
    pools: watchAlways<IPPool>({ ...options, kind: KINDS.ipPool, decode: trim<IPPool> }),
    subnets: watchAlways<Subnet>({ ...options, kind: KINDS.subnet, decode: trim<Subnet> }),
    ports: watchAlways<LogicalPort>({
      ...options,
      kind: KINDS.logicalPort,
      decode: trim<LogicalPort>,
      indexers: {
        [BY_IP]: ({ spec }) => spec.ips.flatMap((ip) => formatIpKey(spec.subnet, ip)),
        [BY_MAC]: ({ spec }) => formatMacKey(spec.subnet, spec.mac),
      },
    }),
    nads: watchWhenServed<NetworkAttachmentDefinition>(
      { ...options, kind: KINDS.nad, decode: trim<NetworkAttachmentDefinition> },
      'goesOn',
    ),
    vms: watchWhenServed<VirtualMachine>({ ...options, kind: KINDS.vm, decode: trim<VirtualMachine> }, 'goesOn'),
    vmis: watchWhenServed<VirtualMachineInstance>(
      { ...options, kind: KINDS.vmi, decode: trim<VirtualMachineInstance> },
      'goesOn',
    ),
    kubevirts: watchWhenServed<KubeVirt>({ ...options, kind: KINDS.kubevirt, decode: trim<KubeVirt> }, 'goesOn'),
  };
}

function asRecords(watches: ReturnType<typeof createWatches>): Records {
  const { namespaces, subnets, ports, nads, vms, vmis, kubevirts, vpcs, pools } = watches;
  const findPorts = (index: string, keys: readonly string[]) => keys.flatMap((key) => ports.store.byIndex(index, key));
  return {
    findNamespace: (name) => namespaces.store.get(name),
    findSubnet: (name) => subnets.store.get(name),
    listSubnets: () => subnets.store.list(),
    findNad: (namespace, name) => nads.store.get(`${namespace}/${name}`),
    findPort: (namespace, name) => ports.store.get(`${namespace}/${name}`),
    listPorts: () => ports.store.list(),
    findPortsByIp: (subnet, ip) => findPorts(BY_IP, formatIpKey(subnet, ip)),
    findPortsByMac: (subnet, mac) => findPorts(BY_MAC, formatMacKey(subnet, mac)),
    findVm: (namespace, name) => vms.store.get(`${namespace}/${name}`),
    findVmi: (namespace, name) => vmis.store.get(`${namespace}/${name}`),
    findKubevirt: () => kubevirts.store.list().sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0],
    findVpc: (name) => vpcs.store.get(name),
    listPools: () => pools.store.list(),
    getNodeAddresses: remember(watches.nodes),
  };
}

/** Nodes change far less often than somebody asks. */
function remember(nodes: Watch<Node>): () => NodeAddresses {
  let known: NodeAddresses | undefined;
  nodes.onNews(() => {
    known = undefined;
  });
  return () => {
    known ??= listNodeAddresses(nodes.store.list());
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
