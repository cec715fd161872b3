import type {
  KubeVirt,
  Namespace,
  NetworkAttachmentDefinition,
  VirtualMachine,
  VirtualMachineInstance,
} from '../api/objects.ts';
import type { IPPool, LogicalPort, Subnet, Vpc } from '../api/types.gen.ts';
import type { NodeAddresses } from '../plan/networks/node-addresses.ts';

/**
 * What the webhook knows of the cluster, read from its caches: complete when it is ready, and behind by as much as a
 * watch is. Kinds that the cluster does not have are empty. Nothing of it may be changed.
 */
export type Cluster = {
  findNamespace(name: string): Namespace | undefined;
  findSubnet(name: string): Subnet | undefined;
  listSubnets(): readonly Subnet[];
  findNad(namespace: string, name: string): NetworkAttachmentDefinition | undefined;
  findPort(namespace: string, name: string): LogicalPort | undefined;
  listPorts(): readonly LogicalPort[];
  /** Those whose `spec.ips` hold the address; any form that `parseAddress` takes. */
  findPortsByIp(subnet: string, ip: string): readonly LogicalPort[];
  /** Those whose `spec.mac` it is; six octets with colons, either case. */
  findPortsByMac(subnet: string, mac: string): readonly LogicalPort[];
  findVm(namespace: string, name: string): VirtualMachine | undefined;
  findVmi(namespace: string, name: string): VirtualMachineInstance | undefined;
  /** The installation; the first by name where there are several. */
  findKubevirt(): KubeVirt | undefined;
};

/** All that the caches hold: what the operator's own rules are asked with. */
export type Records = Cluster & {
  findVpc(name: string): Vpc | undefined;
  listPools(): readonly IPPool[];
  /** Read again only after a node has changed. */
  getNodeAddresses(): NodeAddresses;
};
