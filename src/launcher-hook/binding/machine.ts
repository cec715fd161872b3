import { asFields, type Fields } from '../../api/fields.ts';
import { findController, type VirtualMachine, type VmiSpec } from '../../api/objects.ts';
import type { ObjectMeta } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { listVmNics, type VmNic } from '../../plan/requests/vm-nics.ts';
import type { WishSource } from '../../plan/wishes/types.ts';
import type { Admission } from '../admission.ts';
import type { Cluster } from '../records.ts';

/** What of a question is looked at. */
export type Question = Pick<Admission, 'kind' | 'operation' | 'namespace' | 'object' | 'oldObject'>;

/** One element of the list of interfaces that is a NIC. */
export type Slot = { readonly index: number; readonly nic: VmNic; readonly raw: Fields };

/** A VM or VMI as far as bindings go, read from an object of which nothing is checked. */
export type Machine = {
  readonly namespace: string;
  readonly name: string;
  /** JSON pointers to the guest's spec and to the metadata that its launcher gets. */
  readonly specPath: string;
  readonly metadataPath: string;
  /** That metadata; undefined where there is none. */
  readonly metadata: Fields | undefined;
  readonly devices: Fields | undefined;
  /** Objects whose annotations speak for the guest. */
  readonly sources: readonly WishSource[];
  readonly slots: readonly Slot[];
  /** It lists neither interfaces nor networks, and KubeVirt is going to give it its default NIC. */
  readonly bare: boolean;
  /** A VMI whose VM has been admitted before. */
  readonly ofVm: boolean;
};

/**
 * Reads the object of a question. Undefined: nothing is to be planned for it. A VMI cannot be changed after it was
 * made; a VM with a preference may be told by that to have no NIC, so its default NIC is settled when its VMI is made.
 */
export function readMachine(question: Question, cluster: Cluster): Machine | undefined {
  const object = asFields(question.object);
  const metadata = asFields(object?.get('metadata'));
  if (object === undefined || metadata === undefined || isLeaving(metadata)) return undefined;
  const { kind, operation } = question;
  if (kind === 'VirtualMachine' && operation !== 'DELETE') return readVm(question, object, metadata);
  return kind === 'VirtualMachineInstance' && operation === 'CREATE'
    ? readVmi(question, { object, metadata }, cluster)
    : undefined;
}

const isLeaving = (metadata: Fields): boolean => asText(metadata.get('deletionTimestamp')) !== '';

function readVm({ namespace }: Question, object: Fields, metadata: Fields): Machine | undefined {
  const spec = asFields(object.get('spec'));
  const template = asFields(spec?.get('template'));
  const templateMetadata = asFields(template?.get('metadata'));
  const guest = readGuest(template?.get('spec'));
  if (guest === undefined) return undefined;
  return {
    ...guest,
    namespace,
    name: asText(metadata.get('name')),
    specPath: '/spec/template/spec',
    metadataPath: '/spec/template/metadata',
    metadata: templateMetadata,
    bare: guest.bare && asFields(spec?.get('preference')) === undefined,
    sources: [
      { from: 'the VM', annotations: readAnnotations(metadata) },
      { from: "the VM's template", annotations: readAnnotations(templateMetadata) },
    ],
    ofVm: false,
  };
}

type Parts = { readonly object: Fields; readonly metadata: Fields };

function readVmi({ namespace }: Question, { object, metadata }: Parts, cluster: Cluster): Machine | undefined {
  const guest = readGuest(object.get('spec'));
  if (guest === undefined) return undefined;
  const vm = findVm(namespace, metadata, cluster);
  const own = { from: 'the VMI', annotations: readAnnotations(metadata) };
  return {
    ...guest,
    namespace,
    name: asText(metadata.get('name')),
    specPath: '/spec',
    metadataPath: '/metadata',
    metadata,
    sources: vm === undefined ? [own] : [{ from: 'the VM', annotations: vm.metadata.annotations }, own],
    ofVm: vm !== undefined,
  };
}

/** The VM of a VMI: anybody may write an owner, only that one's UID is its own. */
function findVm(namespace: string, metadata: Fields, cluster: Cluster): VirtualMachine | undefined {
  const listed = metadata.get('ownerReferences');
  const references = Array.isArray(listed) ? listed.filter((item) => asFields(item) !== undefined) : [];
  const owner = findController({ ownerReferences: references as ObjectMeta['ownerReferences'] });
  if (owner?.kind !== 'VirtualMachine' || typeof owner.name !== 'string') return undefined;
  const vm = cluster.findVm(namespace, owner.name);
  return vm?.metadata.uid === owner.uid ? vm : undefined;
}

type Guest = Pick<Machine, 'devices' | 'slots' | 'bare'>;

function readGuest(spec: unknown): Guest | undefined {
  const fields = asFields(spec);
  const domain = asFields(fields?.get('domain'));
  if (fields === undefined || domain === undefined) return undefined;
  const devices = asFields(domain.get('devices'));
  const nics = listVmNics(spec as VmiSpec);
  const interfaces = asList(devices?.get('interfaces'));
  const networks = asList(fields.get('networks'));
  const isBare = interfaces.length === 0 && networks.length === 0 && nics.length === 1;
  return { devices, slots: isBare ? [] : listSlots(interfaces, nics), bare: isBare };
}

function listSlots(interfaces: readonly unknown[], nics: readonly VmNic[]): Slot[] {
  const byName = new Map(nics.map((nic) => [nic.name, nic]));
  return interfaces.flatMap((item, index) => {
    const raw = asFields(item);
    const nic = byName.get(asText(raw?.get('name')));
    return raw === undefined || nic === undefined ? [] : { index, nic, raw };
  });
}

function readAnnotations(metadata: Fields | undefined): Readonly<Record<string, string>> | undefined {
  const annotations = asFields(metadata?.get('annotations'));
  return annotations && (Object.fromEntries(annotations) as Record<string, string>);
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The NIC that KubeVirt gives a guest that lists none, without its binding. */
export const DEFAULT_SLOT: Slot = {
  index: 0,
  nic: { name: 'default', interface: PRIMARY_INTERFACE, network: { kind: 'pod' }, absent: false },
  raw: new Map([['name', 'default']]),
};

/** What the answer depends on, as text: an update that changes nothing of it is not asked about again. */
export function formatQuestion(object: unknown): string {
  const root = asFields(object);
  const template = asFields(asFields(root?.get('spec'))?.get('template'));
  const spec = asFields(template?.get('spec'));
  const devices = asFields(asFields(spec?.get('domain'))?.get('devices'));
  const annotations = [root, template].map((part) => asFields(part?.get('metadata'))?.get('annotations'));
  const nics = [devices?.get('interfaces'), devices?.get('autoattachPodInterface'), spec?.get('networks')];
  return JSON.stringify([...annotations, ...nics]);
}
