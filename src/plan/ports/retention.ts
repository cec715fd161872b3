import type { LogicalPort, LogicalPortSpec, Subnet } from '../../api/types.gen.ts';
import type { NicRequest, RequestPlan } from '../requests/types.ts';

export type ReleasePolicy = NonNullable<LogicalPortSpec['releasePolicy']>;

/** Requests with their release policy settled: the request's own, else the subnet's, else the cluster's. */
export function settlePolicies(
  plan: RequestPlan,
  findSubnet: (name: string) => Subnet | undefined,
  fallback: ReleasePolicy,
): RequestPlan {
  const settle = (request: NicRequest): NicRequest => ({
    ...request,
    releasePolicy: request.releasePolicy ?? findSubnet(request.subnet)?.spec.releasePolicy ?? fallback,
  });
  return { ...plan, requests: plan.requests.map(settle) };
}

/** Why a port outlives its owner: its policy, or an IPAMClaim that still stands. */
export type Retention = 'retained' | 'claimed';

/**
 * Why the address of a port stays although nobody of its life is left; undefined when nothing keeps it. A retained port
 * that somebody deleted is let go; one whose claim exists is not, for the claim speaks for the address.
 */
export function findRetention(
  { metadata, spec }: LogicalPort,
  claimExists: (name: string) => boolean,
): Retention | undefined {
  if (spec.ips.length === 0) return undefined;
  if (spec.ipamClaim !== undefined && claimExists(spec.ipamClaim)) return 'claimed';
  return spec.releasePolicy === 'Retain' && metadata.deletionTimestamp === undefined ? 'retained' : undefined;
}
