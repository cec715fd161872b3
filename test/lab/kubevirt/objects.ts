import type { ObjectMeta, ResourceKind } from '../../../src/kube/index.ts';

/** The parts of KubeVirt's objects (v1.8.4) that the stand-in reads or writes; the rest is passed through untouched. */
export type Meta = ObjectMeta & { generateName?: string };
export type Condition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastProbeTime?: string | null;
  lastTransitionTime?: string | null;
};

export type Interface = {
  name: string;
  macAddress?: string;
  bridge?: object;
  masquerade?: object;
  binding?: { name: string };
  ports?: { port: number; protocol?: string }[];
  model?: string;
  state?: string;
};
export type Network = {
  name: string;
  pod?: { vmNetworkCIDR?: string };
  multus?: { networkName: string; default?: boolean };
};

/** A volume of cloud-init's data; of other volumes only the name. */
export type Volume = { name: string; cloudInitNoCloud?: CloudInitSource; cloudInitConfigDrive?: CloudInitSource };
export type CloudInitSource = {
  userData?: string;
  userDataBase64?: string;
  networkData?: string;
  networkDataBase64?: string;
};

export type VmiSpec = {
  architecture?: string;
  hostname?: string;
  domain: {
    cpu?: { model?: string; cores?: number; sockets?: number; threads?: number };
    devices: { interfaces?: Interface[]; autoattachPodInterface?: boolean; networkInterfaceMultiqueue?: boolean };
    machine?: { type: string };
    memory?: { guest?: string };
    resources?: { requests?: Record<string, string> };
    firmware?: { uuid?: string; serial?: string };
    features?: { acpi?: { enabled?: boolean } };
  };
  networks?: Network[];
  volumes?: Volume[];
  nodeSelector?: Record<string, string>;
  evictionStrategy?: string;
  terminationGracePeriodSeconds?: number;
};

export type VmiInterface = {
  name: string;
  ipAddress?: string;
  ipAddresses?: string[];
  mac?: string;
  infoSource?: string;
  podInterfaceName?: string;
  linkState?: string;
  queueCount?: number;
};

export type MigrationState = {
  migrationUid: string;
  sourceNode?: string;
  sourcePod?: string;
  targetNode?: string;
  targetPod?: string;
  targetNodeAddress?: string;
  targetDirectMigrationNodePorts?: Record<string, number>;
  targetNodeDomainDetected?: boolean;
  targetNodeDomainReadyTimestamp?: string;
  startTimestamp?: string;
  endTimestamp?: string;
  completed?: boolean;
  failed?: boolean;
  failureReason?: string;
  abortRequested?: boolean;
  abortStatus?: string;
  mode?: string;
  migrationNetworkType?: string;
  migrationConfiguration?: MigrationConfiguration;
};

export type PhaseTime = { phase: string; phaseTransitionTimestamp: string };
export type VmiStatus = {
  phase?: string;
  nodeName?: string;
  conditions?: Condition[];
  interfaces?: VmiInterface[];
  activePods?: Record<string, string>;
  phaseTransitionTimestamps?: PhaseTime[];
  migrationState?: MigrationState;
  migrationMethod?: string;
  migrationTransport?: string;
  launcherContainerImageVersion?: string;
  qosClass?: string;
  runtimeUser?: number;
  selinuxContext?: string;
  machine?: { type: string };
  memory?: object;
  currentCPUTopology?: object;
  guestOSInfo?: object;
  evacuationNodeName?: string;
  virtualMachineRevisionName?: string;
};
export type Vmi = { apiVersion?: string; kind?: string; metadata: Meta; spec: VmiSpec; status?: VmiStatus };

export type VmStatus = {
  conditions?: Condition[];
  created?: boolean;
  ready?: boolean;
  printableStatus?: string;
  runStrategy?: string;
  desiredGeneration?: number;
  observedGeneration?: number;
  stateChangeRequests?: { action: string; uid?: string }[];
  startFailure?: { consecutiveFailCount: number; lastFailedVMIUID: string; retryAfterTimestamp: string };
};
export type Vm = {
  apiVersion?: string;
  kind?: string;
  metadata: Meta;
  spec: {
    running?: boolean;
    runStrategy?: string;
    template: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec: VmiSpec };
  };
  status?: VmStatus;
};

export type VmimStatus = {
  phase?: string;
  migrationState?: Partial<MigrationState>;
  phaseTransitionTimestamps?: PhaseTime[];
  conditions?: Condition[];
};
export type Vmim = {
  apiVersion?: string;
  kind?: string;
  metadata: Meta;
  spec: { vmiName: string; addedNodeSelector?: Record<string, string> };
  status?: VmimStatus;
};

