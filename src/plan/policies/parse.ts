import { type Cidr, parseCidr } from '../../api/address.ts';
import { asFields, type Fields } from '../../api/fields.ts';
import type { NetworkPolicy } from '../../api/objects.ts';
import type { Problem, Result } from '../../api/problem.ts';
import { quote } from '../../ipam/ranges.ts';
import { subtractCidrs } from '../cidrs.ts';
import { isProtocol } from './endpoints.ts';
import type { GroupSpec, Protocol } from './groups.ts';
import { ANYTHING, parseSelector, type Selector } from './selectors.ts';

export type Side = 'ingress' | 'egress';

/** Ports of one protocol: from the first to the last, or those that a pod gives the name. */
export type PortRule =
  | { readonly protocol: Protocol; readonly first: number; readonly last: number }
  | { readonly protocol: Protocol; readonly name: string };

/** Whom a rule lets in or out: pods, or networks of one family, which are an ipBlock without its exceptions. */
export type Peer = { readonly pods: GroupSpec } | { readonly cidrs: readonly Cidr[] };

/** `all` where the policy leaves it out; an empty list is what remains when nothing of it can be read: nobody. */
export type Rule = { readonly peers: readonly Peer[] | 'all'; readonly ports: readonly PortRule[] | 'all' };

/** A NetworkPolicy as it was understood. */
export type ParsedPolicy = {
  readonly pods: GroupSpec;
  /** The rules of a direction in which the pods are isolated; undefined for one in which they are not. */
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
  readonly problems: readonly Problem[];
};

export const FIRST_PORT = 1;
export const LAST_PORT = 65_535;
const MAX = { rules: 256, peers: 512, ports: 256, except: 64, problems: 8, pieces: 4096 };
/** Of IANA_SVC_NAME only the alphabet and the length. */
const PORT_NAME = /^[A-Za-z0-9-]{1,15}$/;

/** What was wrong on the way, and how many networks may still come out of blocks with exceptions. */
type Notes = { readonly problems: Problem[]; piecesLeft: number };

/** Where in the object something is. */
type Place = { readonly where: string; readonly namespace: string; readonly notes: Notes };

/**
 * Reads a NetworkPolicy (networking.k8s.io/v1, field documentation of its types). What cannot be read lets nobody in or
 * out, isolates all the same, and is a problem InvalidNetworkPolicy: with a selector that cannot be read the policy is
 * for every pod of its namespace.
 */
export function parsePolicy({ metadata, spec }: NetworkPolicy): ParsedPolicy {
  const namespace = metadata.namespace ?? '';
  const notes: Notes = { problems: [], piecesLeft: MAX.pieces };
  const fields = asFields(spec) ?? new Map<string, unknown>();
  const place = (where: string): Place => ({ where, namespace, notes });
  const pods = take(parseSelector(fields.get('podSelector') ?? {}, 'spec.podSelector'), notes);
  const types = parseTypes(fields, place('spec.policyTypes'));
  const rules = (side: Side) =>
    readList(fields.get(side), MAX.rules, place(`spec.${side}`)).map((rule, index) =>
      parseRule(rule, side, place(`spec.${side}[${index}]`)),
    );
  return {
    pods: { namespaces: namespace, pods: pods ?? ANYTHING },
    ...(types.has('Ingress') ? { ingress: rules('ingress') } : {}),
    ...(types.has('Egress') ? { egress: rules('egress') } : {}),
    problems: notes.problems.slice(0, MAX.problems),
  };
}

function take<T>(result: Result<T>, { problems }: Notes): T | undefined {
  if (result.ok) return result.value;
  problems.push(result.problem);
  return undefined;
}

