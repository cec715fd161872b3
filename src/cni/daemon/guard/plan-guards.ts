import { FIELD, type Flow, type FlowChange, type Match } from '../../../ovs/openflow/messages.ts';

/** Where OVN takes frames in, from above all flows of its own (ovn-architecture(7), "Physical-to-logical translation"). */
export const INGRESS_TABLE = 0;
const PRIORITY = 40_000;
/** "mooring" and a number, in ASCII: by it our flows are known among ovn-controller's. */
export const GUARD_COOKIE = 0x6d6f_6f72_696e_6701n;

const [IPV4, IPV6] = [0x0800n, 0x86ddn];
const [UDP, ICMPV6] = [17n, 58n];
const fields = (...pairs: [number, bigint][]): Match => new Map(pairs);

/**
 * What only a server of the network sends, and never a pod or a guest: answers by DHCPv4 (RFC 2131, section 4.1) and
 * DHCPv6 (RFC 8415, section 7.2), router advertisements (RFC 4861, section 4.2). OVN's own port security has no rule for
 * these, and above all ACLs it lets advertisements pass (ovn-northd(8), "ACL evaluation").
 */
export const SERVERS = {
  dhcpv4: fields([FIELD.ethType, IPV4], [FIELD.ipProto, UDP], [FIELD.udpSource, 67n], [FIELD.udpTarget, 68n]),
  dhcpv6: fields([FIELD.ethType, IPV6], [FIELD.ipProto, UDP], [FIELD.udpSource, 547n], [FIELD.udpTarget, 546n]),
  advertisement: fields([FIELD.ethType, IPV6], [FIELD.ipProto, ICMPV6], [FIELD.icmpv6Type, 134n]),
} as const;
export type Server = keyof typeof SERVERS;

/** A guard that stands: on which port of the bridge, against what, and how many frames it has dropped. */
export type Guard = { readonly ofport: number; readonly server: Server; readonly packets: bigint };

/**
 * Makes every given port (numbers in the bridge) have each guard, and no other port: a number may be given again, to the
 * node's own gateway too. `flows` are those of the ingress table.
 */
export function planGuards(ofports: readonly number[], flows: readonly Flow[]): FlowChange[] {
  const ours = flows.filter(({ cookie }) => cookie === GUARD_COOKIE);
  const wanted = new Map(ofports.flatMap((ofport) => listMatches(ofport).map((match) => [format(match), match])));
  const present = new Set(ours.filter(({ priority }) => priority === PRIORITY).map(({ match }) => format(match)));
  const change = (what: FlowChange['do'], match: Match, priority = PRIORITY): FlowChange => ({
    do: what,
    table: INGRESS_TABLE,
    priority,
    cookie: GUARD_COOKIE,
    match,
  });
  const isStray = ({ match, priority }: Flow) => priority !== PRIORITY || !wanted.has(format(match));
  return [
    ...ours.filter(isStray).map(({ match, priority }) => change('delete', sort(match), priority)),
    ...[...wanted].filter(([key]) => !present.has(key)).map(([, match]) => change('add', match)),
  ];
}

const listMatches = (ofport: number): Match[] =>
  Object.values(SERVERS).map((match) => new Map([[FIELD.inPort, BigInt(ofport)], ...match]));

/** Prerequisites first, as a switch wants them: our fields' numbers happen to be in that order. */
const sort = (match: Match): Match => new Map([...match].sort(([a], [b]) => a - b));
const format = (match: Match): string => [...sort(match)].map(([key, value]) => `${key}=${value}`).join();

/** The guards among the flows of the ingress table, with what they have dropped. */
export function listGuards(flows: readonly Flow[]): Guard[] {
  return flows.flatMap(({ cookie, match, packets }) => {
    const ofport = match.get(FIELD.inPort);
    if (cookie !== GUARD_COOKIE || ofport === undefined) return [];
    const server = (Object.keys(SERVERS) as Server[]).find((name) => isOf(match, SERVERS[name]));
    return server === undefined ? [] : [{ ofport: Number(ofport), server, packets }];
  });
}

const isOf = (match: Match, server: Match): boolean => [...server].every(([key, value]) => match.get(key) === value);
