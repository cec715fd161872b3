import type { Node } from '../../api/objects.ts';
import { type ActiveGateway, chooseGateway } from '../../plan/networks/gateway.ts';
import type { SubnetPlan } from '../../plan/networks/subnet.ts';
import type { Turn } from '../context.ts';

/** True when Kubernetes hears from the node's kubelet and it says that all is well. */
export function isNodeReady(node: Node | undefined): boolean {
  if (node === undefined || node.metadata.deletionTimestamp !== undefined) return false;
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

type Surroundings = Pick<Turn, 'bindings' | 'joinPool'> & {
  readonly world: { readonly nodes: Pick<Turn['world']['nodes'], 'store'> };
};

/**
 * The node that carries the traffic out of a centralized subnet at this moment, if one can. While the Southbound
 * database has not been read, or was just made anew, it shows no chassis at all: then the `present` gateway stays as
 * long as its node is ready, rather than that every subnet loses its way out.
 */
export function findGateway(
  { world, bindings, joinPool }: Surroundings,
  { gateways }: Pick<SubnetPlan, 'gateways'>,
  present: string | undefined,
): ActiveGateway | undefined {
  if (gateways.length === 0) return undefined;
  const chassis = new Set(bindings.listChassis().map(({ name }) => name));
  const isBlind = chassis.size === 0;
  const kept = isBlind && present !== undefined && gateways.includes(present) ? [present] : [];
  return chooseGateway([...kept, ...gateways], (node) => ({
    ready: isNodeReady(world.nodes.store.get(node)),
    chassis: isBlind || chassis.has(node),
    ips: joinPool.leases.get(node)?.ips ?? [],
  }));
}
