import { parseAddress } from '../../api/address.ts';
import type { IPAMClaim } from '../../api/objects.ts';
import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { compareAge, type SubnetPlan } from '../networks/subnet.ts';

type ClaimStatus = NonNullable<IPAMClaim['status']>;

/** True of a port that nothing but its IPAMClaim keeps: nobody holds it, and it has no rows. */
export const isHandedOver = ({ spec, status }: Pick<LogicalPort, 'spec' | 'status'>): boolean =>
  spec.ipamClaim !== undefined && status?.phase === 'Released' && (spec.attachments ?? []).length === 0;

/**
 * The one port that tells a claim what came of it, of all that it speaks for: two that tell different things would
 * overwrite each other for ever. One with an address before one without, one in use before one that is only kept.
 */
export function chooseSpeaker(ports: readonly LogicalPort[]): LogicalPort | undefined {
  const rank = (port: LogicalPort) => (port.spec.ips.length === 0 ? 2 : Number(isHandedOver(port)));
  return ports.toSorted((a, b) => rank(a) - rank(b) || compareAge(a, b))[0];
}

/** Reasons that OVN-Kubernetes' claims carry: clients of the type know them. */
const REASONS = new Map<string, string>([
  ['SubnetFull', 'SubnetExhausted'],
  ['PoolFull', 'SubnetExhausted'],
  ['AddressInUse', 'IPAddressConflict'],
  ['AddressConflict', 'IPAddressConflict'],
]);

export type ClaimFacts = {
  readonly port: LogicalPort;
  readonly subnet: SubnetPlan | undefined;
  /** Why the port has no address. */
  readonly problem?: Problem | undefined;
  /** RFC 3339. */
  readonly now: string;
};

/**
 * The status of the claim that speaks for a port, all of it. Absent fields are null, as a merge patch needs them. What
 * a claim says is kept while its port has no address.
 */
export function deriveClaimStatus(claim: IPAMClaim, facts: ClaimFacts): object {
  const { spec } = facts.port;
  const ips = spec.ips.map((ip) => formatWithPrefix(ip, facts.subnet));
  const holder = spec.attachments?.find(({ role }) => role === 'Source');
  return {
    ips: ips.length > 0 ? ips : (claim.status?.ips ?? []),
    ownerPod: holder === undefined ? null : { name: holder.podName },
    conditions: replaceCondition(claim.status?.conditions ?? [], describeNews(facts)),
  };
}

function describeNews({ port, problem, now }: ClaimFacts): News {
  if (port.spec.ips.length > 0) {
    return { isGiven: true, reason: 'SuccessfulAllocation', message: `LogicalPort ${port.metadata.name}`, now };
  }
  const { reason, message } = problem ?? { reason: '', message: '' };
  return { isGiven: false, reason: REASONS.get(reason) ?? 'InternalError', message: message.slice(0, 1000), now };
}

type News = { readonly isGiven: boolean; readonly reason: string; readonly message: string; readonly now: string };

const TYPE = 'IPsAllocated';

/** Conditions of other types are others'. */
function replaceCondition(present: NonNullable<ClaimStatus['conditions']>, { isGiven, reason, message, now }: News) {
  const status = isGiven ? 'True' : 'False';
  const before = present.find(({ type }) => type === TYPE);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
  return [...present.filter(({ type }) => type !== TYPE), { type: TYPE, status, lastTransitionTime, reason, message }];
}

function formatWithPrefix(ip: string, subnet: SubnetPlan | undefined): string {
  const family = parseAddress(ip)?.family;
  const range = subnet?.ranges.find(({ cidr }) => cidr.family === family);
  return `${ip}/${range?.cidr.prefix ?? (family === 6 ? 128 : 32)}`;
}
