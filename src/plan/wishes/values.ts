import { formatAddress, parseAddress, parseCidr, parseMac } from '../../api/address.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { isTextList, MAX_TEXT } from './json.ts';
import type { ReleasePolicy } from './types.ts';

const MAX_GROUPS = 32;
const LABELS = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const POLICIES: readonly ReleasePolicy[] = ['WithOwner', 'Retain', 'OnStop'];

/** A name as Kubernetes has it (RFC 1123 subdomain). */
export const isObjectName = (text: string): boolean => text.length <= 253 && LABELS.test(text);

/** One address per family, IPv4 first, in canonical text. `prefix` allows, and drops, a prefix length. */
export function parseIps(texts: readonly string[], { prefix = false } = {}): Result<readonly string[]> {
  if (texts.length > 2)
    return fail('InvalidRequest', `${texts.length} addresses; a NIC has at most one of each family`);
  const addresses = texts.map((text) => parseAddress(text.trim()) ?? (prefix ? parsePrefixed(text.trim()) : undefined));
  const bad = texts[addresses.indexOf(undefined)];
  if (bad !== undefined) return fail('InvalidRequest', `${quote(bad)} is not an IP address`);
  const sorted = addresses.flatMap((address) => address ?? []).toSorted((a, b) => a.family - b.family);
  return new Set(sorted.map(({ family }) => family)).size === sorted.length
    ? succeed(sorted.map(formatAddress))
    : fail('InvalidRequest', `two addresses of one family: ${texts.map(quote).join(', ')}`);
}

function parsePrefixed(text: string) {
  const cidr = parseCidr(text);
  return cidr && { family: cidr.family, value: cidr.address };
}

/** `10.16.0.15` or `10.16.0.15,fd00::15`; undefined for blanks. */
export function parseIpText(text: string): Result<readonly string[] | undefined> {
  const parts = text.length > MAX_TEXT ? undefined : splitList(text, ',');
  if (parts === undefined) return fail('InvalidRequest', 'the text is too long');
  return parts.length === 0 ? succeed(undefined) : parseIps(parts);
}

/** The parts that are not blank, trimmed. */
export const splitList = (text: string, separator: string): string[] =>
  text.split(separator).flatMap((part) => part.trim() || []);

/** A unicast MAC in lower case; undefined for blanks. */
export function parseMacText(text: string): Result<string | undefined> {
  if (text.trim() === '') return succeed(undefined);
  const mac = parseMac(text.trim());
  return mac === undefined ? fail('InvalidRequest', `${quote(text)} is not a unicast MAC`) : succeed(mac);
}

/** The name of one of our objects; undefined for blanks. */
export function parseNameText(text: string): Result<string | undefined> {
  const name = text.trim();
  if (name === '') return succeed(undefined);
  return isObjectName(name) ? succeed(name) : fail('InvalidRequest', `${quote(name)} is not the name of an object`);
}

export function parsePolicy(text: string): Result<ReleasePolicy | undefined> {
  return parseChoice(text, POLICIES);
}

export function parseFlag(text: string): Result<boolean | undefined> {
  const choice = parseChoice(text, ['true', 'false']);
  return choice.ok ? succeed(choice.value && choice.value === 'true') : choice;
}

function parseChoice<T extends string>(text: string, choices: readonly T[]): Result<T | undefined> {
  if (text.trim() === '') return succeed(undefined);
  const found = choices.find((choice) => choice === text.trim());
  return found === undefined
    ? fail('InvalidRequest', `${quote(text)} is not one of ${choices.join(', ')}`)
    : succeed(found);
}

/** Names of security groups, ascending, each once. */
export function parseGroups(value: unknown): Result<readonly string[]> {
  if (!isTextList(value, MAX_GROUPS) || !value.every((name) => isObjectName(name))) {
    return fail('InvalidRequest', `not a list of at most ${MAX_GROUPS} names`);
  }
  return succeed([...new Set(value)].sort());
}
