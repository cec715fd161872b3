import { fail, type Result, succeed } from '../api/problem.ts';

/** One element of `k8s.v1.cni.cncf.io/networks`. */
export type Selection = {
  readonly namespace: string;
  readonly name: string;
  readonly interface: string;
  readonly ips?: readonly string[];
  readonly mac?: string;
};

const MAX_TEXT = 65_536;
const MAX_NETWORKS = 32;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * Reads the annotation of the NetworkAttachmentDefinition de facto standard v1.3, section 4.1, both forms; unnamed
 * interfaces are `net1`, `net2`, ... by position, as Multus names them. Anything that is not understood refuses the
 * whole (InvalidRequest): half a list would attach a pod to the wrong networks.
 */
export function parseSelections(text: string, namespace: string): Result<Selection[]> {
  if (text.length > MAX_TEXT) return fail('InvalidRequest', 'the networks annotation is longer than 64 KiB');
  if (text.trim() === '') return succeed([]);
  const items = /[[{"]/.test(text) ? parseJsonList(text) : parseShortList(text);
  if (!items.ok) return items;
  if (items.value.length > MAX_NETWORKS) return fail('InvalidRequest', `more than ${MAX_NETWORKS} networks`);
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

/** `[<namespace>/]<name>[@<interface>]`, as the short form and `v1.multus-cni.io/default-network` have it. */
export function parseReference(text: string, namespace: string): Result<Omit<Selection, 'ips' | 'mac'>> {
  const match = /^(?:([^/@]+)\/)?([^/@]+)(?:@([^/@]+))?$/.exec(text.trim());
  if (match === null)
    return fail('InvalidRequest', `${JSON.stringify(text.slice(0, 100))} is not [namespace/]name[@interface]`);
  const item = { namespace: match[1] ?? namespace, name: match[2] ?? '', interface: match[3] ?? '' };
  return checkNames(item) ?? succeed(item);
}

type Item = ReadonlyMap<string, unknown>;

function parseShortList(text: string): Result<Item[]> {
  const items: Item[] = [];
  for (const part of text.split(',')) {
    const reference = parseReference(part, '');
    if (!reference.ok) return reference;
    items.push(new Map(Object.entries(reference.value).filter(([, value]) => value !== '')));
  }
  return succeed(items);
}

function parseJsonList(text: string): Result<Item[]> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return fail('InvalidRequest', 'the networks annotation is neither a list of names nor JSON');
  }
  const list: unknown[] = Array.isArray(raw) ? raw : [raw];
  const objects = list.filter(
    (item): item is object => typeof item === 'object' && item !== null && !Array.isArray(item),
  );
  if (objects.length !== list.length) return fail('InvalidRequest', 'the networks annotation is not a list of objects');
  return succeed(objects.map((item) => new Map(Object.entries(item))));
}

function readSelection(item: Item, defaults: { namespace: string; interface: string }): Result<Selection> {
  const name = item.get('name');
  const namespace = item.get('namespace') || defaults.namespace;
  const interfaceName = item.get('interface') || item.get('interfaceRequest') || defaults.interface;
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof interfaceName !== 'string') {
    return fail('InvalidRequest', 'name, namespace and interface of a network must be text');
  }
  const base = { name, namespace, interface: interfaceName };
  return checkNames(base) ?? checkInterface(base.interface) ?? readAddresses(item, base);
}

function readAddresses(item: Item, base: Selection): Result<Selection> {
  const [ips, mac] = [item.get('ips'), item.get('mac')];
  if (ips !== undefined && !isTextList(ips)) return fail('InvalidRequest', `${base.name}: ips must be a list of text`);
  if (mac !== undefined && typeof mac !== 'string') return fail('InvalidRequest', `${base.name}: mac must be text`);
  return succeed({
    ...base,
    ...(ips === undefined ? {} : { ips: ips.map((ip) => ip.split('/')[0] ?? ip) }),
    ...(mac === undefined || mac === '' ? {} : { mac }),
  });
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= 16 && value.every((item) => typeof item === 'string');
}

function checkNames({ namespace, name }: { namespace: string; name: string }) {
  if (SUBDOMAIN.test(name) && (namespace === '' || LABEL.test(namespace))) return undefined;
  return fail('InvalidRequest', `${JSON.stringify(`${namespace}/${name}`.slice(0, 100))} is not the name of a network`);
}

function checkInterface(name: string) {
  if (/^[A-Za-z0-9._-]{1,15}$/.test(name) && name !== '.' && name !== '..') return undefined;
  return fail('InvalidRequest', `${JSON.stringify(name.slice(0, 100))} is not an interface name`);
}
