import { asFields, type Fields, isGiven, listFields, readTexts } from '../../api/fields.ts';
import type { Admission } from '../admission.ts';

/** What of a question is looked at. */
export type Question = Pick<Admission, 'kind' | 'operation' | 'object'>;

/** Of the data of cloud-init that a guest gets: none, or whether the user gave network data. */
export type CloudInit = 'none' | 'ours' | 'users';

/** A VM or VMI as far as the configuration of its guest goes, read from an object of which nothing is checked. */
export type Machine = {
  /** JSON pointer to the annotations that the VMI has or gets; they are there when they have a key. */
  readonly path: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** Those of the VirtualMachine itself, which no VMI gets. */
  readonly outer: ReadonlyMap<string, string>;
  readonly cloudInit: CloudInit;
  /** Names of NICs that only their MAC could tell the guest, and that have none. */
  readonly nameless: readonly string[];
};

/** The objects whose annotations can still reach a launcher: a VMI that is there has its launcher already. */
export function readMachine({ kind, operation, object }: Question): Machine | undefined {
  const root = asFields(object);
  const metadata = asFields(root?.get('metadata'));
  const isLeaving = typeof metadata?.get('deletionTimestamp') === 'string';
  if (root === undefined || metadata === undefined || isLeaving) return undefined;
  if (kind === 'VirtualMachine' && operation !== 'DELETE') return readVm(root, metadata);
  if (kind !== 'VirtualMachineInstance' || operation !== 'CREATE') return undefined;
  const annotations = readAnnotations(metadata);
  return { ...readGuest(root.get('spec')), path: '/metadata/annotations', annotations, outer: new Map() };
}

function readVm(root: Fields, metadata: Fields): Machine {
  const template = asFields(asFields(root.get('spec'))?.get('template'));
  return {
    ...readGuest(template?.get('spec')),
    path: '/spec/template/metadata/annotations',
    annotations: readAnnotations(asFields(template?.get('metadata'))),
    outer: readAnnotations(metadata),
  };
}

const readAnnotations = (metadata: Fields | undefined): ReadonlyMap<string, string> =>
  readTexts(metadata?.get('annotations'));

function readGuest(value: unknown): Pick<Machine, 'cloudInit' | 'nameless'> {
  const spec = asFields(value);
  const devices = asFields(asFields(spec?.get('domain'))?.get('devices'));
  const translated = listFields(devices?.get('interfaces')).filter(isTranslated);
  return {
    cloudInit: readCloudInit(spec),
    nameless: translated.flatMap((nic) => (isGiven(nic.get('macAddress')) ? [] : readName(nic))),
  };
}

const SOURCES = ['cloudInitNoCloud', 'cloudInitConfigDrive'];
const OWN_DATA = ['networkData', 'networkDataBase64', 'networkDataSecretRef'];

/** KubeVirt takes the first volume of the two kinds (`ReadCloudInitVolumeDataSource`, pkg/cloud-init/cloud-init.go). */
function readCloudInit(spec: Fields | undefined): CloudInit {
  const [source] = listFields(spec?.get('volumes')).flatMap((volume) =>
    SOURCES.flatMap((name) => asFields(volume.get(name)) ?? []),
  );
  if (source === undefined) return 'none';
  return OWN_DATA.some((key) => isGiven(source.get(key))) ? 'users' : 'ours';
}

/** Its address is KubeVirt's, which the guest gets by DHCP; the sidecar has to tell it so by the MAC (sidecar/guest.ts). */
const isTranslated = (nic: Fields): boolean =>
  (nic.has('masquerade') || nic.has('passtBinding')) && nic.get('state') !== 'absent';

const readName = (nic: Fields): string[] => {
  const name = nic.get('name');
  return typeof name === 'string' ? [name] : [];
};
