import { ADOPT, KUBEVIRT_ADDRESSES, NICS_ANNOTATION, RELEASE_POLICY } from '../../api/annotations.ts';
import { isOpenBinding, parseBindingPolicy } from '../../api/binding.ts';
import { asFields, type Fields } from '../../api/fields.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { explainJson, isTextList, parseFields } from './json.ts';
import { combine, readKey } from './keys.ts';
import { parsePoolText } from './pool.ts';
import type { Wish, WishSource } from './types.ts';
import { parseFlag, parseGroups, parseIps, parseMacText, parseNameText, parsePolicy } from './values.ts';

/** What one object's annotations say in JSON, read once for all NICs. */
export type NicTable = {
  /** Wishes of `mooring.dev/nics` and `network.kubevirt.io/addresses` for a NIC. */
  readonly parseNic: (nic: string) => Result<Wish>[];
  /** Wishes for every NIC that says nothing of its own: release policy and adoption. */
  readonly common: Result<Wish>;
};

const KNOWN = ['subnet', 'ips', 'mac', 'pool', 'binding', 'securityGroups', 'releasePolicy'];
const MAX_NICS = 64;

/** Problem of everything in it: InvalidRequest, naming the object, the annotation and the NIC. */
export function readNicTable(source: WishSource): NicTable {
  const nics = readTable(source, NICS_ANNOTATION);
  const addresses = readTable(source, KUBEVIRT_ADDRESSES);
  return {
    parseNic: (nic) => [
      ...readEntry(nics, nic, parseEntry, `${source.from}: ${NICS_ANNOTATION}`),
      ...readEntry(addresses, nic, parseAddresses, `${source.from}: ${KUBEVIRT_ADDRESSES}`),
    ],
    common: readCommon(source),
  };
}

function readTable(source: WishSource, key: string): Result<Fields> {
  const text = readKey(source, key);
  const fields = text === undefined || text.trim() === '' ? new Map<string, unknown>() : parseFields(text);
  if (fields === undefined) {
    return fail('InvalidRequest', `${source.from}: ${key} is not a JSON object: ${explainJson(text ?? '')}`);
  }
  return fields.size > MAX_NICS
    ? fail('InvalidRequest', `${source.from}: ${key} names more than ${MAX_NICS} NICs`)
    : succeed(fields);
}

function readEntry(
  table: Result<Fields>,
  nic: string,
  parse: (value: unknown) => Result<Wish>,
  where: string,
): Result<Wish>[] {
  if (!table.ok) return [table];
  const value = table.value.get(nic);
  if (value === undefined) return [];
  const parsed = parse(value);
  return [parsed.ok ? parsed : fail(parsed.problem.reason, `${where}: ${quote(nic)}: ${parsed.problem.message}`)];
}

function parseAddresses(value: unknown): Result<Wish> {
  const ips = isTextList(value, 16) ? parseIps(value, { prefix: true }) : fail('InvalidRequest', 'not a list of text');
  if (!ips.ok) return ips;
  return succeed(ips.value.length === 0 ? {} : { ips: ips.value });
}

/** A key that is not known is refused: a misspelt `ip` would otherwise give some address without a word. */
function parseEntry(value: unknown): Result<Wish> {
  const fields = asFields(value);
  if (fields === undefined) return fail('InvalidRequest', 'not an object');
  const unknown = [...fields.keys()].find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) return fail('InvalidRequest', `${quote(unknown)} is not one of ${KNOWN.join(', ')}`);
  const ips = fields.get('ips');
  const groups = fields.get('securityGroups');
  const binding = readText(fields, 'binding', parseBindingPolicy);
  return combine({
    subnet: readText(fields, 'subnet', parseNameText),
    ips: ips === undefined ? succeed(undefined) : prefixProblem('ips', readIps(ips)),
    mac: readText(fields, 'mac', parseMacText),
    pool: readText(fields, 'pool', parsePoolText),
    binding: mapResult(binding, (policy) => (isOpenBinding(policy) ? undefined : policy)),
    openBinding: mapResult(binding, (policy) => (isOpenBinding(policy) ? policy : undefined)),
    releasePolicy: readText(fields, 'releasePolicy', parsePolicy),
    securityGroups: groups === undefined ? succeed(undefined) : prefixProblem('securityGroups', parseGroups(groups)),
  });
}

function mapResult<T, U>(result: Result<T | undefined>, map: (value: T) => U | undefined): Result<U | undefined> {
  return !result.ok || result.value === undefined ? (result as Result<undefined>) : succeed(map(result.value));
}

function readIps(value: unknown): Result<readonly string[] | undefined> {
  if (!isTextList(value, 2)) return fail('InvalidRequest', 'not a list of at most two addresses');
  return value.length === 0 ? succeed(undefined) : parseIps(value);
}

function readText<T>(
  fields: Fields,
  name: string,
  parse: (text: string) => Result<T | undefined>,
): Result<T | undefined> {
  const value = fields.get(name) ?? '';
  return prefixProblem(name, typeof value === 'string' ? parse(value) : fail('InvalidRequest', 'not text'));
}

function prefixProblem<T>(name: string, result: Result<T>): Result<T> {
  return result.ok ? result : fail(result.problem.reason, `${name}: ${result.problem.message}`);
}

function readCommon(source: WishSource): Result<Wish> {
  const read = <T>(key: string, parse: (text: string) => Result<T | undefined>) =>
    prefixProblem(`${source.from}: ${key}`, parse(readKey(source, key) ?? ''));
  return combine({ releasePolicy: read(RELEASE_POLICY, parsePolicy), adopt: read(ADOPT, parseFlag) });
}
