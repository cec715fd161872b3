import { formatCidr, parseAddress } from '../../api/address.ts';
import { formatRouterName } from '../../api/names.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import type { SubnetRanges } from '../../ipam/ranges.ts';
import { quote } from '../../ipam/ranges.ts';
import type { Ids, WantedPolicy } from '../../ovn/wanted.ts';
import type { JoinNetwork } from '../settings.ts';

/**
 * Priorities of the policies on a VPC's router. What stays inside the VPC or goes to a node is decided first, so that
 * nothing of it takes the way out; between the two is room for what follows later.
 */
export const POLICY_PRIORITY = { inside: 31_000, out: 29_000 } as const;

/** An entry of gatewayNode; `address` is what Kube-OVN's form `node:ip` adds. */
export type GatewayEntry = { readonly node: string; readonly address?: string };

const MAX_NODES = 64;
const NODE_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Reads gatewayNode: `node,node` or, as Kube-OVN writes it, `node:ip,node:ip`. Problem: InvalidGateway. */
export function parseGatewayNodes(text: string): Result<GatewayEntry[]> {
  const parts = text.split(',').map((part) => part.trim());
  const entries: GatewayEntry[] = [];
  if (parts.length > MAX_NODES) return fail('InvalidGateway', `gatewayNode names more than ${MAX_NODES} nodes`);
  for (const part of parts.filter((one) => one !== '')) {
    const entry = parseEntry(part);
    if (entry === undefined) return fail('InvalidGateway', `gatewayNode: ${quote(part)} is neither a node nor node:ip`);
    if (!entries.some(({ node }) => node === entry.node)) entries.push(entry);
  }
  return entries.length > 0 ? succeed(entries) : fail('InvalidGateway', 'gatewayType centralized needs gatewayNode');
}

function parseEntry(text: string): GatewayEntry | undefined {
  const at = text.indexOf(':');
  const node = at < 0 ? text : text.slice(0, at);
  if (!NODE_NAME.test(node)) return undefined;
  if (at < 0) return { node };
  const address = text.slice(at + 1);
  return parseAddress(address) === undefined ? undefined : { node, address };
}

/** What is known of a node of gatewayNode. */
export type GatewayCandidate = {
  /** Kubernetes says that the node is ready. */
  readonly ready: boolean;
  /** Its ovn-controller is registered in OVN. */
  readonly chassis: boolean;
  /** Its addresses on the join network, none before it has joined. */
  readonly ips: readonly string[];
};

/** The node that carries the traffic out now. */
export type ActiveGateway = { readonly node: string; readonly ips: readonly string[] };

/** The first node of the list that can carry traffic. */
export function chooseGateway(
  nodes: readonly string[],
  find: (node: string) => GatewayCandidate,
): ActiveGateway | undefined {
  for (const node of nodes) {
    const { ready, chassis, ips } = find(node);
    if (ready && chassis && ips.length > 0) return { node, ips };
  }
  return undefined;
}

/** Whose policies, and in which router. */
export type PolicyPlace = {
  readonly subnet: string;
  readonly vpc: string;
  readonly ranges: SubnetRanges;
  readonly join: JoinNetwork;
  readonly externalIds: Ids;
};

/** What leads to a subnet stays inside its VPC, whatever way out its sender has. One policy per family. */
export function planInsidePolicies(place: PolicyPlace): WantedPolicy[] {
  return place.ranges.map(({ cidr }) =>
    makePolicy(place, `inside/v${cidr.family}`, {
      priority: POLICY_PRIORITY.inside,
      match: `ip${cidr.family}.dst == ${formatCidr(cidr)}`,
      action: 'allow',
    }),
  );
}

/**
 * The way out of a centralized subnet: to the nodes as ever, everything else over the active gateway's address on the
 * join network. Without an active gateway nothing leaves, rather than by a node that was not chosen. Keys do not name
 * the node: a failover is an update of these rows, in one transaction for both families.
 */
export function planGatewayPolicies(place: PolicyPlace, active: ActiveGateway | undefined): WantedPolicy[] {
  return place.join.flatMap(({ cidr: join }) => {
    const range = place.ranges.find(({ cidr }) => cidr.family === join.family);
    if (range === undefined) return [];
    const ip = `ip${join.family}`;
    const source = `${ip}.src == ${formatCidr(range.cidr)}`;
    const nexthop = active?.ips.find((address) => parseAddress(address)?.family === join.family);
    return [
      makePolicy(place, `nodes/v${join.family}`, {
        priority: POLICY_PRIORITY.inside,
        match: `${source} && ${ip}.dst == ${formatCidr(join)}`,
        action: 'allow',
      }),
      makePolicy(place, `out/v${join.family}`, {
        priority: POLICY_PRIORITY.out,
        match: source,
        ...(nexthop === undefined ? { action: 'drop' } : { action: 'reroute', nexthop }),
      }),
    ];
  });
}

type Rule = Pick<WantedPolicy, 'priority' | 'match' | 'action' | 'nexthop'>;

function makePolicy({ subnet, vpc, externalIds }: PolicyPlace, slot: string, rule: Rule): WantedPolicy {
  return { router: formatRouterName(vpc), row: `vpc/${vpc}/subnet/${subnet}/${slot}`, ...rule, externalIds };
}
