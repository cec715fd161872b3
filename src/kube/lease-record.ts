import type { ResourceKind } from './resource.ts';
import type { ObjectMeta } from './types.ts';

/** `coordination.k8s.io/v1` Lease, the fields of an election. */
export type Lease = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: {
    holderIdentity?: string | undefined;
    leaseDurationSeconds?: number | undefined;
    acquireTime?: string | undefined;
    renewTime?: string | undefined;
    leaseTransitions?: number | undefined;
  };
};

/** Where leases are. */
export const LEASE: ResourceKind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  namespaced: true,
  kind: 'Lease',
};

/** A lease as read, and when (local monotonic ms) we first saw it in this form. */
export type Observation = { lease: Lease; at: number };

/** What a candidate may do now. */
export type ClaimPlan = { action: 'create' } | { action: 'take'; term: number } | { action: 'wait' };

/**
 * Decides about a claim. Times written in the lease are never compared with our clock: a lease has expired when *we*
 * saw it unchanged for its whole duration (client-go, tools/leaderelection). Every taking is a new term, also by the
 * holder of the last one, for writes of the earlier term may still be under way.
 */
export function planClaim(seen: Observation | undefined, identity: string, now: number): ClaimPlan {
  if (seen === undefined) return { action: 'create' };
  const { holderIdentity = '', leaseDurationSeconds = 0, leaseTransitions = 0 } = seen.lease.spec ?? {};
  const free = holderIdentity === '' || holderIdentity === identity;
  const expired = now - seen.at >= leaseDurationSeconds * 1000;
  return free || expired ? { action: 'take', term: leaseTransitions + 1 } : { action: 'wait' };
}

/** Keeps the time of the first sight while the lease is unchanged. */
export function deriveObservation(before: Observation | undefined, lease: Lease, now: number): Observation {
  const same = before !== undefined && before.lease.metadata.resourceVersion === lease.metadata.resourceVersion;
  return same ? before : { lease, at: now };
}

/** RFC 3339 with microseconds, the only form that MicroTime accepts. */
export function formatMicroTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
