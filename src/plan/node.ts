import { formatCidr, parseAddress } from '../api/address.ts';
import { formatNodeLsp, GATEWAY_LSP, JOIN_SWITCH } from '../api/names.ts';
import { formatNodeNetwork, NODE_NETWORK_ANNOTATION, parseNodeNetwork } from '../api/node-network.ts';
import type { Node } from '../api/objects.ts';
import { formatExternalIds } from '../api/owner.ts';
import type { Result } from '../api/problem.ts';
import { allocate } from '../ipam/allocate.ts';
import { hold, isFree, type Lease, type Pool } from '../ipam/pool.ts';
import type { WantedPort } from '../ovn/wanted.ts';
import { createJoinPool, deriveMac, type JoinNetwork, type Settings } from './settings.ts';
import type { SubnetPlan } from './subnet.ts';

/** What the node's annotation says it has, if it can be read: the node keeps it as long as nobody else has it. */
export function findNodeLease(node: Node): Lease | undefined {
  const parsed = parseNodeNetwork(node.metadata.annotations?.[NODE_NETWORK_ANNOTATION] ?? '');
  if (!parsed.ok) return undefined;
  return { ips: [parsed.network.nodeIp.split('/')[0] ?? ''], mac: parsed.network.nodeMac };
}

/** The join network's pool as the nodes' annotations have it; of two nodes with one address the first by name has it. */
export function rebuildJoinPool(nodes: readonly Node[], join: JoinNetwork): Pool {
  const pool = createJoinPool(join);
  for (const node of nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const lease = findNodeLease(node);
    if (lease !== undefined && isAvailable(pool, lease)) hold(pool, node.metadata.name, lease);
  }
  return pool;
}

function isAvailable(pool: Pool, { ips, mac }: Lease): boolean {
  const address = parseAddress(ips[0] ?? '');
  const isGood = pool.families.some(
    (family) => address?.family === family.range.cidr.family && isFree(family, address.value),
  );
  return isGood && !pool.macs.has(mac);
}

/** The node's address on the join network. Problem: SubnetFull. */
export function allocateNode(pool: Pool, node: string): Result<Lease> {
  const request = { holder: node, subnet: JOIN_SWITCH, mac: deriveMac(formatNodeLsp(node)) };
  return allocate(pool, request, () => new Uint8Array(5));
}

export type NodePlan = { readonly annotation: string; readonly port: WantedPort };

/** A node's port on the join switch, and the annotation that tells its agent how to build the node's side. */
export function planNode(node: Node, lease: Lease, subnets: readonly SubnetPlan[], settings: Settings): NodePlan {
  const { join, mtu } = settings;
  const name = node.metadata.name;
  const [ip = ''] = lease.ips;
  const reachable = subnets.filter((subnet) => subnet.usable && subnet.vpc === settings.defaultVpc);
  const listCidrs = (plans: readonly SubnetPlan[]) =>
    plans.flatMap((plan) =>
      plan.ranges.filter((range) => range.cidr.family === 4).map((range) => formatCidr(range.cidr)),
    );
  return {
    annotation: formatNodeNetwork({
      nodeIp: `${ip}/${join.cidr.prefix}`,
      nodeMac: lease.mac,
      gatewayIp: join.gateway,
      gatewayMac: deriveMac(GATEWAY_LSP),
      routerIp: join.router,
      podCidrs: listCidrs(reachable).sort(),
      masqueradeCidrs: listCidrs(reachable.filter((plan) => plan.natOutgoing)).sort(),
      mtu,
    }),
    port: {
      switch: JOIN_SWITCH,
      name: formatNodeLsp(name),
      type: '',
      addresses: [`${lease.mac} ${ip}`],
      portSecurity: [],
      options: new Map([['requested-chassis', name]]),
      externalIds: formatExternalIds(settings.cluster, { kind: 'Node', name, uid: node.metadata.uid ?? '' }),
    },
  };
}
