// Generated from crds/*.yaml by `make generate`. Do not edit.

export type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
};

/**
 * One NIC of one virtual machine, or one interface of one pod, with the address that is its own.
 */
export interface LogicalPort {
  apiVersion: 'mooring.dev/v1alpha1';
  kind: 'LogicalPort';
  metadata: ObjectMeta;
  spec: LogicalPortSpec;
  status?: LogicalPortStatus;
}
/**
 * The request and the allocation together, as a status is lost in backup and restore.
 */
export interface LogicalPortSpec {
  /**
   * The object that the address belongs to, by UID.
   */
  owner: {
    kind: 'VirtualMachine' | 'VirtualMachineInstance' | 'Pod';
    name: string;
    uid: string;
  };
  /**
   * Name of the VM NIC
   */
  nic: string;
  /**
   * Name of the Subnet
   */
  subnet: string;
  /**
   * One address per family.
   */
  ips: string[];
  mac: string;
  /**
   * Name of the IPPool that the addresses came from
   */
  pool?: string;
  /**
   * How KubeVirt joins the guest to the pod interface
   */
  binding?: 'bridge' | 'masquerade' | 'managedTap';
  releasePolicy?: 'WithOwner' | 'Retain';
  securityGroups?: string[];
  /**
   * The pods that hold this port. A migrating VM has two, source and target.
   */
  attachments?: {
    podName: string;
    podUID: string;
    node: string;
    interface: string;
    nad?: string;
    role: 'Source' | 'Target';
  }[];
}
export interface LogicalPortStatus {
  phase?: 'Pending' | 'Ready' | 'Bound' | 'Migrating' | 'Conflict' | 'Released';
  /**
   * The node whose chassis has claimed the port
   */
  node?: string;
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    observedGeneration?: number;
    lastTransitionTime: string;
    reason: string;
    message: string;
  }[];
  /**
   * The migration that this port is in, or the last one it was in.
   */
  migration?: {
    uid?: string;
    phase?: 'Prepared' | 'Activated' | 'Settled' | 'RolledBack';
    sourceNode?: string;
    targetNode?: string;
    preparedAt?: string;
    activatedAt?: string;
    settledAt?: string;
  };
}

/**
 * A range of addresses and the logical switch that they live on.
 */
export interface Subnet {
  apiVersion: 'mooring.dev/v1alpha1';
  kind: 'Subnet';
  metadata: ObjectMeta;
  spec: SubnetSpec;
  status?: SubnetStatus;
}
export interface SubnetSpec {
  /**
   * Name of the Vpc
   */
  vpc?: string;
  /**
   * "v4", "v6" or "v4,v6"
   */
  cidrBlock: string;
  /**
   * Address of the router per family; the first usable address if absent
   */
  gateway?: string;
  /**
   * Addresses never given, each "a" or "a..b".
   */
  excludeIps?: string[];
  protocol?: 'IPv4' | 'IPv6' | 'Dual';
  /**
   * <nad>.<namespace>.ovn for our NICs, <nad>.<namespace> when another CNI makes the NIC
   */
  provider?: string;
  namespaces?: string[];
  namespaceSelectors?: {}[];
  private?: boolean;
  allowSubnets?: string[];
  natOutgoing?: boolean;
  gatewayType?: 'distributed' | 'centralized';
  gatewayNode?: string;
  enableDHCP?: boolean;
  dhcpV4Options?: string;
  dhcpV6Options?: string;
  enableIPv6RA?: boolean;
  mtu?: number;
  vlan?: string;
  enableLb?: boolean;
  allocate?: 'OnCreate' | 'OnFirstStart';
}
export interface SubnetStatus {
  v4availableIPs?: number;
  v4usingIPs?: number;
  /**
   * Capped at 2^53 - 1
   */
  v6availableIPs?: number;
  v6usingIPs?: number;
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    observedGeneration?: number;
    lastTransitionTime: string;
    reason: string;
    message: string;
  }[];
}