function complain({ where, notes }: Place, what: string): void {
  notes.problems.push({ reason: 'InvalidNetworkPolicy', message: `${where} ${what}` });
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/** Without types a policy is always for ingress, and for egress where it has rules for it. */
function parseTypes(fields: Fields, place: Place): Set<string> {
  const raw = fields.get('policyTypes');
  if (isLeftOut(raw)) return defaultTypes(fields);
  const types = readList(raw, 2, place);
  if (types.length > 0 && types.every(isType)) return new Set(types);
  complain(place, 'has another type than Ingress and Egress');
  return new Set(['Ingress', 'Egress']);
}

const isType = (type: unknown): type is string => type === 'Ingress' || type === 'Egress';

function defaultTypes(fields: Fields): Set<string> {
  return new Set(isLeftOut(fields.get('egress')) ? ['Ingress'] : ['Ingress', 'Egress']);
}

/** The items of a list that may be left out; of one that is too long the first. */
function readList(raw: unknown, most: number, place: Place): unknown[] {
  if (!isGiven(raw)) return [];
  if (!Array.isArray(raw)) {
    complain(place, 'is no list');
    return [];
  }
  if (raw.length > most) complain(place, `has more than ${most} entries; the rest is left out`);
  return raw.slice(0, most);
}

const isLeftOut = (raw: unknown): boolean => !isGiven(raw) || (Array.isArray(raw) && raw.length === 0);

function parseRule(raw: unknown, side: Side, place: Place): Rule {
  const fields = asFields(raw);
  if (fields === undefined) {
    complain(place, 'is no rule');
    return { peers: [], ports: [] };
  }
  const key = side === 'ingress' ? 'from' : 'to';
  const at = (name: string): Place => ({ ...place, where: `${place.where}.${name}` });
  const list = <T>(name: string, most: number, parse: (item: unknown, place: Place) => T | undefined): T[] | 'all' => {
    if (isLeftOut(fields.get(name))) return 'all';
    return readList(fields.get(name), most, at(name)).flatMap(
      (item, index) => parse(item, at(`${name}[${index}]`)) ?? [],
    );
  };
  return { peers: list(key, MAX.peers, parsePeer), ports: list('ports', MAX.ports, parsePort) };
}

function parsePeer(raw: unknown, place: Place): Peer | undefined {
  const fields = asFields(raw) ?? new Map<string, unknown>();
  const [block, pods, namespaces] = ['ipBlock', 'podSelector', 'namespaceSelector'].map((key) => fields.get(key));
  const isOfPods = isGiven(pods) || isGiven(namespaces);
  if (isOfPods === isGiven(block)) {
    complain(place, 'must have either ipBlock or selectors');
    return undefined;
  }
  return isOfPods ? parsePodPeer(pods, namespaces, place) : parseBlock(block, place);
}

/** Pods of the policy's own namespace where none is chosen; all pods of those that are. */
function parsePodPeer(pods: unknown, namespaces: unknown, place: Place): Peer | undefined {
  const read = (raw: unknown, name: string): Selector | undefined =>
    isGiven(raw) ? take(parseSelector(raw, `${place.where}.${name}`), place.notes) : ANYTHING;
  const which = read(pods, 'podSelector');
  const where = isGiven(namespaces) ? read(namespaces, 'namespaceSelector') : place.namespace;
  return which === undefined || where === undefined ? undefined : { pods: { namespaces: where, pods: which } };
}

function parseBlock(raw: unknown, place: Place): Peer | undefined {
  const fields = asFields(raw) ?? new Map<string, unknown>();
  const at = { ...place, where: `${place.where}.ipBlock` };
  const cidr = readCidr(fields.get('cidr'), { ...at, where: `${at.where}.cidr` });
  const listed = fields.get('except');
  const except = readList(listed, MAX.except, { ...at, where: `${at.where}.except` });
  const known = except.flatMap((one) => readCidr(one, { ...at, where: `${at.where}.except` }) ?? []);
  const isWhole = isLeftOut(listed) || (Array.isArray(listed) && known.length === listed.length);
  // An exception that cannot be read might be any address: nothing of the block is allowed then.
  return cidr === undefined || !isWhole ? undefined : cutBlock(cidr, known, at);
}

/** Each exception leaves a network for each bit that it is longer, at most. */
function cutBlock(cidr: Cidr, except: readonly Cidr[], place: Place): Peer | undefined {
  const { notes } = place;
  notes.piecesLeft -= except.reduce((sum, { prefix }) => sum + Math.max(0, prefix - cidr.prefix), 1);
  if (notes.piecesLeft >= 0) return { cidrs: subtractCidrs(cidr, except) };
  complain(place, `makes it more than ${MAX.pieces} networks together`);
  return undefined;
}

function readCidr(raw: unknown, place: Place): Cidr | undefined {
  const parsed = typeof raw === 'string' ? parseCidr(raw) : undefined;
  if (parsed !== undefined) return { family: parsed.family, network: parsed.network, prefix: parsed.prefix };
  complain(place, `${typeof raw === 'string' ? quote(raw) : 'something'} is not a CIDR`);
  return undefined;
}

function parsePort(raw: unknown, place: Place): PortRule | undefined {
  const fields = asFields(raw);
  const protocol = fields?.get('protocol') ?? 'TCP';
  const port = fields?.get('port') ?? undefined;
  const endPort = fields?.get('endPort') ?? undefined;
  const rule = fields !== undefined && isProtocol(protocol) ? makePortRule(protocol, port, endPort) : undefined;
  if (rule === undefined) complain(place, 'is not a port');
  return rule;
}

function makePortRule(protocol: Protocol, port: unknown, endPort: unknown): PortRule | undefined {
  if (port === undefined) return endPort === undefined ? { protocol, first: FIRST_PORT, last: LAST_PORT } : undefined;
  if (typeof port === 'string') {
    return endPort === undefined && PORT_NAME.test(port) ? { protocol, name: port } : undefined;
  }
  const last = endPort ?? port;
  return isPort(port) && isPort(last) && last >= port ? { protocol, first: port, last } : undefined;
}

const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= FIRST_PORT && value <= LAST_PORT;
