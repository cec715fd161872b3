import { containsAddress, formatAddress, formatCidr, parseAddress, parseCidr, parseMac } from './address.ts';
import { GROUP } from './group.ts';

/**
 * Annotation on a Node, written by the operator and read by that node's agent: what the node's two gateway ports need
 * (DESIGN.md section 5). Its value is the JSON of a NodeNetwork.
 */
export const NODE_NETWORK_ANNOTATION = `${GROUP}/node-network`;

/**
 * First octet of the MACs that routers of VPCs other than the default one have on the join network. A node takes no new
 * connections from it; that rule stands before any such VPC does.
 */
export const VPC_MAC_PREFIX = '0e';

/**
 * The addresses of one node on the `join` switch, one of each family that the join network has, IPv4 first. All text is
 * canonical: formatNodeNetwork of equal content is equal.
 */
export type NodeNetwork = {
  /** Addresses of the port `node/<node>` with the prefix of the join network: `100.64.0.5/16`. */
  readonly nodeIps: readonly string[];
  readonly nodeMac: string;
  /** Addresses of the localport `gateway`, the same on every node, without prefix. */
  readonly gatewayIps: readonly string[];
  readonly gatewayMac: string;
  /** Addresses of the default VPC's router on `join`: next hops from the node to pods. */
  readonly routerIps: readonly string[];
  /** What is reached through that router. */
  readonly podCidrs: readonly string[];
  /** Sources that are masqueraded when they leave the node. */
  readonly masqueradeCidrs: readonly string[];
  /** Where the routers of the other VPCs are on `join`: next hops to those pods of theirs that run on this node. */
  readonly vpcs: readonly VpcRouter[];
  /** MTU of both ports, and of pods whose subnet names none, in bytes. */
  readonly mtu: number;
};

export type VpcRouter = { readonly name: string; readonly routerIps: readonly string[] };

/** An object's annotations have 256 KiB together. */
const MAX_TEXT = 200_000;
const MAX_CIDRS = 1024;
/** More VPCs than this cannot be told to a node. */
export const MAX_VPCS = 1000;
const MTU = { min: 576, max: 65_535 };

/** The annotation's value; keys in a fixed order. Throws TypeError for content that parseNodeNetwork would refuse. */
export function formatNodeNetwork(network: NodeNetwork): string {
  const text = JSON.stringify(network);
  const parsed = parseNodeNetwork(text);
  if (!parsed.ok) throw new TypeError(parsed.problem);
  return JSON.stringify({ ...parsed.network, ...formatSingular(parsed.network) });
}

/** The IPv4 half under its former names: during an upgrade agents from before IPv6 go on with it. */
function formatSingular({ nodeIps, gatewayIps, routerIps }: NodeNetwork): Record<string, string> {
  const [nodeIp, gatewayIp, routerIp] = [nodeIps, gatewayIps, routerIps].map((ips) => ips.find((ip) => !isV6(ip)));
  return nodeIp === undefined || gatewayIp === undefined || routerIp === undefined
    ? {}
    : { nodeIp, gatewayIp, routerIp };
}

export type ParsedNodeNetwork =
  | { readonly ok: true; readonly network: NodeNetwork }
  | { readonly ok: false; readonly problem: string };

/** Strict: a missing, malformed or contradictory field refuses the whole, and `problem` names it. Unknown keys are ignored. */
export function parseNodeNetwork(text: string): ParsedNodeNetwork {
  try {
    const network = readFields(parseObject(text));
    checkAddresses(network);
    return { ok: true, network };
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, problem: `${NODE_NETWORK_ANNOTATION}: ${error.message}` };
    throw error;
  }
}

class FieldError extends Error {}

function parseObject(text: string): Fields {
  if (text.length > MAX_TEXT) throw new FieldError('longer than 200000 characters');
  const raw = parseJson(text);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw new FieldError('not an object');
  return new Map(Object.entries(raw));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FieldError('not JSON');
  }
}

type Fields = ReadonlyMap<string, unknown>;

function readFields(fields: Fields): NodeNetwork {
  return {
    nodeIps: readPair(fields, 'nodeIps', 'addresses with prefix', readInterfaceAddress),
    nodeMac: read(fields, 'nodeMac', 'a unicast MAC', (value) => asText(value, parseMac)),
    gatewayIps: readPair(fields, 'gatewayIps', 'addresses', readAddress),
    gatewayMac: read(fields, 'gatewayMac', 'a unicast MAC', (value) => asText(value, parseMac)),
    routerIps: readPair(fields, 'routerIps', 'addresses', readAddress),
    podCidrs: read(fields, 'podCidrs', 'a list of CIDRs', readCidrs),
    masqueradeCidrs: read(fields, 'masqueradeCidrs', 'a list of CIDRs', readCidrs),
    vpcs: read(fields, 'vpcs', 'a list of VPCs with the addresses of their routers', readVpcs),
    mtu: read(fields, 'mtu', 'a number from 576 to 65535', readMtu),
  };
}

