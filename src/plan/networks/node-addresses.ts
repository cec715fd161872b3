import { containsAddress, formatAddress, formatCidr, parseAddress } from '../../api/address.ts';
import type { Node } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import { findFrom, type Interval, type SubnetRanges, subtractAll } from '../../ipam/ranges.ts';

/** The IPs of all nodes, by family, ascending. */
export type NodeAddresses = Readonly<Record<4 | 6, readonly NodeAddress[]>>;
export type NodeAddress = Interval & { readonly node: string };

export const NO_NODES: NodeAddresses = { 4: [], 6: [] };

/** Reads the nodes' own addresses; what is none says nothing. */
export function listNodeAddresses(nodes: readonly Node[]): NodeAddresses {
  const found: Record<4 | 6, NodeAddress[]> = { 4: [], 6: [] };
  for (const { metadata, status } of nodes) {
    for (const { address } of status?.addresses ?? []) {
      const parsed = parseAddress(address);
      if (parsed === undefined) continue;
      found[parsed.family].push({ first: parsed.value, last: parsed.value, node: metadata.name });
    }
  }
  for (const family of [4, 6] as const) found[family].sort((a, b) => (a.first < b.first ? -1 : 1));
  return found;
}

/**
 * The ranges without the nodes' own addresses: a port with one of them would take the node's traffic, in whatever network
 * (F33). The same ranges where there are none.
 */
export function excludeNodes(ranges: SubnetRanges, nodes: NodeAddresses): SubnetRanges {
  if (findNode(ranges, nodes) === undefined) return ranges;
  return ranges.map((range) => ({ ...range, free: subtractAll(range.free, nodes[range.cidr.family]) }));
}

function findNode(ranges: SubnetRanges, nodes: NodeAddresses) {
  for (const { cidr } of ranges) {
    const { family } = cidr;
    const node = findFrom(nodes[family], cidr.network);
    if (node !== undefined && containsAddress(cidr, { family, value: node.first })) return { cidr, node };
  }
  return undefined;
}

/** What to tell of a network of ours that a node's address lies in: pods there look for the node on their own switch. */
export function warnOfNodes(ranges: SubnetRanges, nodes: NodeAddresses): Problem | undefined {
  const found = findNode(ranges, nodes);
  if (found === undefined) return undefined;
  const { cidr, node } = found;
  const address = formatAddress({ family: cidr.family, value: node.first });
  const message = `${formatCidr(cidr)} contains ${address} of node ${node.node}: pods of the subnet cannot reach that node, and its address is given to none; choose a cidrBlock without nodes`;
  return { reason: 'OverlapsNodes', message };
}
