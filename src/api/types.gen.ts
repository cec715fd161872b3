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
 * Addresses of a subnet that are given only to those who ask for this pool by name, or whose namespace it names.
 */
export interface IPPool {
  apiVersion: 'mooring.dev/v1alpha1';
  kind: 'IPPool';
  metadata: ObjectMeta;
  spec: IPPoolSpec;
  status?: IPPoolStatus;
}
export interface IPPoolSpec {
  subnet: string;
  /**
   * Namespaces whose ports on this subnet take their addresses from here; with any named, no other namespace may ask for the pool.
   */
  namespaces?: string[];
  /**
   * Addresses, ranges a..b and CIDRs inside the subnet.
   */
  ips: string[];
}
export interface IPPoolStatus {
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
   * The Subnet for which this port was made beside the one that the NIC had, as a live migration takes the NIC there. Absent for a NIC's first port.
   */
  madeFor?: string;
  /**
   * The network, as namespace/name, by which pods are to carry the NIC; a pod that has another one says so in its attachment
   */
  nad?: string;
  /**
   * Name of the Subnet; empty while none can be told
   */
  subnet: string;
  /**
   * One address per family; empty while none could be given, the condition Allocated says why.
   */
  ips: string[];
  mac: string;
  /**
   * Name of the IPPool that the addresses came from
   */
  pool?: string;
  /**
   * Another CNI plugin makes the NIC; it has our address and no switch port
   */
  ipamOnly?: boolean;
  /**
   * The routes of the pod's interface. Absent, eth0 has a default route to the gateway and others have none.
   */
  routes?: {
    dst: string;
    gw?: string;
  }[];
  /**
   * The IPAMClaim of the namespace that speaks for this address
   */
  ipamClaim?: string;
  /**
   * How KubeVirt joins the guest to the pod interface
   */
  binding?: 'bridge' | 'masquerade' | 'managedTap';
  /**
   * When the address is given back. OnStop also when no pod holds it any more; Retain only when this object is deleted.
   */
  releasePolicy?: 'WithOwner' | 'Retain' | 'OnStop';
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
 * The network that carries the memory of migrating guests, apart from the networks of the guests themselves. One is active in a cluster.
 */
export interface MigrationNetwork {
  apiVersion: 'mooring.dev/v1alpha1';
  kind: 'MigrationNetwork';
  metadata: ObjectMeta;
  spec: MigrationNetworkSpec;
  status?: MigrationNetworkStatus;
}
export interface MigrationNetworkSpec {
  /**
   * The interface of the nodes that carries the memory; the operator makes the NetworkAttachmentDefinition.
   */
  uplink?: {
    /**
     * Its name, the same on every node. For type bridge the name of a bridge that is there.
     */
    interface: string;
    type?: 'macvlan' | 'bridge';
    /**
     * With macvlan the interface <interface>.<vlan>, which must be there on every node; with bridge the VLAN of the port.
     */
    vlan?: number;
  };
  /**
   * A NetworkAttachmentDefinition in the namespace of KubeVirt, instead of uplink. With ipam.type mooring its addresses are of cidrBlock; with another one they are its own affair and have to be in cidrBlock.
   */
  nad?: string;
  /**
   * Addresses of the virt-handlers: "v4", "v6" or "v4,v6". One for each node, and some to spare.
   */
  cidrBlock: string;
  /**
   * An address per family that is not given to anybody; the first usable one if absent
   */
  gateway?: string;
  /**
   * Addresses never given, each "a" or "a..b", such as those that the nodes themselves have on this network.
   */
  excludeIps?: string[];
  /**
   * Of migration0; the one of the uplink if absent
   */
  mtu?: number;
  /**
   * Bytes per second that one migration may take, such as 64Mi: migrations.bandwidthPerMigration of KubeVirt.
   */
  bandwidth?: string;
  /**
   * Take the range although a Subnet, the join network or a node has addresses in it
   */
  allowOverlap?: boolean;
  /**
   * Use the uplink although it carries the traffic of guests and pods, too
   */
  allowSharedUplink?: boolean;
}
export interface MigrationNetworkStatus {
  /**
   * The KubeVirt that this network is for, and what its migrations.network is.
   */
  kubevirt?: {
    namespace: string;
    name: string;
    network?: string;
  };
  /**
   * Nodes whose virt-handler has its address on this network, of all: "3/3"
   */
  nodesReady?: string;
  /**
   * Each node that has a virt-handler, those that are not ready first.
   */
  nodes?: {
    node: string;
    pod?: string;
    address?: string;
    ready: boolean;
    reason: string;
    message: string;
  }[];
  /**
   * Migrations that have ended, the latest first, with the address that the memory was sent to.
   */
  lastMigrations?: {
    /**
     * <namespace>/<name>
     */
    vmi: string;
    uid: string;
    source?: string;
    target: string;
    address: string;
    /**
     * Migration when the address is one of cidrBlock
     */
    network: 'Migration' | 'Pod';
    at: string;
  }[];
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    observedGeneration?: number;
    lastTransitionTime: string;
    reason: string;
    message: string;
  }[];
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
  /**
   * Who may begin connections into a private subnet, beside its own ports and the nodes.
   */
  allowSubnets?: string[];
  natOutgoing?: boolean;
  gatewayType?: 'distributed' | 'centralized';
  /**
   * Nodes that may carry the traffic of a centralized subnet, best first: "node,node"
   */
  gatewayNode?: string;
  enableDHCP?: boolean;
  dhcpV4Options?: string;
  dhcpV6Options?: string;
  enableIPv6RA?: boolean;
  /**
   * What DHCPv4, DHCPv6 and router advertisements say. The raw dhcpV4Options and dhcpV6Options win over it.
   */
  dhcp?: {
    /**
     * Who answers guests under the binding bridge by DHCPv4 where enableDHCP is set. OVN, if absent, tells all of this, but the VMI shows the address only with a guest agent. KubeVirt: the server in the launcher does; IPv6 and other bindings are OVN’s all the same.
     */
    server?: 'OVN' | 'KubeVirt';
    /**
     * Default 3600
     */
    leaseSeconds?: number;
    dnsServers?: string[];
    ntpServers?: string[];
    domainName?: string;
    searchDomains?: string[];
    /**
     * Classless static routes, RFC 3442
     */
    routes?: {
      dst: string;
      gw: string;
    }[];
  };
  mtu?: number;
  vlan?: string;
  enableLb?: boolean;
  allocate?: 'OnCreate' | 'OnFirstStart';
  /**
   * For ports that ask for none; the cluster's default if absent
   */
  releasePolicy?: 'WithOwner' | 'Retain' | 'OnStop';
}
export interface SubnetStatus {
  v4availableIPs?: number;
  v4usingIPs?: number;
  /**
   * Capped at 2^53 - 1
   */
  v6availableIPs?: number;
  v6usingIPs?: number;
  /**
   * The node that carries the traffic out of a centralized subnet now
   */
  activateGateway?: string;
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    observedGeneration?: number;
    lastTransitionTime: string;
    reason: string;
    message: string;
  }[];
}

/**
 * A router of its own with the subnets behind it. Two VPCs may use the same addresses.
 */
export interface Vpc {
  apiVersion: 'mooring.dev/v1alpha1';
  kind: 'Vpc';
  metadata: ObjectMeta;
  spec: VpcSpec;
  status?: VpcStatus;
}
export interface VpcSpec {
  /**
   * The namespaces that may use the subnets of this VPC; all when empty. A Subnet can only narrow it.
   */
  namespaces?: string[];
}
export interface VpcStatus {
  subnets?: string[];
  /**
   * LogicalPorts on these subnets
   */
  ports?: number;
  conditions?: {
    type: string;
    status: 'True' | 'False' | 'Unknown';
    observedGeneration?: number;
    lastTransitionTime: string;
    reason: string;
    message: string;
  }[];
}
