import { formatCidr, overlaps, parseAddress } from '../../api/address.ts';
import { formatNodeLsp, GATEWAY_LSP, JOIN_SWITCH } from '../../api/names.ts';
import { formatNodeNetwork, MAX_VPCS, NODE_NETWORK_ANNOTATION, parseNodeNetwork } from '../../api/node-network.ts';
import type { Node } from '../../api/objects.ts';
import { formatExternalIds } from '../../api/owner.ts';
import type { Result } from '../../api/problem.ts';
import { succeed } from '../../api/problem.ts';
import { allocate } from '../../ipam/allocate.ts';
import { type Holder, hold, isFree, type Lease, type Pool, release } from '../../ipam/pool.ts';
import type { WantedPort } from '../../ovn/wanted.ts';
import { createJoinPool, deriveMac, type Settings } from '../settings.ts';
import type { SubnetPlan } from './subnet.ts';
import { deriveJoinMac, formatNetworks } from './vpc.ts';

/** Addresses on the join network, without prefix, by who has them: the name of a node or of a VPC other than the default. */
export type JoinRecords = {
  readonly nodes: ReadonlyMap<string, readonly string[]>;
  readonly vpcs: ReadonlyMap<string, readonly string[]>;
};

/** Holder of a VPC's address in the join pool; a node's is its name, which has no slash. */
export const formatVpcHolder = (vpc: string): Holder => `vpc/${vpc}`;

/**
 * The join network's pool as our rows in NB have it. What a node's annotation says counts only where NB knows of no node
 * at all, because a kubelet may write it. Of two with one address the first by name has it.
 */
export function rebuildJoinPool(nodes: readonly Node[], records: JoinRecords, settings: Settings): Pool {
  const pool = createJoinPool(settings.join);
  for (const [vpc, ips] of sortByName(records.vpcs)) {
    holdGood(pool, formatVpcHolder(vpc), { ips, mac: deriveJoinMac(vpc, settings) });
  }
  const known = records.nodes.size > 0 ? records.nodes : listAnnotated(nodes);
  for (const [node, ips] of sortByName(known)) holdGood(pool, node, { ips, mac: deriveMac(formatNodeLsp(node)) });
  return pool;
}

const sortByName = <T>(records: ReadonlyMap<string, T>): [string, T][] =>
  [...records].sort(([a], [b]) => (a < b ? -1 : 1));

function listAnnotated(nodes: readonly Node[]): Map<string, readonly string[]> {
  const found = nodes.flatMap(({ metadata }): [string, string[]][] => {
    const parsed = parseNodeNetwork(metadata.annotations?.[NODE_NETWORK_ANNOTATION] ?? '');
    return parsed.ok ? [[metadata.name, parsed.network.nodeIps.map((ip) => ip.split('/')[0] ?? '')]] : [];
  });
  return new Map(found);
}

/** Holds those of the addresses that the network has and nobody else holds. */
function holdGood(pool: Pool, holder: Holder, { ips, mac }: Lease): void {
  const good = pool.families.flatMap((family) =>
    ips.filter((ip) => {
      const address = parseAddress(ip);
      return address?.family === family.range.cidr.family && isFree(family, address.value);
    }),
  );
  if (good.length > 0) hold(pool, holder, { ips: good, mac });
}

/** The node's addresses on the join network. Problem: SubnetFull. */
export function allocateNode(pool: Pool, node: string): Result<Lease> {
  return allocateJoin(pool, node, deriveMac(formatNodeLsp(node)));
}

/** The addresses of a VPC's router on the join network; the default one has its own. Problem: SubnetFull. */
export function allocateVpc(pool: Pool, vpc: string, settings: Settings): Result<Lease> {
  return allocateJoin(pool, formatVpcHolder(vpc), deriveJoinMac(vpc, settings));
}

/** What the holder has stays; a family that came to the join network later is added. */
function allocateJoin(pool: Pool, holder: Holder, mac: string): Result<Lease> {
  const held = pool.leases.get(holder);
  if (held?.ips.length === pool.families.length) return succeed(held);
  release(pool, holder);
  const lease = allocate(pool, { holder, subnet: JOIN_SWITCH, ips: held?.ips ?? [], mac }, () => new Uint8Array(5));
  if (!lease.ok && held !== undefined) hold(pool, holder, held);
  return lease;
}

/**
 * VPCs other than the default one that nodes can reach: those with a usable subnet, or one that lets its ports be while it
 * is not usable, none of which covers the join network. `isHeld` says which have an address there already.
 */
export function listJoinedVpcs(
  subnets: Iterable<SubnetPlan>,
  { join, defaultVpc }: Settings,
  isHeld: (vpc: string) => boolean = () => false,
): string[] {
  const others = [...subnets].filter((plan) => plan.ovn && plan.vpc !== defaultVpc);
  const covers = ({ usable, ranges }: SubnetPlan) =>
    usable && ranges.some(({ cidr }) => join.some((family) => overlaps(cidr, family.cidr)));
  const apart = new Set(others.filter(covers).map(({ vpc }) => vpc));
  const joined = others.filter(({ usable, vpc }) => (usable || isHeld(vpc)) && !apart.has(vpc));
  return [...new Set(joined.map(({ vpc }) => vpc))].sort();
}

export type NodePlan = { readonly annotation: string; readonly port: WantedPort };

/** What a node is told of: the subnets, and where each VPC's router is on the join network. */
export type NodeSurroundings = {
  readonly subnets: readonly SubnetPlan[];
  readonly vpcs: readonly { readonly name: string; readonly lease: Lease }[];
};

/** A node's port on the join switch, and the annotation that tells its agent how to build the node's side. */
export function planNode(node: Node, lease: Lease, around: NodeSurroundings, settings: Settings): NodePlan {
  const { join, mtu } = settings;
  const name = node.metadata.name;
  const families = new Set(join.map(({ cidr }) => cidr.family));
  const reachable = around.subnets.filter(({ usable, ovn, vpc }) => usable && ovn && vpc === settings.defaultVpc);
  const listCidrs = (plans: readonly SubnetPlan[]) =>
    plans.flatMap((plan) =>
      plan.ranges.filter((range) => families.has(range.cidr.family)).map((range) => formatCidr(range.cidr)),
    );
  return {
    annotation: formatNodeNetwork({
      nodeIps: formatNetworks(lease.ips, join),
      nodeMac: lease.mac,
      gatewayIps: join.map(({ gateway }) => gateway),
      gatewayMac: deriveMac(GATEWAY_LSP),
      routerIps: join.map(({ router }) => router),
      podCidrs: listCidrs(reachable).sort(),
      masqueradeCidrs: listCidrs(reachable.filter((plan) => plan.natOutgoing)).sort(),
      vpcs: around.vpcs.slice(0, MAX_VPCS).map((vpc) => ({ name: vpc.name, routerIps: vpc.lease.ips })),
      mtu,
    }),
    port: {
      switch: JOIN_SWITCH,
      name: formatNodeLsp(name),
      type: '',
      addresses: [[lease.mac, ...lease.ips].join(' ')],
      portSecurity: [],
      options: new Map([['requested-chassis', name]]),
      externalIds: formatExternalIds(settings.cluster, { kind: 'Node', name, uid: node.metadata.uid ?? '' }),
    },
  };
}
