import { CLUSTER_UID, PORT_UID } from '../../api/annotations.ts';
import { API_VERSION } from '../../api/group.ts';
import { FINALIZER, formatLogicalPortName, formatNodeLabel, NO_CHASSIS, OWNER_UID_LABEL } from '../../api/names.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { Lease } from '../../ipam/pool.ts';
import type { MigrationState } from '../../migration/input.ts';
import type { NicRequest } from '../requests/types.ts';

type Owner = LogicalPort['spec']['owner'];
type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

/** On which interface, and by which network, a pod carries a NIC. */
export type Carrier = {
  readonly interface: string;
  readonly nad?: string;
  /** Networks of pods that were made with another one, by UID: a guest may be on its way from one to the other. */
  readonly nads?: ReadonlyMap<string, string>;
};

const OWNER_API: Record<Owner['kind'], string> = {
  VirtualMachine: 'kubevirt.io/v1',
  VirtualMachineInstance: 'kubevirt.io/v1',
  Pod: 'v1',
};

/** The name of the LogicalPort of one NIC. */
export function formatPortName(namespace: string, owner: Owner, { nic, madeFor }: Place): string {
  const key = { ownerKind: owner.kind, namespace, owner: owner.name, nic };
  return formatLogicalPortName(madeFor === undefined ? key : { ...key, madeFor });
}

/** A NIC, and for a port beside the one that it has, the subnet that this is for. */
export type Place = { readonly nic: string; readonly madeFor?: string | undefined };

export type NewPort = {
  readonly namespace: string;
  readonly owner: Owner;
  /** What is asked for; of a request that cannot be understood, only the NIC. */
  readonly request: NicRequest | Pick<NicRequest, 'nic'>;
  /** The subnet that it is made for beside the NIC's present port. */
  readonly madeFor?: string | undefined;
  /** Absent while no address can be given: such a port only says why, to users and to the node of its pod. */
  readonly lease?: Lease | undefined;
  readonly attachments: readonly Attachment[];
  readonly clusterUid?: string | undefined;
};

/** A new LogicalPort: the reservation. Its owner reference lets the garbage collector find it; the finalizer keeps it until we released it. */
export function makeLogicalPort(port: NewPort): LogicalPort {
  const { namespace, owner, request, lease, attachments, clusterUid, madeFor } = port;
  const full = 'subnet' in request ? request : undefined;
  return {
    apiVersion: API_VERSION,
    kind: 'LogicalPort',
    metadata: {
      name: formatPortName(namespace, owner, { nic: request.nic, madeFor }),
      namespace,
      labels: makeLabels(owner, attachments),
      ...makeAnnotations(clusterUid),
      finalizers: [FINALIZER],
      ownerReferences: makeOwnerReferences(owner, full?.releasePolicy),
    },
    spec: {
      owner,
      nic: request.nic,
      ...(madeFor === undefined ? {} : { madeFor }),
      subnet: '',
      ips: [],
      mac: '',
      ...(full === undefined ? {} : { subnet: full.subnet, ...dropNulls(makeTerms(full)) }),
      ...(lease === undefined || full === undefined ? {} : dropNulls(makeAllocation(full, lease))),
      attachments: [...attachments],
    },
  };
}

const makeAnnotations = (clusterUid: string | undefined) =>
  clusterUid === undefined ? {} : { annotations: { [CLUSTER_UID]: clusterUid } };

/**
 * Never blocks the deletion of its owner: the owner's end is what we wait for. A port that is retained has none: the
 * garbage collector would delete it with its owner.
 */
function makeOwnerReferences({ kind, name, uid }: Owner, policy: NicRequest['releasePolicy']) {
  if (policy === 'Retain') return [];
  return [{ apiVersion: OWNER_API[kind], kind, name, uid, controller: false, blockOwnerDeletion: false }];
}

function makeLabels(owner: Owner, attachments: readonly Attachment[]): Record<string, string> {
  const nodes = attachments.map(({ node }) => [formatNodeLabel(node), 'true'] as const);
  return { [OWNER_UID_LABEL]: owner.uid, ...Object.fromEntries(nodes) };
}

type Nullable<T> = { [K in keyof T]: T[K] | null };

/** What of a request is recorded as it is, and follows it at any time; null is absence. */
function makeTerms(request: NicRequest) {
  const { binding, releasePolicy, securityGroups, routes, ipamClaim, nad } = request;
  return {
    ...(binding === undefined ? {} : { binding }),
    ...(releasePolicy === undefined ? {} : { releasePolicy }),
    securityGroups: securityGroups === undefined ? null : [...securityGroups],
    routes: routes === undefined ? null : routes.map((route) => ({ ...route })),
    ipamClaim: ipamClaim ?? null,
    nad: nad ?? null,
  };
}

