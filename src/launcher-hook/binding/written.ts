import { asFields, type Fields } from '../../api/fields.ts';

/** The bindings that an interface names. */
export type Written = {
  /** Keys of bridge, masquerade and managedTap, which a policy may replace when it is enforced. */
  readonly ours: readonly string[];
  /** Everything else: SR-IOV, passt, macvtap, other plugins, and what KubeVirt may come to know. */
  readonly foreign: readonly string[];
  /** Among them those of which nobody can say that they are bindings. */
  readonly unknown: readonly string[];
};

/** Fields of KubeVirt's `Interface` (api/core/v1/schema.go) that are no binding. */
const PLAIN = [
  'acpiIndex',
  'bootOrder',
  'dhcpOptions',
  'macAddress',
  'model',
  'name',
  'pciAddress',
  'ports',
  'state',
  'tag',
];

const FOREIGN = ['binding', 'macvtap', 'passt', 'passtBinding', 'slirp', 'sriov'];

/** Reads one interface. A field that is not known is taken for a binding when it is an object, as all of them are. */
export function readWritten(raw: Fields): Written {
  const keys = [...raw].flatMap(([key, value]) => (asFields(value) !== undefined && !PLAIN.includes(key) ? key : []));
  const isOurs = (key: string) => key === 'bridge' || key === 'masquerade' || (key === 'binding' && isManagedTap(raw));
  const foreign = keys.filter((key) => !isOurs(key));
  return { ours: keys.filter(isOurs), foreign, unknown: foreign.filter((key) => !FOREIGN.includes(key)) };
}

function isManagedTap(raw: Fields): boolean {
  const name = asFields(raw.get('binding'))?.get('name');
  return typeof name === 'string' && name.toLowerCase() === 'managedtap';
}
