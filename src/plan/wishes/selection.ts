import { asFields, type Fields } from '../../api/fields.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { explainJson, isTextList, MAX_TEXT, parseJson } from './json.ts';
import { isObjectName } from './values.ts';

/** One element of `k8s.v1.cni.cncf.io/networks`. Addresses are as they were typed: they may be meant for another plugin. */
export type Selection = {
  readonly namespace: string;
  readonly name: string;
  readonly interface: string;
  /** The interface was named in the list; otherwise its name is that of its place. */
  readonly explicit: boolean;
  readonly ips?: readonly string[];
  readonly mac?: string;
  /** Gateways of the pod's default route; an empty list leaves the choice to the network. */
  readonly defaultRoute?: readonly string[];
  /** Name of an IPAMClaim of the pod's namespace. */
  readonly ipamClaim?: string;
};

type Reference = Pick<Selection, 'namespace' | 'name' | 'interface'>;

const MAX_NETWORKS = 32;
const MAX_LIST = 16;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Reads the annotation of the NetworkAttachmentDefinition de facto standard v1.3, section 4.1, both forms; unnamed
 * interfaces are `net1`, `net2`, ... by position, as Multus names them. Anything that is not understood refuses the
 * whole (InvalidRequest): half a list would attach a pod to the wrong networks. Unknown keys mean nothing.
 */
export function parseSelections(text: string, namespace: string): Result<Selection[]> {
  const items = parseItems(text);
  if (!items.ok) return items;
  const selections: Selection[] = [];
  for (const [index, item] of items.value.entries()) {
    const selection = readSelection(item, { namespace, interface: `net${index + 1}` });
    if (!selection.ok) return selection;
    selections.push(selection.value);
  }
  const names = selections.map((selection) => selection.interface);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? succeed(selections) : fail('InvalidRequest', `two networks for interface ${twice}`);
}

/**
 * Reads `v1.multus-cni.io/default-network`: one network in either form, for interface eth0. Multus looks for a name
 * without a namespace in a namespace of its own configuration, which nobody here knows: it is refused (InvalidRequest).
 */
export function parseDefaultNetwork(text: string): Result<Selection> {
  const items = parseItems(text);
  if (!items.ok) return items;
  const [item] = items.value;
  if (item === undefined || items.value.length > 1) {
    return fail('InvalidRequest', `the default network ${quote(text)} is not one network`);
  }
  if (!item.get('namespace')) {
    return fail('InvalidRequest', `the default network ${quote(text)} must be written with its namespace`);
  }
  return readSelection(new Map([...item, ['interface', 'eth0']]), { namespace: '', interface: 'eth0' });
}

/**
 * The IPAMClaims that a pod's networks annotation refers to, by the pod's interface: what ipam-extensions writes on a
 * launcher. Of an interface that is to have another NAD by `asked` nothing is said. Problem: InvalidRequest, as
 * parseSelections.
 */
export function parseClaimReferences(
  text: string,
  namespace: string,
  asked: ReadonlyMap<string, string> = new Map(),
): Result<ReadonlyMap<string, string>> {
  const selections = parseSelections(text, namespace);
  if (!selections.ok) return selections;
  return succeed(
    new Map(
      selections.value.flatMap(({ namespace: of, name, interface: link, ipamClaim }) => {
        const isAsked = (asked.get(link) ?? `${of}/${name}`) === `${of}/${name}`;
        return isAsked && ipamClaim !== undefined ? [[link, ipamClaim] as const] : [];
      }),
    ),
  );
}

/** `[<namespace>/]<name>[@<interface>]`, as the short form has it. */
export function parseReference(text: string, namespace: string): Result<Reference> {
  const match = /^(?:([^/@]+)\/)?([^/@]+)(?:@([^/@]+))?$/.exec(text.trim());
  if (match === null) return fail('InvalidRequest', `${quote(text)} is not [namespace/]name[@interface]`);
  const item = { namespace: match[1] ?? namespace, name: match[2] ?? '', interface: match[3] ?? '' };
  return checkNames(item) ?? succeed(item);
}

