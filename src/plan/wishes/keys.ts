import { IP_ADDRESS, IP_POOL, LOGICAL_SWITCH, MAC_ADDRESS, PRIMARY_PREFIX, ROUTES } from '../../api/annotations.ts';
import { fail, type Problem, type Result, succeed } from '../../api/problem.ts';
import { parsePoolText } from './pool.ts';
import { parseRoutesText } from './route.ts';
import type { Wish, WishSource } from './types.ts';
import { parseIpText, parseMacText, parseNameText } from './values.ts';

/** What decides which of Kube-OVN's keys speak for a NIC. */
export type NicKeys = {
  readonly nic: string;
  readonly interface: string;
  readonly nad?: {
    readonly namespace: string;
    readonly name: string;
    /** `ours`: our NIC; `ipam`: another plugin's with our address; `none`: nothing of it is ours. */
    readonly kind: 'ours' | 'ipam' | 'none';
    /** Another NIC of the same owner is on this NAD. */
    readonly shared: boolean;
    /** The NAD is the way to our primary network, so the primary network's keys speak for its NIC, too. */
    readonly primaryKeys: boolean;
  };
};

type Prefixes = {
  /** Keys that speak for the NIC. */
  readonly own: readonly string[];
  /** Among them those that speak for every NIC of the NAD. */
  readonly shared: readonly string[];
  /** Keys that somebody may have meant for it, each with the one that applies or why none does. */
  readonly wrong: readonly (readonly [string, string])[];
};

const KEYS = [IP_ADDRESS, MAC_ADDRESS, IP_POOL, LOGICAL_SWITCH, ROUTES];
const SUFFIX = 'kubernetes.io/';

/** The keys of the grammar that one object has, by prefix. Found once, as few objects have any and many NICs ask. */
export type KeyTable = { readonly from: string; readonly byPrefix: ReadonlyMap<string, ReadonlyMap<string, string>> };

/** Reads the annotations of one object; blank values are absence. */
export function readKeyTable({ from, annotations }: WishSource): KeyTable {
  const byPrefix = new Map<string, Map<string, string>>();
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const cut = key.indexOf('/') + 1;
    const [prefix, name] = [key.slice(0, cut), key.slice(cut)];
    if (!prefix.endsWith(SUFFIX) || !KEYS.includes(name) || !isText(value)) continue;
    byPrefix.set(prefix, (byPrefix.get(prefix) ?? new Map<string, string>()).set(name, value));
  }
  return { from, byPrefix };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';

/** The value of a key of the object's own; text that a prototype may have means nothing. */
export function readKey({ annotations }: WishSource, key: string): string | undefined {
  const value: unknown = annotations && Object.hasOwn(annotations, key) ? annotations[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function listPrefixes({ nad, nic, interface: name }: NicKeys): Prefixes {
  if (nad === undefined) return { own: [PRIMARY_PREFIX], shared: [], wrong: [] };
  const base = `${nad.name}.${nad.namespace}.`;
  const [ours, others] = [`${base}${PRIMARY_PREFIX}`, `${base}${SUFFIX}`];
  if (nad.kind === 'none') {
    const why = `has no effect: NetworkAttachmentDefinition ${nad.namespace}/${nad.name} has neither our type nor our ipam.type`;
    return { own: [], shared: [], wrong: [ours, others].map((prefix) => [prefix, why] as const) };
  }
  const isOurs = nad.kind === 'ours';
  const right = isOurs ? ours : others;
  const narrow = [...new Set([name, nic])].filter((part) => isOurs || part !== 'ovn');
  const wrongSpelling = isOurs ? `is for NICs of other plugins; use ${ours}` : `is for our NICs; use ${others}`;
  const replaced = name === 'eth0' && !nad.primaryKeys;
  return {
    own: [
      right,
      ...narrow.map((part) => `${base}${isOurs ? 'ovn.' : ''}${part}.${SUFFIX}`),
      ...(nad.primaryKeys ? [PRIMARY_PREFIX] : []),
    ],
    shared: [right, PRIMARY_PREFIX],
    wrong: [
      [isOurs ? others : ours, wrongSpelling],
      ...(replaced ? [[PRIMARY_PREFIX, `is for the primary network, which is replaced; use ${right}`] as const] : []),
    ],
  };
}

/**
 * What Kube-OVN's keys on one object ask for a NIC (USAGE.md's table), one wish per prefix. Problems: InvalidRequest for
 * a value that cannot be understood or that two NICs would share; RequestDisagreement for a key that does not apply.
 */
export function parseKeys(keys: NicKeys, table: KeyTable): Result<Wish>[] {
  if (table.byPrefix.size === 0) return [];
  const prefixes = listPrefixes(keys);
  const misplaced = findMisplaced(prefixes, table);
  if (misplaced !== undefined) return [{ ok: false, problem: misplaced }];
  return prefixes.own.flatMap((prefix) => {
    const values = table.byPrefix.get(prefix);
    if (values === undefined) return [];
    const isShared = keys.nad?.shared === true && prefixes.shared.includes(prefix);
    const fixed = [IP_ADDRESS, MAC_ADDRESS].find((key) => values.has(key));
    return isShared && fixed !== undefined
      ? fail('InvalidRequest', `${table.from}: ${prefix}${fixed} speaks for two NICs; ${sayNarrow(keys)}`)
      : parseValues(values, `${table.from}: ${prefix}`);
  });
}

function sayNarrow({ nad, interface: name }: NicKeys): string {
  const middle = nad?.kind === 'ours' ? 'ovn.' : '';
  return `use ${nad?.name}.${nad?.namespace}.${middle}${name}.${SUFFIX} for this one, or mooring.dev/nics`;
}

function findMisplaced({ wrong }: Prefixes, { from, byPrefix }: KeyTable): Problem | undefined {
  for (const [prefix, why] of wrong) {
    const [key] = byPrefix.get(prefix)?.keys() ?? [];
    if (key === undefined) continue;
    const way = why.endsWith('/') ? why + key : why;
    return { reason: 'RequestDisagreement', message: `${from}: ${prefix}${key} ${way}` };
  }
  return undefined;
}

function parseValues(values: ReadonlyMap<string, string>, where: string): Result<Wish> {
  const read = <T>(key: string, parse: (text: string) => Result<T | undefined>): Result<T | undefined> => {
    const parsed = parse(values.get(key) ?? '');
    return parsed.ok ? parsed : fail(parsed.problem.reason, `${where}${key}: ${parsed.problem.message}`);
  };
  return combine({
    subnet: read(LOGICAL_SWITCH, parseNameText),
    ips: read(IP_ADDRESS, parseIpText),
    mac: read(MAC_ADDRESS, parseMacText),
    pool: read(IP_POOL, parsePoolText),
    routes: read(ROUTES, parseRoutesText),
  });
}

/** A wish of those fields that were asked for; the first problem if there is one. */
export function combine(fields: { readonly [K in keyof Wish]: Result<Wish[K] | undefined> }): Result<Wish> {
  const wish = new Map<string, unknown>();
  for (const [name, field] of Object.entries(fields)) {
    if (!field.ok) return field;
    if (field.value !== undefined) wish.set(name, field.value);
  }
  return succeed(Object.fromEntries(wish) as Wish);
}
