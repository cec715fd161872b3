import { parseMac } from '../api/address.ts';
import {
  IP_ADDRESS,
  IP_POOL,
  LOGICAL_SWITCH,
  MAC_ADDRESS,
  NICS_ANNOTATION,
  PRIMARY_PREFIX,
} from '../api/annotations.ts';
import { fail, type Problem, type Result, succeed } from '../api/problem.ts';

/** What somebody asks for one NIC. */
export type Wish = { readonly subnet?: string; readonly ips?: readonly string[]; readonly mac?: string };

/** Annotations of one object that speaks for the NIC, with the name to use in messages. */
export type WishSource = { readonly from: string; readonly annotations: Readonly<Record<string, string>> | undefined };

/** Which keys apply to a NIC: the primary one's, or those of its NAD. */
export type WishKeys = { readonly nic: string; readonly nad?: { readonly namespace: string; readonly name: string } };

const MAX_TEXT = 65_536;

const read = (source: WishSource, key: string): string | undefined =>
  source.annotations !== undefined && Object.hasOwn(source.annotations, key) ? source.annotations[key] : undefined;

/**
 * What the annotations ask for a NIC. Problems: InvalidRequest for what cannot be understood or is not supported yet,
 * RequestDisagreement for two sources, or two spellings of a key, that want different things.
 */
export function parseWishes(keys: WishKeys, sources: readonly WishSource[], more: readonly Named[] = []): Result<Wish> {
  const wishes: Named[] = [...more];
  for (const source of sources) {
    for (const parsed of [parseAnnotations(keys, source), parseNicsAnnotation(keys, source)]) {
      if (!parsed.ok) return parsed;
      wishes.push({ from: source.from, wish: parsed.value });
    }
  }
  return mergeWishes(keys.nic, wishes);
}

/** A wish and who has it. */
export type Named = { readonly from: string; readonly wish: Wish };

function mergeWishes(nic: string, wishes: readonly Named[]): Result<Wish> {
  const merged: { subnet?: string; ips?: readonly string[]; mac?: string } = {};
  for (const { from, wish } of wishes) {
    const problem =
      findDisagreement(nic, from, [merged.subnet, wish.subnet]) ??
      findDisagreement(nic, from, [merged.ips?.toSorted().join(','), wish.ips?.toSorted().join(',')]) ??
      findDisagreement(nic, from, [normalizeMac(merged.mac), normalizeMac(wish.mac)]);
    if (problem !== undefined) return { ok: false, problem };
    Object.assign(merged, wish);
  }
  return succeed(merged);
}

const normalizeMac = (mac: string | undefined): string | undefined =>
  mac === undefined ? undefined : (parseMac(mac) ?? mac);

function findDisagreement(nic: string, from: string, [a, b]: readonly (string | undefined)[]): Problem | undefined {
  if (a === undefined || b === undefined || a === b) return undefined;
  const [left, right] = [a, b].map((text) => text.slice(0, 100));
  return {
    reason: 'RequestDisagreement',
    message: `NIC ${nic}: ${from} asks for ${right}, another source for ${left}`,
  };
}

function parseAnnotations(keys: WishKeys, source: WishSource): Result<Wish> {
  const prefix = formatPrefix(keys);
  const other = keys.nad === undefined ? undefined : `${keys.nad.name}.${keys.nad.namespace}.kubernetes.io/`;
  const wrong = [IP_ADDRESS, MAC_ADDRESS, IP_POOL, LOGICAL_SWITCH].find(
    (key) => other !== undefined && read(source, other + key) !== undefined,
  );
  if (wrong !== undefined) {
    return fail(
      'RequestDisagreement',
      `${source.from}: ${other}${wrong} is for NICs of other plugins; use ${prefix}${wrong}`,
    );
  }
  if (read(source, prefix + IP_POOL) !== undefined) {
    return fail('InvalidRequest', `${source.from}: ${prefix}${IP_POOL} is not supported yet`);
  }
  return succeed(
    compact({
      subnet: read(source, prefix + LOGICAL_SWITCH)?.trim() || undefined,
      ips: parseList(read(source, prefix + IP_ADDRESS)),
      mac: read(source, prefix + MAC_ADDRESS)?.trim() || undefined,
    }),
  );
}

function formatPrefix({ nad }: WishKeys): string {
  return nad === undefined ? PRIMARY_PREFIX : `${nad.name}.${nad.namespace}.${PRIMARY_PREFIX}`;
}

function parseList(text: string | undefined): string[] | undefined {
  const parts = (text ?? '')
    .slice(0, 1024)
    .split(',')
    .flatMap((part) => part.trim() || []);
  return parts.length === 0 ? undefined : parts;
}

function compact(wish: { [K in keyof Wish]: Wish[K] | undefined }): Wish {
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined)) as Wish;
}

function parseNicsAnnotation({ nic }: WishKeys, source: WishSource): Result<Wish> {
  const text = read(source, NICS_ANNOTATION);
  if (text === undefined) return succeed({});
  const nics = text.length > MAX_TEXT ? undefined : parseObject(text);
  if (nics === undefined) return fail('InvalidRequest', `${source.from}: ${NICS_ANNOTATION} is not a JSON object`);
  const entry = nics.get(nic);
  if (entry === undefined) return succeed({});
  const fields = asFields(entry);
  if (fields === undefined)
    return fail('InvalidRequest', `${source.from}: ${NICS_ANNOTATION}: ${nic} is not an object`);
  return readFields(fields, `${source.from}: ${NICS_ANNOTATION}: ${nic}`);
}

function readFields(fields: ReadonlyMap<string, unknown>, where: string): Result<Wish> {
  const [subnet, ips, mac] = ['subnet', 'ips', 'mac'].map((name) => fields.get(name));
  if (subnet !== undefined && typeof subnet !== 'string') return fail('InvalidRequest', `${where}.subnet is not text`);
  if (mac !== undefined && typeof mac !== 'string') return fail('InvalidRequest', `${where}.mac is not text`);
  const isList = Array.isArray(ips) && ips.length <= 2 && ips.every((ip) => typeof ip === 'string');
  if (ips !== undefined && !isList)
    return fail('InvalidRequest', `${where}.ips is not a list of at most two addresses`);
  return succeed(compact({ subnet, ips: ips as string[] | undefined, mac }));
}

function parseObject(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    return asFields(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asFields(value: unknown): ReadonlyMap<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}
