import type { Node } from '../../api/objects.ts';
import { type ActiveGateway, chooseGateway } from '../../plan/gateway.ts';
import type { SubnetPlan } from '../../plan/subnet.ts';
import type { Turn } from '../context.ts';

/** True when Kubernetes hears from the node's kubelet and it says that all is well. */
export function isNodeReady(node: Node | undefined): boolean {
  if (node === undefined || node.metadata.deletionTimestamp !== undefined) return false;
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** The node that carries the traffic out of a centralized subnet at this moment, if one can. */
export function findGateway({ world, bindings, joinPool }: Turn, plan: SubnetPlan): ActiveGateway | undefined {
  if (plan.gateways.length === 0) return undefined;
  const chassis = new Set(bindings.listChassis().map(({ name }) => name));
  return chooseGateway(plan.gateways, (node) => ({
    ready: isNodeReady(world.nodes.store.get(node)),
    chassis: chassis.has(node),
    ips: joinPool.leases.get(node)?.ips ?? [],
  }));
}
