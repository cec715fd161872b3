import { KINDS } from '../api/group.ts';
import type {
  IPAMClaim,
  KubeVirt,
  Namespace,
  NetworkAttachmentDefinition,
  NetworkPolicy,
  Node,
  Pod,
  VirtualMachine,
  VirtualMachineInstance,
  VirtualMachineInstanceMigration,
} from '../api/objects.ts';
import type { IPPool, LogicalPort, MigrationNetwork, Subnet, Vpc } from '../api/types.gen.ts';
import type { Clock, KubeObject, Logger, Metrics, Random, Transport } from '../kube/index.ts';
import { isHandler } from '../plan/migration-network/handlers.ts';
import { findLauncherKey, formatWorkloadKey, getPortKey } from './keys.ts';
import { type Watch, watchAlways, watchWhenServed } from './optional-watch.ts';
import { trimAny, trimChosenPod, trimKubevirt, trimNamespace, trimNode, trimPod, trimVm, trimVmi } from './trim.ts';

/** Everything of Kubernetes that the operator reads. Names of indexes: `key` is the workload's key. */
export type World = {
  readonly ports: Watch<LogicalPort>;
  readonly subnets: Watch<Subnet>;
  readonly vpcs: Watch<Vpc>;
  readonly ipPools: Watch<IPPool>;
  readonly pods: Watch<Pod>;
  readonly nodes: Watch<Node>;
  readonly namespaces: Watch<Namespace>;
  readonly vms: Watch<VirtualMachine>;
  readonly vmis: Watch<VirtualMachineInstance>;
  readonly vmims: Watch<VirtualMachineInstanceMigration>;
  readonly nads: Watch<NetworkAttachmentDefinition>;
  readonly ipamClaims: Watch<IPAMClaim>;
  readonly migrationNetworks: Watch<MigrationNetwork>;
  readonly kubevirts: Watch<KubeVirt>;
  /** Only where NetworkPolicies are served. */
  readonly networkPolicies?: Watch<NetworkPolicy>;
};

export type WorldOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Whether NetworkPolicies are served: they are read then, and of pods what policies choose them by. */
  readonly networkPolicies?: boolean;
};

const BY_SUBNET = 'subnet';
const BY_KEY = 'key';
/** Ports that wait for an older rival to go, by subnet. */
const BY_CONFLICT = 'conflict';
/** Ports that an IPAMClaim speaks for, as `<namespace>/<claim>`. */
const BY_CLAIM = 'claim';
/** virt-handlers by namespace. */
const BY_HANDLER = 'handler';
/** Ports, for policies; nothing else looks a namespace's ports up. */
const BY_NAMESPACE = 'namespace';
/** VMIs of which virt-handler has told where their memory goes; all under ''. */
const BY_TARGET = 'target';

/** The caches; they follow nothing before `startWorld`. */
export function createWorld(options: WorldOptions): World {
  const vmimKey = (vmim: VirtualMachineInstanceMigration) => [
    formatWorkloadKey('vm', vmim.metadata.namespace ?? '', vmim.spec?.vmiName ?? ''),
  ];
  return {
    ports: watchAlways<LogicalPort>({
      ...options,
      kind: KINDS.logicalPort,
      decode: trimAny<LogicalPort>,
      indexers: {
        [BY_KEY]: (port) => [getPortKey(port)],
        [BY_SUBNET]: (port) => [port.spec.subnet],
        [BY_CLAIM]: ({ metadata, spec }) => (spec.ipamClaim ? [`${metadata.namespace ?? ''}/${spec.ipamClaim}`] : []),
        [BY_CONFLICT]: (port) => (port.status?.phase === 'Conflict' ? [port.spec.subnet] : []),
        ...(options.networkPolicies
          ? { [BY_NAMESPACE]: ({ metadata }: LogicalPort) => [metadata.namespace ?? ''] }
          : {}),
      },
    }),
    subnets: watchAlways<Subnet>({ ...options, kind: KINDS.subnet, decode: trimAny<Subnet> }),
    vpcs: watchAlways<Vpc>({ ...options, kind: KINDS.vpc, decode: trimAny<Vpc> }),
    ipPools: watchAlways<IPPool>({ ...options, kind: KINDS.ipPool, decode: trimAny<IPPool> }),
    pods: watchAlways<Pod>({
      ...options,
      kind: KINDS.pod,
      decode: options.networkPolicies ? trimChosenPod : trimPod,
      indexers: {
        [BY_KEY]: listVmKeys,
        [BY_HANDLER]: (pod) => (isHandler(pod) ? [pod.metadata.namespace ?? ''] : []),
      },
    }),
    nodes: watchAlways<Node>({ ...options, kind: KINDS.node, decode: trimNode }),
    namespaces: watchAlways<Namespace>({ ...options, kind: KINDS.namespace, decode: trimNamespace }),
    vms: watchWhenServed<VirtualMachine>({ ...options, kind: KINDS.vm, decode: trimVm }),
    vmis: watchWhenServed<VirtualMachineInstance>({
      ...options,
      kind: KINDS.vmi,
      decode: trimVmi,
      indexers: { [BY_TARGET]: ({ status }) => (status?.migrationState?.targetNodeAddress ? [''] : []) },
    }),
    vmims: watchWhenServed<VirtualMachineInstanceMigration>({
      ...options,
      kind: KINDS.vmim,
      decode: trimAny<VirtualMachineInstanceMigration>,
      indexers: { [BY_KEY]: vmimKey },
    }),
    nads: watchWhenServed<NetworkAttachmentDefinition>({
      ...options,
      kind: KINDS.nad,
      decode: trimAny<NetworkAttachmentDefinition>,
    }),
    ipamClaims: watchWhenServed<IPAMClaim>({ ...options, kind: KINDS.ipamClaim, decode: trimAny<IPAMClaim> }),
    // Not there, or not to be read, after an upgrade whose CRDs or roles nobody has applied.
    migrationNetworks: watchWhenServed<MigrationNetwork>(
      { ...options, kind: KINDS.migrationNetwork, decode: trimAny<MigrationNetwork> },
      'goesOn',
    ),
    kubevirts: watchWhenServed<KubeVirt>({ ...options, kind: KINDS.kubevirt, decode: trimKubevirt }, 'goesOn'),
    ...(options.networkPolicies
      ? {
          networkPolicies: watchWhenServed<NetworkPolicy>(
            { ...options, kind: KINDS.networkPolicy, decode: trimAny<NetworkPolicy> },
            'goesOn',
          ),
        }
      : {}),
  };
}

/** Only launchers are looked up by key; other pods have their name. */
function listVmKeys(pod: Pod): string[] {
  const key = findLauncherKey(pod);
  return key === undefined ? [] : [key];
}

const listWatches = (world: World): Watch<KubeObject>[] => Object.values(world) as unknown as Watch<KubeObject>[];

export function startWorld(world: World): void {
  for (const watch of listWatches(world)) watch.start();
}

export async function stopWorld(world: World): Promise<void> {
  await Promise.all(listWatches(world).map((watch) => watch.stop()));
}

/** Resolves when every cache is complete, or its kind known to be absent. Nothing may be decided before. */
export async function whenWorldReady(world: World, signal: AbortSignal): Promise<void> {
  await Promise.all(listWatches(world).map((watch) => watch.whenReady(signal)));
}

/** True when VMs and VMIs can be seen: only then does their absence mean anything. */
export const isKubevirtKnown = ({ vms, vmis }: World): boolean => vms.isKnown() && vmis.isKnown();
