import { formatAddress, formatCidr, parseAddress, parseCidr, parseMac } from './address.ts';
import { NETWORK_CONFIG } from './annotations.ts';
import { asFields, type Fields } from './fields.ts';

/**
 * What the NICs of one guest have, for a guest that is configured without DHCP: the value of the annotation
 * `mooring.dev/network-config` on a VMI, which the operator writes before the launcher runs. The hook sidecar, which has
 * no access to the API, reads it from the VMI that KubeVirt hands to it. A tenant may write it, too: it says only what the
 * tenant's own guest believes, and port security holds whatever a guest believes.
 */
export type NetworkConfig = { readonly nics: readonly NicConfig[] };

/** One NIC. All addresses are canonical text. */
export type NicConfig = {
  /** The VM's name of the NIC. */
  readonly name: string;
  readonly mac: string;
  /** With the prefix of the subnet, one of a family, IPv4 first: `10.1.0.5/24`. */
  readonly ips: readonly string[];
  /** One of a family at most; without one there is no way out of the subnet in that family. */
  readonly gateways: readonly string[];
  readonly dns: readonly string[];
  readonly search: readonly string[];
  readonly routes: readonly NicRoute[];
  /** Bytes. */
  readonly mtu?: number;
};

export type NicRoute = { readonly dst: string; readonly gw: string };

export type ParsedNetworkConfig =
  | { readonly ok: true; readonly config: NetworkConfig }
  | { readonly ok: false; readonly problem: string };

/** Of the form; a reader refuses every other one. */
const VERSION = 1;
const MAX_TEXT = 65_536;
const LIMITS = { nics: 64, dns: 8, search: 16, routes: 64 } as const;
const MTU = { min: 576, max: 65_535 };
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const LABEL = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`);

/** The annotation's value; equal content gives equal text. Throws TypeError for what parseNetworkConfig would refuse. */
export function formatNetworkConfig(config: NetworkConfig): string {
  const parsed = parseNetworkConfig(JSON.stringify({ version: VERSION, ...config }));
  if (!parsed.ok) throw new TypeError(parsed.problem);
  return JSON.stringify({ version: VERSION, nics: parsed.config.nics });
}

/** Strict: what is missing, malformed or contradictory refuses the whole, and `problem` names it. Unknown keys are ignored. */
export function parseNetworkConfig(text: string): ParsedNetworkConfig {
  try {
    return { ok: true, config: readConfig(text) };
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, problem: `${NETWORK_CONFIG}: ${error.message}` };
    throw error;
  }
}

class FieldError extends Error {}

function readConfig(text: string): NetworkConfig {
  if (text.length > MAX_TEXT) throw new FieldError(`longer than ${MAX_TEXT} characters`);
  const fields = getFields(parseJson(text), 'it');
  if (fields.get('version') !== VERSION) throw new FieldError(`version is not ${VERSION}`);
  const nics = readList(fields, 'nics', LIMITS.nics).map(readNic);
  for (const key of ['name', 'mac'] as const) {
    if (new Set(nics.map((nic) => nic[key])).size !== nics.length) throw new FieldError(`two NICs have one ${key}`);
  }
  return { nics };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FieldError('not JSON');
  }
}

function getFields(value: unknown, what: string): Fields {
  const fields = asFields(value);
  if (fields === undefined) throw new FieldError(`${what} is not an object`);
  return fields;
}

function readNic(value: unknown, index: number): NicConfig {
  const fields = getFields(value, `NIC ${index}`);
  const name = readText(fields, 'name', (text) => (NAME.test(text) ? text : undefined));
  try {
    return readNicFields(fields, name);
  } catch (error) {
    throw error instanceof FieldError ? new FieldError(`NIC ${name}: ${error.message}`) : error;
  }
}

function readNicFields(fields: Fields, name: string): NicConfig {
  const ips = readTexts(fields, 'ips', 2, parseInterfaceAddress);
  const gateways = readTexts(fields, 'gateways', 2, parseIp);
  const families = new Set(checkFamilies(ips, 'ips').map(isV6));
  for (const gateway of checkFamilies(gateways, 'gateways')) checkFamily(gateway, families, 'gateways');
  const routes = readList(fields, 'routes', LIMITS.routes).map(readRoute);
  for (const { gw } of routes) checkFamily(gw, families, 'routes');
  return {
    name,
    mac: readText(fields, 'mac', parseMac),
    ips,
    gateways,
    dns: readTexts(fields, 'dns', LIMITS.dns, parseIp),
    search: readTexts(fields, 'search', LIMITS.search, (text) => (DOMAIN.test(text) ? text : undefined)),
    routes,
    ...readMtu(fields.get('mtu')),
  };
}

const isV6 = (text: string): boolean => text.includes(':');

function checkFamily(address: string, families: ReadonlySet<boolean>, field: string): void {
  if (!families.has(isV6(address))) throw new FieldError(`${field}: ${address} is of a family that ips has not`);
}

/** At most one of a family, IPv4 first, so that equal content is equal text. */
function checkFamilies(texts: readonly string[], field: string): readonly string[] {
  const order = texts.map((text) => Number(isV6(text)));
  if (order.length === 2 && order.join() !== '0,1') throw new FieldError(`${field} is not one IPv4, one IPv6`);
  return texts;
}

function readText(fields: Fields, name: string, parse: (text: string) => string | undefined): string {
  const value = fields.get(name);
  const parsed = typeof value === 'string' ? parse(value) : undefined;
  if (parsed === undefined) throw new FieldError(`${name} is missing or not valid`);
  return parsed;
}

function readList(fields: Fields, name: string, max: number): readonly unknown[] {
  const value = fields.get(name);
  if (!Array.isArray(value) || value.length > max) throw new FieldError(`${name} is not a list of at most ${max}`);
  return value;
}

function readTexts(
  fields: Fields,
  name: string,
  max: number,
  parse: (text: string) => string | undefined,
): readonly string[] {
  return readList(fields, name, max).map((value, index) => {
    const parsed = typeof value === 'string' ? parse(value) : undefined;
    if (parsed === undefined) throw new FieldError(`${name}[${index}] is not valid`);
    return parsed;
  });
}

function parseIp(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

function parseInterfaceAddress(text: string): string | undefined {
  const cidr = parseCidr(text);
  return cidr && `${formatAddress({ family: cidr.family, value: cidr.address })}/${cidr.prefix}`;
}

function readRoute(value: unknown): NicRoute {
  const fields = getFields(value, 'a route');
  const gw = readText(fields, 'gw', parseIp);
  const dst = readText(fields, 'dst', (text) => {
    const cidr = parseCidr(text);
    return cidr === undefined || cidr.hostBits ? undefined : formatCidr(cidr);
  });
  if (isV6(dst) !== isV6(gw)) throw new FieldError(`routes: ${dst} via ${gw} mixes the families`);
  return { dst, gw };
}

function readMtu(value: unknown): { readonly mtu?: number } {
  if (value === undefined) return {};
  const isGood = typeof value === 'number' && Number.isInteger(value) && value >= MTU.min && value <= MTU.max;
  if (!isGood) throw new FieldError(`mtu is not a number from ${MTU.min} to ${MTU.max}`);
  return { mtu: value };
}
