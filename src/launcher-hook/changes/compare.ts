import type { Fields } from '../../api/fields.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import type { VmNic } from '../../plan/requests/vm-nics.ts';
import type { Slot } from '../binding/machine.ts';
import type { What } from './table.ts';

/** One NIC as the VM had it, as it is to have it, and as the guest that runs has it. */
export type Sides = {
  readonly before?: Slot | undefined;
  readonly after?: Slot | undefined;
  readonly running?: Slot | undefined;
};

export type Finding = { readonly what: What; readonly detail: string };

/** What KubeVirt is able to do, and where names of networks are looked for. */
export type Ability = { readonly movesNetworks: boolean; readonly namespace: string };

/** What a change of one NIC comes to for the guest that runs; nothing where it is as that has it. */
export function compareNic({ before, after, running }: Sides, ability: Ability): Finding[] {
  if (isSame(before, after, ability)) return [];
  if (running === undefined) return after === undefined || after.nic.absent ? [] : [describeAddition(after)];
  if (running.nic.absent) return [];
  if (after === undefined) return before?.nic.absent === true ? [] : [find('removed')];
  if (after.nic.absent) return [find('unplugged')];
  return [
    ...compareState(after, running),
    ...compareNetwork(after.nic, running.nic, ability),
    ...compareFields({ before, after, running }),
  ];
}

const find = (what: What, detail = ''): Finding => ({ what, detail });

function isSame(a: Slot | undefined, b: Slot | undefined, { namespace }: Ability): boolean {
  const describe = (slot: Slot | undefined) =>
    JSON.stringify(slot && [...describeNetwork(slot.nic, namespace), ...[...slot.raw].toSorted(byKey)]);
  return describe(a) === describe(b);
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

function describeAddition({ nic, raw }: Slot): Finding {
  if (nic.interface === PRIMARY_INTERFACE) return find('addedPrimary');
  return isObject(raw, 'bridge') || isObject(raw, 'sriov') ? find('added') : find('addedOther');
}

const isObject = (raw: Fields, key: string): boolean => typeof raw.get(key) === 'object' && raw.get(key) !== null;

/** An interface that says nothing is up. */
const getState = ({ raw }: Slot): string => (raw.get('state') === 'down' ? 'down' : 'up');

function compareState(after: Slot, running: Slot): Finding[] {
  if (getState(after) === getState(running)) return [];
  return [isObject(running.raw, 'sriov') ? find('linkStateOfDevice') : find('linkState', getState(after))];
}

function compareNetwork(after: VmNic, running: VmNic, { namespace, movesNetworks }: Ability): Finding[] {
  const [kind, nad] = describeNetwork(after, namespace);
  const [runningKind, runningNad] = describeNetwork(running, namespace);
  if (kind !== runningKind) return [find('networkKind')];
  if (nad === runningNad) return [];
  if (kind === 'first') return [find('networkKind')];
  return [find(movesNetworks ? 'network' : 'networkUnmoved', nad.slice(0, 100))];
}

/** `pod`, a NAD in the place of the pod network (`first`) or a further one, and the NAD with its namespace. */
function describeNetwork({ network, interface: name }: VmNic, namespace: string): [kind: string, nad: string] {
  if (network.kind === 'pod') return ['pod', ''];
  const nad = network.reference.includes('/') ? network.reference : `${namespace}/${network.reference}`;
  return [name === PRIMARY_INTERFACE ? 'first' : 'further', nad];
}

/** They have rules of their own. */
const APART: readonly string[] = ['name', 'state'];
/** The keys by which an interface names its binding. */
const BINDINGS: readonly string[] = ['bridge', 'masquerade', 'sriov', 'macvtap', 'passt', 'passtBinding', 'slirp'];
const MOST_FIELDS = 4;

/** KubeVirt writes defaults into what runs: a field counts that was changed now and is otherwise there. */
function compareFields({ before, after, running }: Required<Sides>): Finding[] {
  if (after === undefined || running === undefined) return [];
  const keys = new Set([...(before?.raw.keys() ?? []), ...after.raw.keys()]);
  const serialize = (slot: Slot | undefined, key: string) => JSON.stringify(slot?.raw.get(key) ?? null);
  const changed = [...keys].filter((key) => {
    const wanted = serialize(after, key);
    return !APART.includes(key) && wanted !== serialize(before, key) && wanted !== serialize(running, key);
  });
  const others = changed.filter((key) => key !== 'macAddress').map((key) => (BINDINGS.includes(key) ? 'binding' : key));
  return [
    ...(changed.includes('macAddress') ? [find('mac')] : []),
    ...(others.length === 0 ? [] : [find('fields', listFields([...new Set(others)].sort()))]),
  ];
}

function listFields(names: readonly string[]): string {
  const shown = names.slice(0, MOST_FIELDS).map((name) => name.slice(0, 32));
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
