import { GROUP } from './group.ts';

/** Per-NIC requests on a VM or its template: JSON keyed by NIC name. */
export const NICS_ANNOTATION = `${GROUP}/nics`;
/** On a VM, its template, a bare VMI, a Namespace or a Subnet: how guests meet the network; the value is a BindingPolicy. */
export const BINDING = `${GROUP}/binding`;
/** `true` on a Namespace or a Subnet: its binding also replaces what a user has written. */
export const BINDING_ENFORCED = `${GROUP}/binding-enforced`;
/** On a VM, its template or a pod: when the address is given back; the value is LogicalPort's releasePolicy. */
export const RELEASE_POLICY = `${GROUP}/release-policy`;
/** `true` on a VM or its template: take over the retained ports of an earlier VM of this name. */
export const ADOPT = `${GROUP}/adopt`;
/** On a LogicalPort: UID of the namespace kube-system where it was made. In another cluster it is a restored one. */
export const CLUSTER_UID = `${GROUP}/cluster-uid`;
/** On a LogicalPort that a VM has started with: its own UID. A restored object has another one, also in the same cluster. */
export const PORT_UID = `${GROUP}/port-uid`;
/** On one LogicalPort: written by a new leader, which then waits until its cache shows it. It means nothing to others. */
export const LEADER_MARK = `${GROUP}/leader-mark`;
/** On the KubeVirt object: JSON of what a MigrationNetwork has set there, and so may take back. */
export const MIGRATION_MARK = `${GROUP}/migration-network`;
/** On a node's Lease in Mooring's namespace: the agent's public key (X25519, base64url) and the address of its node. */
export const AGENT_KEY = `${GROUP}/agent-key`;
export const AGENT_ADDRESS = `${GROUP}/agent-address`;
export const MULTUS_NETWORKS = 'k8s.v1.cni.cncf.io/networks';
export const MULTUS_DEFAULT_NETWORK = 'v1.multus-cni.io/default-network';

/** `true` on a VM's template or a bare VMI: the hook sidecar fills cloud-init's network data where the user gave none. */
export const CONFIGURE_GUEST = `${GROUP}/configure-guest`;
/** On a VMI, written by the operator for the hook sidecar: JSON of what its guest's NICs have (network-config.ts). */
export const NETWORK_CONFIG = `${GROUP}/network-config`;
/** On a VM's template: JSON, NIC name to what the hook sidecar sets on the NIC's device (nic-devices.ts). */
export const NIC_DEVICES = `${GROUP}/nic-devices`;

/** Kube-OVN's keys for the primary network (USAGE.md). */
export const PRIMARY_PREFIX = 'ovn.kubernetes.io/';
export const IP_ADDRESS = 'ip_address';
export const MAC_ADDRESS = 'mac_address';
export const IP_POOL = 'ip_pool';
export const LOGICAL_SWITCH = 'logical_switch';
export const ROUTES = 'routes';
/** Written by whoever attaches the networks of a pod; read by KubeVirt. */
export const NETWORK_STATUS = 'k8s.v1.cni.cncf.io/network-status';
/** KubeVirt's own request form: JSON, interface name to list of addresses. */
export const KUBEVIRT_ADDRESSES = 'network.kubevirt.io/addresses';

/** KubeVirt's: JSON list of the hook sidecars of a VMI's launcher. */
export const HOOK_SIDECARS = 'hooks.kubevirt.io/hookSidecars';
/** KubeVirt's: bridge on the pod network may migrate live. Any value counts, also an empty one. */
export const ALLOW_BRIDGE_MIGRATION = 'kubevirt.io/allow-pod-bridge-network-live-migration';

/** KubeVirt's own marks (facts: fixtures of v1.8.4). Labels and annotations are hints; owners by UID decide. */
export const KUBEVIRT = {
  app: 'kubevirt.io',
  launcher: 'virt-launcher',
  handler: 'virt-handler',
  /** Label of nodes with a virt-handler: `true` while it lives. */
  schedulable: 'kubevirt.io/schedulable',
  createdBy: 'kubevirt.io/created-by',
  domain: 'kubevirt.io/domain',
  migrationJobUID: 'kubevirt.io/migrationJobUID',
  ephemeralProvisioning: 'kubevirt.io/ephemeral-provisioning',
  createMigrationTarget: 'kubevirt.io/create-migration-target',
} as const;
