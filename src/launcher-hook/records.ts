import type {
  KubeVirt,
  Namespace,
  NetworkAttachmentDefinition,
  VirtualMachine,
  VirtualMachineInstance,
} from '../api/objects.ts';
import type { LogicalPort, Subnet } from '../api/types.gen.ts';

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
