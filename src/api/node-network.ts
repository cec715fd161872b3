import { containsAddress, formatAddress, formatCidr, parseAddress, parseCidr, parseMac } from './address.ts';
import { GROUP } from './group.ts';

/**
 * Annotation on a Node, written by the operator and read by that node's agent: what the node's two gateway ports need
 * (DESIGN.md section 5). Its value is the JSON of a NodeNetwork.
 */
export const NODE_NETWORK_ANNOTATION = `${GROUP}/node-network`;

/** The addresses of one node on the `join` switch. All text is canonical: formatNodeNetwork of equal content is equal. */
export type NodeNetwork = {
  /** Address of the port `node/<node>` with the prefix of the join network: `100.64.0.5/16`. */
  readonly nodeIp: string;
  readonly nodeMac: string;
  /** Address of the localport `gateway`, the same on every node, without prefix. */
  readonly gatewayIp: string;
  readonly gatewayMac: string;
  /** Address of the router on `join`: next hop from the node to pods. */
  readonly routerIp: string;
  /** What is reached through the router. */
  readonly podCidrs: readonly string[];
  /** Sources that are masqueraded when they leave the node. */
  readonly masqueradeCidrs: readonly string[];
  /** MTU of both ports, in bytes. */
  readonly mtu: number;
};

const MAX_TEXT = 65_536;
const MAX_CIDRS = 1024;
const MTU = { min: 576, max: 65_535 };

/** The annotation's value; keys in a fixed order. Throws TypeError for content that parseNodeNetwork would refuse. */
export function formatNodeNetwork(network: NodeNetwork): string {
  const text = JSON.stringify(network);
  const parsed = parseNodeNetwork(text);
  if (!parsed.ok) throw new TypeError(parsed.problem);
  return JSON.stringify(parsed.network);
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
  if (text.length > MAX_TEXT) throw new FieldError('longer than 64 KiB');
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
    nodeIp: read(fields, 'nodeIp', 'an address with prefix', readInterfaceAddress),
    nodeMac: read(fields, 'nodeMac', 'a unicast MAC', (value) => asText(value, parseMac)),
    gatewayIp: read(fields, 'gatewayIp', 'an address', readAddress),
    gatewayMac: read(fields, 'gatewayMac', 'a unicast MAC', (value) => asText(value, parseMac)),
    routerIp: read(fields, 'routerIp', 'an address', readAddress),
    podCidrs: read(fields, 'podCidrs', 'a list of CIDRs', readCidrs),
    masqueradeCidrs: read(fields, 'masqueradeCidrs', 'a list of CIDRs', readCidrs),
    mtu: read(fields, 'mtu', 'a number from 576 to 65535', readMtu),
  };
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

function checkAddresses(network: NodeNetwork): void {
  const join = parseCidr(network.nodeIp);
  for (const field of ['gatewayIp', 'routerIp'] as const) {
    const address = parseAddress(network[field]);
    const inside = join !== undefined && address !== undefined && containsAddress(join, address);
    if (!inside) throw new FieldError(`${field} is not in the network of nodeIp`);
  }
  const node = network.nodeIp.slice(0, network.nodeIp.indexOf('/'));
  const distinct = new Set([node, network.gatewayIp, network.routerIp]).size === 3;
  if (!distinct) throw new FieldError('nodeIp, gatewayIp and routerIp must be three addresses');
}
