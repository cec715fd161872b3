import { asFields, type Fields, readTexts } from '../../api/fields.ts';
import { formatLogicalPortName } from '../../api/names.ts';
import {
  findKubevirtOwner,
  type OwnerRef,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VmiSpec,
} from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { listGuestSources } from '../../plan/requests/requests.ts';
import type { WishSource } from '../../plan/wishes/types.ts';
import type { Admission } from '../admission.ts';
import type { Cluster } from '../records.ts';

/** The machine that an object of KubeVirt asks for, read from what anybody may have written. */
export type Guest = {
  readonly kind: 'VirtualMachine' | 'VirtualMachineInstance';
  readonly namespace: string;
  readonly name: string;
  readonly spec: VmiSpec | undefined;
  /** Whose annotations speak for its NICs. */
  readonly sources: readonly WishSource[];
  /** Annotations that KubeVirt copies to the launcher. */
  readonly launcherAnnotations: Readonly<Record<string, string>>;
  /** It runs, or does as soon as the object is in. */
  readonly runs: boolean;
  /** A VMI that KubeVirt makes of a VM, which was judged itself. */
  readonly ofVm: boolean;
};

const RUNNING: readonly unknown[] = ['Always', 'RerunOnFailure', 'Once'];
const GUEST_KINDS = ['VirtualMachine', 'VirtualMachineInstance'] as const;

/** Undefined for what is no VM or VMI, and for one that is being deleted: what leaves is never held up. */
export function parseGuest(admission: Admission, object: unknown, cluster: Cluster): Guest | undefined {
  const fields = asFields(object);
  if (fields === undefined || admission.operation === 'DELETE') return undefined;
  const metadata = asFields(fields.get('metadata')) ?? new Map<string, unknown>();
  if (isText(metadata.get('deletionTimestamp'))) return undefined;
  const { namespace } = admission;
  const name = readText(metadata, 'name') || admission.name;
  const annotations = readAnnotations(metadata);
  const spec = asFields(fields.get('spec'));
  const base = { namespace, name };
  if (admission.kind === 'VirtualMachine') return parseVm({ ...base, annotations }, spec);
  if (admission.kind !== 'VirtualMachineInstance') return undefined;
  const vm = findVm(base, readOwners(metadata), cluster);
  const vmi: VirtualMachineInstance = { metadata: { name, annotations } };
  return {
    ...base,
    kind: admission.kind,
    spec: asSpec(spec),
    sources: listGuestSources(vm, vmi),
    launcherAnnotations: annotations,
    runs: true,
    ofVm: vm !== undefined,
  };
}

type Named = { readonly namespace: string; readonly name: string };

function parseVm(
  { namespace, name, annotations }: Named & { readonly annotations: Record<string, string> },
  spec: Fields | undefined,
): Guest {
  const template = asFields(spec?.get('template'));
  const templateMetadata = asFields(template?.get('metadata')) ?? new Map<string, unknown>();
  const launcherAnnotations = readAnnotations(templateMetadata);
  const vm: VirtualMachine = {
    metadata: { name, annotations },
    spec: { template: { metadata: { annotations: launcherAnnotations } } },
  };
  return {
    kind: 'VirtualMachine',
    namespace,
    name,
    spec: asSpec(asFields(template?.get('spec'))),
    sources: listGuestSources(vm, undefined),
    launcherAnnotations,
    runs: spec?.get('running') === true || RUNNING.includes(spec?.get('runStrategy')),
    ofVm: false,
  };
}

/** `listVmNics`, the only reader, takes nothing in it for granted. */
const asSpec = (fields: Fields | undefined): VmiSpec | undefined => fields && (Object.fromEntries(fields) as VmiSpec);

/** The VM that a VMI is of. Anybody may write an owner: its name must be the VMI's own, and its UID the VM's. */
function findVm({ namespace, name }: Named, owners: OwnerRef[], cluster: Cluster): VirtualMachine | undefined {
  const owner = findKubevirtOwner({ ownerReferences: owners }, 'VirtualMachine');
  if (owner === undefined || owner.name !== name) return undefined;
  const vm = cluster.findVm(namespace, name);
  return vm?.metadata.uid === owner.uid ? vm : undefined;
}

function readOwners(metadata: Fields): OwnerRef[] {
  const list = metadata.get('ownerReferences');
  const owners: unknown[] = Array.isArray(list) ? list.slice(0, 64) : [];
  return owners.flatMap((item) => {
    const owner = asFields(item);
    if (owner === undefined) return [];
    const [apiVersion, kind, name, uid] = ['apiVersion', 'kind', 'name', 'uid'].map((key) => readText(owner, key));
    if (!apiVersion || !kind || !name || !uid) return [];
    return { apiVersion, kind, name, uid, controller: owner.get('controller') === true };
  });
}

function readAnnotations(metadata: Fields): Record<string, string> {
  return Object.fromEntries(readTexts(metadata.get('annotations')));
}

const isText = (value: unknown): value is string => typeof value === 'string';

function readText(fields: Fields, key: string): string {
  const value = fields.get(key);
  return isText(value) ? value : '';
}

/** Ports of its name are its own, whatever life of it they are of: VM and VMI of a name are one machine. */
export function isOwnPort({ namespace, name }: Guest, { metadata, spec }: LogicalPort): boolean {
  const isGuests = GUEST_KINDS.some((kind) => kind === spec.owner.kind);
  return isGuests && metadata.namespace === namespace && spec.owner.name === name;
}

/** The ports that a NIC of the guest has already. */
export function listOwnPorts(nic: string, { namespace, name }: Guest, cluster: Cluster): LogicalPort[] {
  return GUEST_KINDS.flatMap(
    (ownerKind) => cluster.findPort(namespace, formatLogicalPortName({ ownerKind, namespace, owner: name, nic })) ?? [],
  );
}
