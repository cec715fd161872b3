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
 * Thrown by a look-up in a kind that has not been read: of what nobody can see it must not be said that it is not there.
 * Whoever asks for nothing of that kind goes on.
 */
export class UnknownKind extends Error {
  override readonly name = 'UnknownKind';
  readonly class = 'retry';
  readonly kind: string;

  constructor(kind: string) {
    super(`what there is of ${kind} is not known`);
    this.kind = kind;
  }
}

/**
 * What the webhook knows of the cluster, read from its caches, behind by as much as a watch is. Kinds that the cluster
 * does not have are empty; of one that was not read yet every look-up throws UnknownKind. Nothing of it may be changed.
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

/** All that the caches hold, under the same rules: what the operator's own rules are asked with. */
export type Records = Cluster & {
  findVpc(name: string): Vpc | undefined;
  listPools(): readonly IPPool[];
  /** Read again only after a node has changed. */
  getNodeAddresses(): NodeAddresses;
};
