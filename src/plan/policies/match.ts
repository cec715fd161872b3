import { type Cidr, formatCidr } from '../../api/address.ts';
import { formatGroupName, type Group, type Protocol } from './groups.ts';
import { FIRST_PORT, LAST_PORT, type Side } from './parse.ts';

/**
 * Pieces of OVN's match language (ovn-sb(5), Logical_Flow). Nothing that a tenant wrote comes into them as it is: only
 * numbers, networks that were parsed and are formatted anew, and names of groups, which are digests.
 */
const FIELD = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const satisfies Record<Protocol, string>;

/** Ports from the first to the last. */
export type Range = { readonly first: number; readonly last: number };

/** What comes in by, or goes out to, the pods of a group. */
export const formatSubject = (side: Side, { id }: Group): string =>
  `${side === 'ingress' ? 'outport' : 'inport'} == @${formatGroupName(id)}`;

const fieldOf = (side: Side, family: 4 | 6): string => `ip${family}.${side === 'ingress' ? 'src' : 'dst'}`;

/** The other end is one of a group's pods; northd keeps the addresses of a port group's ports. */
export const formatPods = (side: Side, family: 4 | 6, { id }: Group): string =>
  `${fieldOf(side, family)} == $${formatGroupName(id)}_ip${family}`;

/** The other end has an address of these networks, all of that family and at least one. */
export function formatAddresses(side: Side, family: 4 | 6, cidrs: readonly Cidr[]): string {
  if (cidrs.some(({ prefix }) => prefix === 0)) return `ip${family}`;
  return `${fieldOf(side, family)} == {${formatSet(cidrs)}}`;
}

/** The same networks come again for each port of a rule. */
const sets = new WeakMap<readonly Cidr[], string>();

function formatSet(cidrs: readonly Cidr[]): string {
  const text = sets.get(cidrs) ?? [...new Set(cidrs.map(formatCidr))].join(', ');
  sets.set(cidrs, text);
  return text;
}

/** Packets of a protocol to one of these ports, at least one. */
export function formatPorts(protocol: Protocol, ranges: readonly Range[]): string {
  const field = FIELD[protocol];
  if (ranges.some(({ first, last }) => first === FIRST_PORT && last === LAST_PORT)) return field;
  const single = new Set(ranges.filter(({ first, last }) => first === last).map(({ first }) => first));
  const several = ranges.filter(({ first, last }) => first !== last);
  const parts = [
    ...(single.size === 0 ? [] : [`${field}.dst == {${[...single].sort((a, b) => a - b).join(', ')}}`]),
    ...new Set(several.map(({ first, last }) => `${first} <= ${field}.dst <= ${last}`)),
  ];
  return parts.length === 1 ? parts.join('') : `(${parts.map((part) => `(${part})`).join(' || ')})`;
}

/** All of it at once. */
export const joinMatches = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' && ');
