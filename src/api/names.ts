import { createHash } from 'node:crypto';
import { GROUP } from './group.ts';
import type { LogicalPort, LogicalPortSpec } from './types.gen.ts';

/** Which object a port belongs to, by name. The UID says which life of that name. */
export type OwnerKind = LogicalPortSpec['owner']['kind'];
export type PortKey = {
  readonly ownerKind: OwnerKind;
  readonly namespace: string;
  readonly owner: string;
  /** VM NIC name, or the interface name of a pod. */
  readonly nic: string;
  /** Only for a port that was made beside the NIC's present one: the subnet that it was made for. */
  readonly madeFor?: string;
};

const LSP_PREFIX: Record<OwnerKind, string> = { VirtualMachine: 'vm', VirtualMachineInstance: 'vmi', Pod: 'pod' };
const MAX_OBJECT_NAME = 253;
const DIGEST = /-x[0-9a-f]{16}$/;
const PLAIN_NIC = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** The first 16 hex digits of SHA-256: names that are cut or rewritten end in it. */
export function formatDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * Name of the logical switch port: `vm/<ns>/<vm>/<nic>`, and `vm/<ns>/<vm>/<nic>/<subnet>` for a port that was made
 * beside another one of the same NIC. Kubernetes names hold no slash, so it is injective.
 */
export function formatLspName(key: PortKey): string {
  const first = `${LSP_PREFIX[key.ownerKind]}/${key.namespace}/${key.owner}/${key.nic}`;
  return key.madeFor === undefined ? first : `${first}/${key.madeFor}`;
}

/** The inverse of formatLspName; undefined when the name is not of a VM, VMI or pod port. Pods have no second ports. */
export function parseLspName(name: string): PortKey | undefined {
  const [prefix, namespace, owner, nic, madeFor, ...rest] = name.split('/');
  const found = (Object.keys(LSP_PREFIX) as OwnerKind[]).find((kind) => LSP_PREFIX[kind] === prefix);
  if (found === undefined || !namespace || !owner || !nic || rest.length > 0) return undefined;
  if (madeFor === undefined) return { ownerKind: found, namespace, owner, nic };
  return madeFor === '' || found === 'Pod' ? undefined : { ownerKind: found, namespace, owner, nic, madeFor };
}

/** Name of a LogicalPort's switch port: what the operator writes, and the `iface-id` that the agent gives its interface. */
export function formatPortLsp({ metadata, spec }: Pick<LogicalPort, 'metadata' | 'spec'>): string {
  const { owner, nic, madeFor } = spec;
  const key = { ownerKind: owner.kind, namespace: metadata.namespace ?? '', owner: owner.name, nic };
  return formatLspName(madeFor === undefined ? key : { ...key, madeFor });
}

/**
 * Name of the LogicalPort object within its namespace: `<owner>.<nic>.<vm|vmi|pod>`.
 * A NIC name that Kubernetes would refuse, or that looks like a rewritten one, is rewritten with a digest of the whole
 * key. A second port of a NIC is `<owner>.<nic>.<subnet>-x<digest>.<vm|vmi>`, always with the digest: names of VMs and
 * subnets hold dots, and `db.a.b.vm` is the first port of NIC `b` of VM `db.a`.
 */
export function formatLogicalPortName(key: PortKey): string {
  const suffix = LSP_PREFIX[key.ownerKind];
  const plain = `${key.owner}.${key.nic}.${suffix}`;
  const isPlain = key.madeFor === undefined && PLAIN_NIC.test(key.nic) && !DIGEST.test(key.nic);
  if (isPlain && plain.length <= MAX_OBJECT_NAME) return plain;
  const digest = formatDigest(formatLspName(key));
  const words = key.madeFor === undefined ? rewriteWord(key.nic) : `${trimWord(key.nic)}.${trimWord(key.madeFor)}`;
  const tail = `.${words}-x${digest}.${suffix}`;
  return key.owner.slice(0, MAX_OBJECT_NAME - tail.length).replace(/[.-]+$/, '') + tail;
}

/** As much of a word as an object's name can have. */
function rewriteWord(text: string): string {
  const word = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 24);
  return word === '' ? 'nic' : word;
}

/** The same where a dot follows: no hyphen is left at the cut. */
const trimWord = (text: string): string => rewriteWord(text).replace(/-+$/, '');

/** The agents' watch selector: every LogicalPort carries it for each node that holds an attachment. */
export function formatNodeLabel(node: string): string {
  return `node.${GROUP}/${formatDigest(node)}`;
}

export const FINALIZER = `${GROUP}/release`;
/** Present on the pod-to-owner index of LogicalPorts; never trusted, only to find them quickly. */
export const OWNER_UID_LABEL = `${GROUP}/owner-uid`;

/** Value of requested-chassis while nothing is attached: no chassis bears a name with a slash. */
export const NO_CHASSIS = 'mooring/unattached';

/** Option of a switch port, ours: the migration that has landed, so that every chassis looks at the port again. */
export const LANDED_OPTION = 'mooring-landed';

export const GATEWAY_LSP = 'gateway';
export const JOIN_SWITCH = 'join';
export const formatNodeLsp = (node: string): string => `node/${node}`;
export const formatSwitchName = (subnet: string): string => `subnet/${subnet}`;
export const formatRouterName = (vpc: string): string => `vpc/${vpc}`;
/** The router's own port on a subnet's switch, and the switch's end of the same cable. */
export const formatRouterPortName = (vpc: string, subnet: string): string => `vpc/${vpc}/subnet/${subnet}`;
export const formatRouterLspName = (vpc: string, subnet: string): string => `subnet/${subnet}/vpc/${vpc}`;
export const formatJoinRouterPortName = (vpc: string): string => `vpc/${vpc}/join`;
export const formatJoinRouterLspName = (vpc: string): string => `join/vpc/${vpc}`;

/** What a MigrationNetwork makes: a Subnet, and a NetworkAttachmentDefinition in KubeVirt's namespace. */
export const formatMigrationSubnet = (network: string): string => `migration-${network}`;
export const formatMigrationNad = (network: string): string => `mooring-migration-${network}`;
/** KubeVirt's own name for the interface of a virt-handler that carries the memory (virt-operator's DaemonSet). */
export const MIGRATION_INTERFACE = 'migration0';

/** Name of the pod's end in the node: `m` and 14 hex digits of (sandbox id, interface); at most 15 characters. */
export function formatHostInterface(containerId: string, interfaceName: string): string {
  return `m${createHash('sha256').update(`${containerId}\n${interfaceName}`).digest('hex').slice(0, 14)}`;
}

/** KubeVirt's interface name for a secondary network (pkg/network/namescheme): `pod` and 11 hex digits of SHA-256. */
export function formatLauncherInterface(networkName: string): string {
  return `pod${createHash('sha256').update(networkName).digest('hex').slice(0, 11)}`;
}