export type ContainerStatus = {
  name: string;
  ready: boolean;
  containerID?: string;
  state?: { running?: object; waiting?: { reason?: string; message?: string }; terminated?: { exitCode?: number } };
};
export type Pod = {
  apiVersion?: string;
  kind?: string;
  metadata: Meta & { deletionGracePeriodSeconds?: number };
  spec: { nodeName?: string; [field: string]: unknown };
  status?: {
    phase?: string;
    podIP?: string;
    podIPs?: { ip: string }[];
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
    qosClass?: string;
    reason?: string;
  };
};

export type KubeNode = {
  metadata: Meta;
  spec?: { unschedulable?: boolean; taints?: { key: string; effect: string; value?: string }[] };
  status?: { capacity?: Record<string, string> };
};
export type Nad = { metadata: Meta; spec?: { config?: string } };

/** What a KubeVirt CR says about migrations; virt-controller copies all of it into a migration's state. */
export type MigrationConfiguration = {
  network?: string;
  bandwidthPerMigration?: string | number;
  completionTimeoutPerGiB?: number;
  allowPostCopy?: boolean;
  allowWorkloadDisruption?: boolean;
  nodeDrainTaintKey?: string;
  parallelMigrationsPerCluster?: number;
  parallelOutboundMigrationsPerNode?: number;
  [field: string]: unknown;
};

/** What a KubeVirt CR says about a network binding plugin. */
export type BindingPlugin = {
  sidecarImage?: string;
  networkAttachmentDefinition?: string;
  domainAttachmentType?: string;
  downwardAPI?: string;
  migration?: object;
};
export type KubeVirt = {
  metadata: Meta;
  spec: {
    configuration?: {
      network?: { binding?: Record<string, BindingPlugin> };
      migrations?: MigrationConfiguration;
      developerConfiguration?: { featureGates?: string[] };
    };
    workloadUpdateStrategy?: { workloadUpdateMethods?: string[] };
  };
  status?: { phase?: string };
};

const kubevirt = { group: 'kubevirt.io', version: 'v1', namespaced: true } as const;
export const VM: ResourceKind = { ...kubevirt, plural: 'virtualmachines', kind: 'VirtualMachine' };
export const VMI: ResourceKind = { ...kubevirt, plural: 'virtualmachineinstances', kind: 'VirtualMachineInstance' };
export const VMIM: ResourceKind = {
  ...kubevirt,
  plural: 'virtualmachineinstancemigrations',
  kind: 'VirtualMachineInstanceMigration',
};
export const KUBEVIRT: ResourceKind = { ...kubevirt, plural: 'kubevirts', kind: 'KubeVirt' };
export const POD: ResourceKind = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' };
export const NODE: ResourceKind = { group: '', version: 'v1', plural: 'nodes', namespaced: false, kind: 'Node' };
export const EVENT: ResourceKind = { group: '', version: 'v1', plural: 'events', namespaced: true, kind: 'Event' };
export const NAD: ResourceKind = {
  group: 'k8s.cni.cncf.io',
  version: 'v1',
  plural: 'network-attachment-definitions',
  namespaced: true,
  kind: 'NetworkAttachmentDefinition',
};

export const LABEL = {
  app: 'kubevirt.io',
  createdBy: 'kubevirt.io/created-by',
  node: 'kubevirt.io/nodeName',
  migrationUid: 'kubevirt.io/migrationJobUID',
  targetNode: 'kubevirt.io/migrationTargetNodeName',
  vmiName: 'kubevirt.io/vmi-name',
} as const;
export const NETWORK_STATUS = 'k8s.v1.cni.cncf.io/network-status';
export const UNPAUSED = 'kubevirt.io/virtual-machine-unpaused';

/** True for a VMI phase that a VMI never leaves. */
export function isFinal(vmi: Vmi): boolean {
  return vmi.status?.phase === 'Succeeded' || vmi.status?.phase === 'Failed';
}

/** True for a pod whose containers have ended for good. */
export function isDown(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** True once every container runs; a migration target counts although its readiness gate is not set. */
export function areContainersReady(pod: Pod): boolean {
  const containers = pod.status?.containerStatuses ?? [];
  return pod.status?.phase === 'Running' && containers.length > 0 && containers.every((container) => container.ready);
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Where an object is and which one it is; absent parts are empty. */
export type Identity = { name: string; namespace: string; uid: string };

export function identityOf({ metadata }: { metadata: Meta }): Identity {
  return { name: metadata.name ?? '', namespace: metadata.namespace ?? '', uid: metadata.uid ?? '' };
}

export function isDeleting({ metadata }: { metadata: Meta }): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** True when the metadata of `object` names `owner` as an owner. */
export function isOwnedBy(object: { metadata: Meta }, owner: { metadata: Meta }): boolean {
  return (object.metadata.ownerReferences ?? []).some((one) => one.uid === owner.metadata.uid);
}
