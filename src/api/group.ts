/** The API group and version of every object of ours. */
export const GROUP = 'mooring.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/** Coordinates of a kind in the API, as URLs need them. */
export type ResourceKind = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
};

const define = (apiVersion: string, plural: string, kind: string, scope: 'Namespaced' | 'Cluster'): ResourceKind => {
  const [group = '', version = apiVersion] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group, version, plural, kind, namespaced: scope === 'Namespaced' };
};

/** Every kind that Mooring reads or writes, in one list. */
export const KINDS = {
  logicalPort: define(API_VERSION, 'logicalports', 'LogicalPort', 'Namespaced'),
  subnet: define(API_VERSION, 'subnets', 'Subnet', 'Cluster'),
  vpc: define(API_VERSION, 'vpcs', 'Vpc', 'Cluster'),
  ipPool: define(API_VERSION, 'ippools', 'IPPool', 'Cluster'),
  migrationNetwork: define(API_VERSION, 'migrationnetworks', 'MigrationNetwork', 'Cluster'),
  pod: define('v1', 'pods', 'Pod', 'Namespaced'),
  node: define('v1', 'nodes', 'Node', 'Cluster'),
  namespace: define('v1', 'namespaces', 'Namespace', 'Cluster'),
  event: define('v1', 'events', 'Event', 'Namespaced'),
  networkPolicy: define('networking.k8s.io/v1', 'networkpolicies', 'NetworkPolicy', 'Namespaced'),
  lease: define('coordination.k8s.io/v1', 'leases', 'Lease', 'Namespaced'),
  nad: define('k8s.cni.cncf.io/v1', 'network-attachment-definitions', 'NetworkAttachmentDefinition', 'Namespaced'),
  ipamClaim: define('k8s.cni.cncf.io/v1alpha1', 'ipamclaims', 'IPAMClaim', 'Namespaced'),
  vm: define('kubevirt.io/v1', 'virtualmachines', 'VirtualMachine', 'Namespaced'),
  vmi: define('kubevirt.io/v1', 'virtualmachineinstances', 'VirtualMachineInstance', 'Namespaced'),
  vmim: define('kubevirt.io/v1', 'virtualmachineinstancemigrations', 'VirtualMachineInstanceMigration', 'Namespaced'),
  kubevirt: define('kubevirt.io/v1', 'kubevirts', 'KubeVirt', 'Namespaced'),
} as const satisfies Record<string, ResourceKind>;
