import { KUBEVIRT } from './annotations.ts';
import type { ObjectMeta } from './types.gen.ts';

/**
 * The parts of foreign objects that Mooring reads. The API server has checked them against their schemas; annotations
 * and labels are text that anybody may have written.
 */
export type OwnerRef = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
};

export type Pod = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: {
    nodeName?: string;
    hostNetwork?: boolean;
    /** Only where NetworkPolicies are served, and of their ports those that have a name; sidecars are among them. */
    containers?: { ports?: { name?: string; containerPort?: number; protocol?: string }[] }[];
  };
  /** Of the conditions only `Ready` is kept, and only of virt-handlers. */
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
};

export type Node = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  /** Of the conditions only `Ready` is kept, of the addresses those that are IPs. */
  status?: { conditions?: { type: string; status: string }[]; addresses?: { type: string; address: string }[] };
};

export type Namespace = { apiVersion?: string; kind?: string; metadata: ObjectMeta };

/** `networking.k8s.io/v1`. Whatever is in it is read with care: a policy that is misunderstood opens a door. */
export type NetworkPolicy = { apiVersion?: string; kind?: string; metadata: ObjectMeta; spec?: unknown };

/** `k8s.cni.cncf.io/v1`; `config` is JSON text of a CNI configuration or list. */
export type NetworkAttachmentDefinition = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: { config?: string };
};

/** `k8s.cni.cncf.io/v1alpha1`, multi-network specification v1.3 section 8: an address that outlives its pods. */
export type IPAMClaim = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: { network?: string; interface?: string };
  status?: {
    /** With prefix: `10.1.0.5/24`. */
    ips?: string[];
    ownerPod?: { name?: string };
    conditions?: { type: string; status: string; lastTransitionTime: string; reason: string; message: string }[];
  };
};

export type VmInterface = {
  name: string;
  macAddress?: string;
  state?: string;
  bridge?: object;
  masquerade?: object;
  binding?: { name?: string };
};

export type VmNetwork = {
  name: string;
  pod?: object;
  multus?: { networkName?: string; default?: boolean };
};

export type VmiSpec = {
  domain?: { devices?: { interfaces?: VmInterface[]; autoattachPodInterface?: boolean } };
  networks?: VmNetwork[];
};

export type VirtualMachine = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: {
    template?: {
      metadata?: {
        annotations?: Record<string, string>;
        /** Of all annotations, in the operator's cache alone and only where they are more than an object may have. */
        annotationBytes?: number;
      };
      spec?: VmiSpec;
    };
  };
};

export type VirtualMachineInstance = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: VmiSpec;
  status?: {
    phase?: string;
    nodeName?: string;
    /** Every launcher's UID with its node, kept by virt-controller; users cannot write it. */
    activePods?: Record<string, string>;
    migrationState?: {
      migrationUid?: string;
      sourceNode?: string;
      targetNode?: string;
      sourcePod?: string;
      targetPod?: string;
      /** Where virt-handler of the target listens: its address on the migration network, or its pod's. */
      targetNodeAddress?: string;
      startTimestamp?: string;
      endTimestamp?: string;
      targetNodeDomainReadyTimestamp?: string;
      completed?: boolean;
      failed?: boolean;
      /** PreCopy, PostCopy or Paused. */
      mode?: string;
      /** From KubeVirt 1.6 on; with UIDs of two VMIs in a migration across namespaces or clusters. */
      sourceState?: { virtualMachineInstanceUID?: string };
      targetState?: { virtualMachineInstanceUID?: string };
    };
  };
};

export type VirtualMachineInstanceMigration = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: { vmiName?: string; sendTo?: object; receive?: object };
  status?: { phase?: string };
};

/** `kubevirt.io/v1`: the installation itself, one in a cluster. */
export type KubeVirt = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: {
    configuration?: {
      migrations?: { network?: string; bandwidthPerMigration?: string | number };
      developerConfiguration?: { featureGates?: string[]; disabledFeatureGates?: string[] };
      network?: {
        /** True if absent. */
        permitBridgeInterfaceOnPodNetwork?: boolean;
        /** Binding plugins by the name that an interface calls them by. */
        binding?: Record<string, { domainAttachmentType?: string; migration?: object }>;
      };
    };
  };
};

type Owned = { readonly ownerReferences?: readonly OwnerRef[] | undefined };
type Annotated = { readonly annotations?: Readonly<Record<string, string>> | undefined };

/** The controlling owner: an object has at most one. */
export function findController(metadata: Owned): OwnerRef | undefined {
  return metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The owner of a KubeVirt kind; the group is compared, not its version. */
export function findKubevirtOwner(metadata: Owned, kind: string): OwnerRef | undefined {
  const owner = findController(metadata);
  return owner?.kind === kind && owner.apiVersion.split('/')[0] === 'kubevirt.io' ? owner : undefined;
}

/**
 * KubeVirt's launcher that only has the node of a volume chosen (WaitForFirstConsumer): of a VMI, with all labels and
 * annotations of a real launcher, but no guest. Anybody may write the mark; without the owner it says nothing.
 */
export function isStorageOnly(metadata: (Owned & Annotated) | undefined): boolean {
  if (metadata?.annotations?.[KUBEVIRT.ephemeralProvisioning] !== 'true') return false;
  return findKubevirtOwner(metadata, 'VirtualMachineInstance') !== undefined;
}