/** The allocation, and what changes only with it. */
function makeAllocation({ subnet, ipamOnly }: NicRequest, { ips, mac, pool }: Lease) {
  return { subnet, ips: [...ips], mac, pool: pool ?? null, ipamOnly: ipamOnly ?? null };
}

function dropNulls<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as never;
}

const MAX_INTERFACE = 15;

/** The attachments of a NIC whose request may be anything: none where no interface of a pod can carry it. */
export function planDoubtful(state: MigrationState, carrier: Carrier | undefined): Attachment[] {
  const isInterface = carrier !== undefined && carrier.interface !== '' && carrier.interface.length <= MAX_INTERFACE;
  return isInterface ? planAttachments(state, carrier) : [];
}

/** The attachments of one NIC: each launcher that holds the port, on the interface that carries the NIC. */
export function planAttachments(state: MigrationState, carrier: Carrier): Attachment[] {
  return state.holds.map(({ launcher, role }) => {
    const nad = carrier.nads?.get(launcher.uid) ?? carrier.nad;
    return {
      podName: launcher.name,
      podUID: launcher.uid,
      node: launcher.node,
      interface: carrier.interface,
      ...(nad === undefined ? {} : { nad }),
      role,
    };
  });
}

export type PortChange = {
  readonly owner: Owner;
  readonly attachments: readonly Attachment[];
  readonly request?: NicRequest | undefined;
  /** A new address, and with it everything that belongs to the allocation. */
  readonly lease?: Lease | undefined;
  /** What a port without an address asks; with a lease it is the request's. */
  readonly subnet?: string | undefined;
  /** Where the port is from now on at home; undefined to leave what it says. */
  readonly clusterUid?: string | undefined;
  /** It is nobody's at the moment: the garbage collector must not judge it by an owner that is not there. */
  readonly ownerless?: boolean;
};

/**
 * What an existing LogicalPort should say, in the terms of `ensureObject`: what is left out stays, null is absence. The
 * owner reference is written only at an adoption: writing it again after an orphaning delete would have the garbage
 * collector delete the port.
 */
export function planPortChange(port: LogicalPort, change: PortChange): LogicalPort {
  const { owner, attachments, request, lease } = change;
  const labels: Record<string, string | null> = { ...staleLabels(port), ...makeLabels(owner, attachments) };
  const isAdoption = port.spec.owner.uid !== owner.uid;
  const { name, namespace } = port.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels,
    ...planAnnotations(port, change, isAdoption),
    ...planFinalizers(port),
    ...planOwnerReferences(port, change, isAdoption),
  };
  const spec: Nullable<Partial<LogicalPort['spec']>> = {
    ...(isAdoption ? { owner } : {}),
    ...(request === undefined ? {} : makeTerms(request)),
    ...(change.subnet === undefined ? {} : { subnet: change.subnet }),
    ...(lease === undefined || request === undefined ? {} : makeAllocation(request, lease)),
    attachments: [...attachments],
  };
  return { apiVersion: API_VERSION, kind: 'LogicalPort', metadata, spec } as LogicalPort;
}

/** The port's own UID is told along with other news: it is known only after the first write, and worth none of its own. */
function planAnnotations(
  { metadata, spec }: LogicalPort,
  { clusterUid, attachments }: PortChange,
  isAdoption: boolean,
) {
  const known = new Set(spec.attachments?.map(({ podUID }) => podUID));
  const isNews = metadata.uid !== undefined && (isAdoption || attachments.some(({ podUID }) => !known.has(podUID)));
  const annotations = {
    ...(clusterUid === undefined ? {} : { [CLUSTER_UID]: clusterUid }),
    ...(isNews ? { [PORT_UID]: metadata.uid } : {}),
  };
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

/** A backup tool may leave the finalizer out; without it the port could go before its rows. */
function planFinalizers({ metadata }: LogicalPort): { finalizers?: string[] } {
  const present = metadata.finalizers ?? [];
  if (present.includes(FINALIZER) || metadata.deletionTimestamp !== undefined) return {};
  return { finalizers: [...present, FINALIZER] };
}

function planOwnerReferences(port: LogicalPort, { owner, request, ownerless }: PortChange, isAdoption: boolean) {
  if (isAdoption) return { ownerReferences: makeOwnerReferences(owner, request?.releasePolicy) };
  const mustGo = ownerless === true || request?.releasePolicy === 'Retain';
  return mustGo && (port.metadata.ownerReferences ?? []).length > 0 ? { ownerReferences: [] } : {};
}

function staleLabels(port: LogicalPort): Record<string, null> {
  const prefix = formatNodeLabel('').split('/')[0] ?? '';
  const ours = Object.keys(port.metadata.labels ?? {}).filter((key) => key.startsWith(`${prefix}/`));
  return Object.fromEntries(ours.map((key) => [key, null]));
}

/** Nobody holds the port. */
export const UNATTACHED: MigrationState = {
  phase: 'unattached',
  requestedChassis: [NO_CHASSIS],
  holds: [],
  unsupported: false,
};
