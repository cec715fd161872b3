import { parseAddress } from '../../api/address.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { MAX_TEXT } from './json.ts';
import type { PoolWish } from './types.ts';
import { parseIps, parseNameText, splitList } from './values.ts';

const MAX_CANDIDATES = 4096;

/**
 * `a,b,c`, dual stack `v4,v6;v4,v6`, or the name of an IPPool. Two entries of different families without a semicolon are
 * one pair, as with Kube-OVN.
 */
export function parsePoolText(text: string): Result<PoolWish | undefined> {
  if (text.length > MAX_TEXT) return fail('InvalidRequest', 'the list is too long');
  const groups = splitList(text, ';').map((group) => splitList(group, ','));
  const [first = []] = groups;
  if (first.length === 0) return succeed(undefined);
  const single = groups.length === 1 && first.length === 1 ? first[0] : undefined;
  if (single !== undefined && parseAddress(single) === undefined) return parsePoolName(single);
  return parseCandidates(text.includes(';') ? groups : splitSingles(first));
}

function parsePoolName(text: string): Result<PoolWish | undefined> {
  const name = parseNameText(text);
  if (!name.ok) return fail('InvalidRequest', `${quote(text)} is neither an address nor the name of an IPPool`);
  return succeed(name.value === undefined ? undefined : { kind: 'named', name: name.value });
}

function splitSingles(entries: readonly string[]): string[][] {
  const families = entries.map((entry) => parseAddress(entry)?.family);
  const isPair = entries.length === 2 && new Set(families).size === 2;
  return isPair ? [[...entries]] : entries.map((entry) => [entry]);
}

function parseCandidates(groups: readonly (readonly string[])[]): Result<PoolWish> {
  if (groups.length > MAX_CANDIDATES) return fail('InvalidRequest', `more than ${MAX_CANDIDATES} addresses`);
  const candidates: (readonly string[])[] = [];
  for (const group of groups) {
    const ips = parseIps(group);
    if (!ips.ok) return ips;
    candidates.push(ips.value);
  }
  const shapes = new Set(candidates.map((ips) => ips.map((ip) => (ip.includes(':') ? '6' : '4')).join('')));
  if (shapes.size > 1) {
    return fail('InvalidRequest', 'the entries differ in their families; write pairs as v4,v6;v4,v6');
  }
  const twice = findTwice(candidates.flat());
  return twice === undefined
    ? succeed({ kind: 'list', candidates })
    : fail('InvalidRequest', `${twice} is in the list twice`);
}

function findTwice(values: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return values.find((value) => seen.size === seen.add(value).size);
}