/** One value of each family, IPv4 first. Before there was IPv6 the field's name was in the singular, its value one text. */
function readPair(
  fields: Fields,
  name: string,
  what: string,
  reader: (value: unknown) => string | undefined,
): readonly string[] {
  return read(fields, name, `a list of ${what}, one of a family`, (value) =>
    readFamilies(value ?? [fields.get(name.slice(0, -1))], reader),
  );
}

function readFamilies(value: unknown, reader: (value: unknown) => string | undefined): string[] | undefined {
  if (!Array.isArray(value) || value.length < 1 || value.length > 2) return undefined;
  const texts = value.flatMap((item: unknown) => reader(item) ?? []);
  const isGood = texts.length === value.length && new Set(texts.map(isV6)).size === texts.length;
  return isGood ? texts.sort((a, b) => Number(isV6(a)) - Number(isV6(b))) : undefined;
}

const isV6 = (text: string): boolean => text.includes(':');

function readVpcs(value: unknown): VpcRouter[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_VPCS) return undefined;
  const vpcs = value.flatMap((item: unknown) => readVpc(item) ?? []);
  const isGood = vpcs.length === value.length && new Set(vpcs.map(({ name }) => name)).size === vpcs.length;
  return isGood ? vpcs : undefined;
}

function readVpc(value: unknown): VpcRouter | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Fields = new Map(Object.entries(value));
  const name = fields.get('name');
  const routerIps = readFamilies(fields.get('routerIps'), readAddress);
  if (typeof name !== 'string' || name === '' || name.length > 253 || routerIps === undefined) return undefined;
  return { name, routerIps };
}

function read<T>(fields: Fields, name: string, what: string, reader: (value: unknown) => T | undefined): T {
  const value = reader(fields.get(name));
  if (value === undefined) throw new FieldError(`${name} is not ${what}`);
  return value;
}

function asText(value: unknown, parse: (text: string) => string | undefined): string | undefined {
  return typeof value === 'string' ? parse(value) : undefined;
}

function readAddress(value: unknown): string | undefined {
  return asText(value, (text) => {
    const address = parseAddress(text);
    return address && formatAddress(address);
  });
}

function readInterfaceAddress(value: unknown): string | undefined {
  return asText(value, (text) => {
    const cidr = parseCidr(text);
    return cidr && `${formatAddress({ family: cidr.family, value: cidr.address })}/${cidr.prefix}`;
  });
}

function readCidrs(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_CIDRS) return undefined;
  const cidrs = value.map((item: unknown) => (typeof item === 'string' ? parseCidr(item) : undefined));
  const texts = cidrs.flatMap((cidr) => (cidr === undefined || cidr.hostBits ? [] : [formatCidr(cidr)]));
  return texts.length === value.length ? texts : undefined;
}

function readMtu(value: unknown): number | undefined {
  const good = typeof value === 'number' && Number.isInteger(value) && value >= MTU.min && value <= MTU.max;
  return good ? value : undefined;
}

/** Everything is in the network of the node's own address, and no two of the node's own world are the same. */
function checkAddresses(network: NodeNetwork): void {
  const joins = network.nodeIps.flatMap((text) => parseCidr(text) ?? []);
  const check = (field: string, ips: readonly string[]) => {
    for (const ip of ips) {
      const address = parseAddress(ip);
      const inside = address !== undefined && joins.some((join) => containsAddress(join, address));
      if (!inside) throw new FieldError(`${field} is not in the network of nodeIps`);
    }
  };
  for (const field of ['gatewayIps', 'routerIps'] as const) {
    if (network[field].length !== joins.length) throw new FieldError(`${field} has other families than nodeIps`);
    check(field, network[field]);
  }
  for (const { name, routerIps } of network.vpcs) check(`routerIps of VPC ${name}`, routerIps);
  const nodes = network.nodeIps.map((ip) => ip.slice(0, ip.indexOf('/')));
  const all = [...nodes, ...network.gatewayIps, ...network.routerIps];
  if (new Set(all).size !== all.length) throw new FieldError('nodeIps, gatewayIps and routerIps must all differ');
}
