import type { IPAMClaim, Namespace } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { settlePolicies } from '../../plan/ports/retention.ts';
import { applyClaims } from '../../plan/requests/claims.ts';
import type { NicRequest, RequestPlan } from '../../plan/requests/types.ts';
import type { Context } from '../context.ts';
import { getPortKey } from '../keys.ts';

/** What several observers need of a namespace. */
export type Home = {
  readonly namespace: string;
  readonly ports: readonly LogicalPort[];
};

/** The namespace that lives and dies with the cluster: its UID tells one cluster from another. */
const CLUSTER_NAMESPACE = 'kube-system';

/** Which cluster this is; undefined while it cannot be told. */
export function findClusterUid({ world }: Pick<Context, 'world'>): string | undefined {
  return (world.namespaces.store.get(CLUSTER_NAMESPACE) as Namespace | undefined)?.metadata.uid;
}

/** A claim; one that is being deleted stands until it is gone, as the multi-network specification has it. */
export function findClaim({ world }: Pick<Context, 'world'>, namespace: string, name: string): IPAMClaim | undefined {
  return world.ipamClaims.store.get(`${namespace}/${name}`);
}

/**
 * Whether a claim keeps the address of a port of this key whose owner is gone: it stands, and no other port of the
 * namespace that refers to it has the address already. The next one has it before this one lets it go, so that it is
 * nobody else's in between, whoever dies.
 */
export function isKeptByClaim(context: Pick<Context, 'world'>, namespace: string, key: string) {
  const { store } = context.world.ports;
  const isTaken = (name: string) => {
    const ports = store.byIndex('claim', `${namespace}/${name}`);
    const own = new Set(ports.flatMap((port) => (getPortKey(port) === key ? port.spec.ips : [])));
    return ports.some((port) => getPortKey(port) !== key && port.spec.ips.some((ip) => own.has(ip)));
  };
  return (name: string): boolean => findClaim(context, namespace, name) !== undefined && !isTaken(name);
}

/**
 * Requests with their claims and release policies. A NIC without a reference of its own goes by the claim that its port
 * has, as long as that exists: a stopped VM has no launcher to say so.
 */
export function completePlan(context: Context, plan: RequestPlan, home: Home): RequestPlan {
  const requests = plan.requests.map((request) => addClaim(context, request, home));
  const claimed = applyClaims({ ...plan, requests }, (name) => findClaim(context, home.namespace, name));
  const { world, settings } = context;
  return settlePolicies(claimed, (name) => world.subnets.store.get(name), settings.releasePolicy ?? 'WithOwner');
}

function addClaim(context: Context, request: NicRequest, { namespace, ports }: Home): NicRequest {
  if (request.ipamClaim !== undefined) return request;
  const own = ports.filter(({ spec }) => spec.nic === request.nic && !isOfOtherNetwork(spec, request));
  const known = own.find(({ spec }) => spec.ipamClaim !== undefined)?.spec.ipamClaim;
  if (known === undefined || findClaim(context, namespace, known) === undefined) return request;
  return { ...request, ipamClaim: known };
}

/** A port that stands beside the one that is asked for: its claim speaks for an address of its own network. */
function isOfOtherNetwork({ subnet, nad }: LogicalPort['spec'], request: NicRequest): boolean {
  return subnet !== request.subnet && nad !== undefined && nad !== request.nad;
}
