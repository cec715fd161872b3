import { API_VERSION } from '../api/group.ts';
import { FINALIZER, formatLogicalPortName, formatNodeLabel, NO_CHASSIS, OWNER_UID_LABEL } from '../api/names.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import type { Lease } from '../ipam/pool.ts';
import type { MigrationState } from '../migration/input.ts';
import type { NicRequest } from './requests.ts';

type Owner = LogicalPort['spec']['owner'];
type Attachment = NonNullable<LogicalPort['spec']['attachments']>[number];

const OWNER_API: Record<Owner['kind'], string> = {
  VirtualMachine: 'kubevirt.io/v1',
  VirtualMachineInstance: 'kubevirt.io/v1',
  Pod: 'v1',
};

/** The name of the LogicalPort of one NIC. */
export function formatPortName(namespace: string, owner: Owner, nic: string): string {
  return formatLogicalPortName({ ownerKind: owner.kind, namespace, owner: owner.name, nic });
}

export type NewPort = {
  readonly namespace: string;
  readonly owner: Owner;
  readonly request: NicRequest;
  readonly lease: Lease;
  readonly attachments: readonly Attachment[];
};

/** A new LogicalPort: the reservation. Its owner reference lets the garbage collector find it; the finalizer keeps it until we released it. */
export function makeLogicalPort({ namespace, owner, request, lease, attachments }: NewPort): LogicalPort {
  return {
    apiVersion: API_VERSION,
    kind: 'LogicalPort',
    metadata: {
      name: formatPortName(namespace, owner, request.nic),
      namespace,
      labels: makeLabels(owner, attachments),
      finalizers: [FINALIZER],
      ownerReferences: [makeOwnerReference(owner)],
    },
    spec: {
      owner,
      nic: request.nic,
      subnet: request.subnet,
      ips: [...lease.ips],
      mac: lease.mac,
      ...(request.binding === undefined ? {} : { binding: request.binding }),
      attachments: [...attachments],
    },
  };
}

/** Never blocks the deletion of its owner: the owner's end is what we wait for. */
function makeOwnerReference({ kind, name, uid }: Owner) {
  return { apiVersion: OWNER_API[kind], kind, name, uid, controller: false, blockOwnerDeletion: false };
}

function makeLabels(owner: Owner, attachments: readonly Attachment[]): Record<string, string> {
  const nodes = attachments.map(({ node }) => [formatNodeLabel(node), 'true'] as const);
  return { [OWNER_UID_LABEL]: owner.uid, ...Object.fromEntries(nodes) };
}

/** The attachments of one NIC: each launcher that holds the port, on the interface that carries the NIC. */
export function planAttachments(state: MigrationState, request: Pick<NicRequest, 'interface' | 'nad'>): Attachment[] {
  return state.holds.map(({ launcher, role }) => ({
    podName: launcher.name,
    podUID: launcher.uid,
    node: launcher.node,
    interface: request.interface,
    ...(request.nad === undefined ? {} : { nad: request.nad }),
    role,
  }));
}

export type PortChange = {
  readonly owner: Owner;
  readonly attachments: readonly Attachment[];
  readonly binding?: LogicalPort['spec']['binding'];
};

/**
 * What an existing LogicalPort should say, in the terms of `ensureObject`: what is left out stays, null is absence. The
 * owner reference is written only at an adoption: writing it again after an orphaning delete would have the garbage
 * collector delete the port.
 */
export function planPortChange(port: LogicalPort, change: PortChange): LogicalPort {
  const { owner, attachments, binding } = change;
  const labels: Record<string, string | null> = { ...staleLabels(port), ...makeLabels(owner, attachments) };
  const isAdoption = port.spec.owner.uid !== owner.uid;
  const { name, namespace } = port.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: labels as Record<string, string>,
    ...(isAdoption ? { ownerReferences: [makeOwnerReference(owner)] } : {}),
  };
  const spec = {
    ...(isAdoption ? { owner } : {}),
    attachments: [...attachments],
    ...(binding === undefined ? {} : { binding }),
  };
  return { apiVersion: API_VERSION, kind: 'LogicalPort', metadata, spec } as LogicalPort;
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