function parseItems(text: string): Result<Fields[]> {
  if (text.length > MAX_TEXT) return fail('InvalidRequest', 'the networks annotation is longer than 64 KiB');
  if (text.trim() === '') return succeed([]);
  const items = /[[{"]/.test(text) ? parseJsonList(text) : parseShortList(text);
  return items.ok && items.value.length > MAX_NETWORKS
    ? fail('InvalidRequest', `more than ${MAX_NETWORKS} networks`)
    : items;
}

function parseShortList(text: string): Result<Fields[]> {
  const items: Fields[] = [];
  for (const part of text.split(',', MAX_NETWORKS + 1)) {
    const reference = parseReference(part, '');
    if (!reference.ok) return reference;
    items.push(new Map(Object.entries(reference.value).filter(([, value]) => value !== '')));
  }
  return succeed(items);
}

function parseJsonList(text: string): Result<Fields[]> {
  const parsed = parseJson(text);
  if (parsed === undefined) {
    const why = explainJson(text);
    return fail('InvalidRequest', `the networks annotation is neither a list of names nor JSON: ${why}`);
  }
  const list: unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  const items = list.slice(0, MAX_NETWORKS + 1).map(asFields);
  const fields = items.flatMap((item) => item ?? []);
  return fields.length === items.length
    ? succeed(fields)
    : fail('InvalidRequest', 'the networks annotation is not a list of objects');
}

function readSelection(item: Fields, defaults: { namespace: string; interface: string }): Result<Selection> {
  const name = item.get('name');
  const namespace = item.get('namespace') || defaults.namespace;
  const interfaceName = item.get('interface') || item.get('interfaceRequest') || defaults.interface;
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof interfaceName !== 'string') {
    return fail('InvalidRequest', 'name, namespace and interface of a network must be text');
  }
  const explicit = Boolean(item.get('interface') || item.get('interfaceRequest'));
  const base = { name, namespace, interface: interfaceName, explicit };
  return checkNames(base) ?? checkInterface(base.interface) ?? readDetails(item, base);
}

function readDetails(item: Fields, base: Reference & Pick<Selection, 'explicit'>): Result<Selection> {
  const refused = findBadDetail(item);
  if (refused !== undefined) return fail('InvalidRequest', `network ${base.namespace}/${base.name}: ${refused}`);
  const names = { ips: 'ips', mac: 'mac', 'default-route': 'defaultRoute', 'ipam-claim-reference': 'ipamClaim' };
  const details = Object.entries(names).map(([key, name]) => [name, readDetail(item, key)]);
  return succeed({ ...base, ...Object.fromEntries(details.filter(([, value]) => value !== undefined)) });
}

/** Null and empty text are absence, as Go's decoder has it. */
function readDetail(item: Fields, key: string): unknown {
  const value = item.get(key);
  return value === null || value === '' ? undefined : value;
}

function findBadDetail(item: Fields): string | undefined {
  const list = ['ips', 'default-route'].find((key) => !isTextList(readDetail(item, key) ?? [], MAX_LIST));
  if (list !== undefined) return `${list} must be a list of at most ${MAX_LIST} texts`;
  if (typeof (readDetail(item, 'mac') ?? '') !== 'string') return 'mac must be text';
  const claim = readDetail(item, 'ipam-claim-reference');
  if (claim === undefined) return undefined;
  if (typeof claim !== 'string' || !isObjectName(claim)) return 'ipam-claim-reference must be the name of an IPAMClaim';
  const ips = readDetail(item, 'ips');
  return Array.isArray(ips) && ips.length > 0 ? 'ips and ipam-claim-reference exclude each other' : undefined;
}

function checkNames({ namespace, name }: Pick<Reference, 'namespace' | 'name'>) {
  if (isObjectName(name) && (namespace === '' || LABEL.test(namespace))) return undefined;
  return fail('InvalidRequest', `${quote(`${namespace}/${name}`)} is not the name of a network`);
}

function checkInterface(name: string) {
  if (/^[A-Za-z0-9._-]{1,15}$/.test(name) && name !== '.' && name !== '..') return undefined;
  return fail('InvalidRequest', `${quote(name)} is not an interface name`);
}
