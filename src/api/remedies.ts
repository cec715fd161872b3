import type { Reason } from './reasons.ts';

/** Reasons that need nobody's hand. */
type Fine =
  | 'Allocated'
  | 'AllocationPending'
  | 'Ready'
  | 'Programmed'
  | 'Bound'
  | 'NotAttached'
  | 'MigrationPrepared'
  | 'MigrationActivated'
  | 'MigrationSettled'
  | 'NotMigrating'
  | 'PluginRegistered'
  | 'NoMigrationYet'
  | 'MemoryOnMigrationNetwork'
  | 'Released';

/** What a user does about each reason that asks for something: the way out, as the documents show it. */
export const REMEDIES: Readonly<Record<Exclude<Reason, Fine>, string>> = {
  InvalidNetworkPolicy: 'Correct what the message names; the policy is taken up again with the next change of it.',
  AddressConflict:
    'Delete one of the two, or ask for another address for one of them; of two VMs with one MAC stop the other. The one that has it keeps working.',
  AddressOutsideSubnet: 'Ask for an address of the subnet, or give the subnet its range back.',
  AddressReserved: 'Ask for another address, or take it out of excludeIps.',
  AddressInUse: 'Ask for another address, or delete its holder. Once it is free it is given without further ado.',
  SubnetFull: 'Release addresses, take some out of excludeIps or an IPPool, or choose another subnet.',
  SubnetNotFound: 'Create the Subnet, or correct its name. It is taken up as soon as it exists.',
  SubnetNotReady: '`kubectl describe subnets.mooring.dev NAME` says what is wrong with it.',
  SubnetNotAllowed: 'Add the namespace to `namespaces` or `namespaceSelectors` of the Subnet, or choose another one.',
  VpcNotFound: 'Create the Vpc, or correct `vpc` of the Subnet.',
  VpcNotAllowed: 'Add the namespace to `namespaces` of the Vpc.',
  PoolNotFound: 'Create the IPPool, or correct its name.',
  PoolNotAllowed: 'Add the namespace to the IPPool, or ask for a pool of this subnet.',
  PoolFull: 'Add addresses to the IPPool, or release some.',
  InvalidPool: 'Correct the entry that the message names.',
  ChangePending: 'Stop and start the VM when it suits you; until then it keeps the address it has.',
  AddressRetained: 'Annotate the new owner with `mooring.dev/adopt: "true"`, or delete the retained LogicalPort.',
  Retained: 'Delete the LogicalPort when nobody needs the address any more.',
  Restored: 'Restore or create its owner under the same name; delete the LogicalPort if there will be none.',
  GatewayNodeUnavailable: 'Bring a node of gatewayNode back, or name another one.',
  NotApplicable: 'Nothing, or remove the field.',
  InvalidDHCPOptions: 'Correct the option that the message names; the others are served.',
  OverlapsNodes: 'Give the subnet a range in which no node lives.',
  NotReachableFromNodes: 'Give the VPC other addresses than the default VPC if its pods need probes by the network.',
  PortRefused:
    'Raise the ResourceQuota, change the admission webhook or policy, or apply `crds/` of this version, as the message says. It is tried again every half minute.',
  GuestNotConfigured: 'Put right what the message names, then restart the VM: a guest is configured when it starts.',
  IPAMClaimNotFound: 'Create the IPAMClaim, or remove `ipam-claim-reference`.',
  InvalidCIDR: 'Write the network as the message suggests.',
  CIDROverlap: 'Give one of the two another range, or put it into a Vpc of its own. The older one works.',
  InvalidGateway: 'Name a usable address of each family, or leave the field out.',
  InvalidExcludeIps: 'Correct the entry that the message names.',
  InvalidMTU: 'At least 576 bytes, with IPv6 1280; 0 or nothing derives it.',
  InvalidSpec: 'Correct the field that the message names.',
  InUse: 'Delete what uses it; `kubectl get lp -A` shows the ports.',
  InvalidRequest: 'Correct the annotation that the message names.',
  RequestDisagreement: 'Ask in one place only, or for the same in both.',
  NetworkAttachmentNotFound: 'Create the NetworkAttachmentDefinition, or correct the name, with its namespace.',
  NetworkAttachmentInvalid: 'Correct `spec.config` as the message says.',
  BindingNotPossible: 'Give the NIC another binding or another network, as the message says.',
  ProgrammingFailed: 'Read the message; what somebody else did to our rows in OVN has to be undone.',
  OVNUnavailable: 'Look at the pods of ovn-central. New ports wait; present ones keep working.',
  WaitingForChassis: 'If it stays: look at ovn-controller and the agent on that node, and at the events of the pod.',
  MigrationRolledBack: 'The guest runs where it was. The migration object says why it failed.',
  MigrationNotSupported: 'Migrate within the namespace and the cluster.',
  KubevirtNotFound: 'Install KubeVirt. It is taken up as soon as its KubeVirt object exists.',
  OtherMigrationNetwork: 'Delete one of the two.',
  NetworkSetByUser:
    'Remove `spec.configuration.migrations.network` from the KubeVirt object, or name that network by `nad`.',
  PluginSetByUser:
    'Correct or remove `spec.configuration.network.binding.managedtap` of the KubeVirt object, or set `bindings.registerManagedTap: false`.',
  OverlapsBusiness: 'Delete it and choose a range that nobody uses, or say `allowOverlap: true`.',
  UplinkShared: 'Name another interface, or say `allowSharedUplink: true`.',
  NameTaken: 'Rename the object that the message names, or give the MigrationNetwork another name.',
  VirtHandlersRolling:
    'Wait: KubeVirt restarts every virt-handler. If it stays, look at the events of the pods that `status.nodes` names.',
  VirtHandlerNotRunning: 'Look at the pods and events of the DaemonSet virt-handler.',
  MigrationInterfaceMissing:
    'Wait for the restart; if it stays, see that virt-operator runs and who attaches networks to pods.',
  AddressOutsideRange: "Correct the definition's own addresses, or restart this virt-handler.",
  MemoryOnPodNetwork:
    '`status.nodes` says which virt-handler lacks the network; see that it gets it and migrate again.',
  AttachFailed: 'The message names the stage and what was waited for; it is tried again.',
  DetachFailed: 'The message says what failed; it is tried until it works.',
  ConnectionsNotCarried:
    'The message says what kept the two agents apart; see that nodes reach each other at `agent.peerPort`. Programs connect anew.',
  StateUnreadable:
    'Look at the disk of the node, then at the files in `/var/lib/mooring/quarantine` there, and remove them; nothing reads them again.',
  HostPortIgnored: 'Use the chart value that the message names, or a Service.',
};
