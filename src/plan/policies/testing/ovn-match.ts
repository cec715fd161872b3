import { containsAddress, parseAddress, parseCidr } from '../../../api/address.ts';
import type { PolicyRows } from '../plan.ts';

/** A packet as ACLs see it; ports are names of switch ports, absent where the other end is elsewhere. */
export type Packet = {
  readonly inport?: string;
  readonly outport?: string;
  readonly src: string;
  readonly dst: string;
  /** `icmp` has no ports. */
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port: number;
};

/** What the names in a match stand for. */
export type Sets = {
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Addresses of switch ports. */
  readonly ips: ReadonlyMap<string, readonly string[]>;
};

/**
 * Whether ACLs let the first packet of a connection pass in a direction: of those that match the highest priority
 * decides, and nothing keeps what none matches (ovn-nb(5), ACL).
 */
export function passes(
  rows: PolicyRows,
  direction: 'from-lport' | 'to-lport',
  packet: Packet,
  ips: Sets['ips'],
): boolean {
  const sets = { groups: rows.groups, ips };
  const hits = rows.acls.filter((acl) => acl.direction === direction && evaluateMatch(acl.match, packet, sets));
  const [first] = hits.toSorted((a, b) => b.priority - a.priority);
  return first?.action !== 'drop';
}

/** The part of OVN's language that our policies use, read by itself and not by what wrote it. Throws for anything else. */
export function evaluateMatch(text: string, packet: Packet, sets: Sets): boolean {
  const tokens = text.match(/&&|\|\||==|<=|[(){},]|[@$]?[\w.:/]+/g) ?? [];
  if (tokens.join('') !== text.replaceAll(' ', '')) throw new Error(`not understood: ${text}`);
  let at = 0;
  const next = (): string => tokens[at++] ?? '';
  const accept = (token: string): boolean => {
    if (tokens[at] !== token) return false;
    at += 1;
    return true;
  };
  const readOr = (): boolean => {
    let result = readAnd();
    while (accept('||')) result = readAnd() || result;
    return result;
  };
  const readAnd = (): boolean => {
    let result = readOne();
    while (accept('&&')) result = readOne() && result;
    return result;
  };
  const readOne = (): boolean => {
    if (accept('(')) {
      const result = readOr();
      if (!accept(')')) throw new Error(`no end of parentheses: ${text}`);
      return result;
    }
    const word = next();
    if (/^\d+$/.test(word)) return readRange(Number(word));
    return accept('==') ? isAmong(word, readValues(), packet, sets) : isProtocol(word, packet);
  };
  const readRange = (first: number): boolean => {
    if (!accept('<=')) throw new Error(`no range: ${text}`);
    const port = findPort(next(), packet);
    if (!accept('<=')) throw new Error(`no range: ${text}`);
    const last = Number(next());
    return port !== undefined && first <= port && port <= last;
  };
  const readValues = (): string[] => {
    if (!accept('{')) return [next()];
    const values = [next()];
    while (accept(',')) values.push(next());
    if (!accept('}')) throw new Error(`no end of a set: ${text}`);
    return values;
  };
  const result = readOr();
  if (at !== tokens.length) throw new Error(`something is left: ${text}`);
  return result;
}

const familyOf = ({ src }: Packet): 4 | 6 => (src.includes(':') ? 6 : 4);

function isProtocol(word: string, packet: Packet): boolean {
  if (word === 'ip') return true;
  if (word === 'ip4' || word === 'ip6') return word === `ip${familyOf(packet)}`;
  if (word === 'tcp' || word === 'udp' || word === 'sctp') return word === packet.protocol;
  throw new Error(`no such word: ${word}`);
}

/** Undefined for a packet of another protocol: a field brings what it needs (ovn-sb(5)). */
function findPort(field: string, packet: Packet): number | undefined {
  const [protocol, end] = field.split('.');
  if (end === 'src') return undefined;
  if (end !== 'dst' || !['tcp', 'udp', 'sctp'].includes(protocol ?? '')) throw new Error(`no port: ${field}`);
  return protocol === packet.protocol ? packet.port : undefined;
}

function isAmong(field: string, values: readonly string[], packet: Packet, sets: Sets): boolean {
  if (field === 'inport' || field === 'outport') {
    const port = packet[field];
    return port !== undefined && values.some((value) => sets.groups.get(value.slice(1))?.includes(port));
  }
  const address = /^ip([46])\.(src|dst)$/.exec(field);
  if (address === null) return values.some((value) => findPort(field, packet) === Number(value));
  if (Number(address[1]) !== familyOf(packet)) return false;
  const ip = address[2] === 'src' ? packet.src : packet.dst;
  return values.some((value) => hasAddress(value, ip, sets));
}

function hasAddress(value: string, ip: string, { groups, ips }: Sets): boolean {
  const set = /^\$(\w+)_ip[46]$/.exec(value);
  if (set !== null) return (groups.get(set[1] ?? '') ?? []).some((port) => ips.get(port)?.includes(ip));
  const address = parseAddress(ip);
  const cidr = parseCidr(value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`);
  if (address === undefined || cidr === undefined) throw new Error(`no address: ${value} or ${ip}`);
  return containsAddress(cidr, address);
}
