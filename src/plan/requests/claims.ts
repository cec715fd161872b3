import { formatAddress, parseAddress } from '../../api/address.ts';
import { MULTUS_NETWORKS } from '../../api/annotations.ts';
import type { IPAMClaim, Pod } from '../../api/objects.ts';
import { fail, type Result, succeed } from '../../api/problem.ts';
import { parseClaimReferences } from '../wishes/selection.ts';
import type { NicRequest, RequestPlan } from './types.ts';

/** Finds an IPAMClaim of the namespace by its name, which is whatever its author chose. */
export type FindClaim = (name: string) => IPAMClaim | undefined;

/**
 * What the claims of some NICs ask for: the addresses in a claim's status are asked for, one without is to be filled.
 * A claim speaks for one NIC: a second one that refers to it would get the same address (multi-network specification
 * v1.3, section 8). Problems: IPAMClaimNotFound, InvalidRequest, RequestDisagreement.
 */
export function applyClaims(plan: RequestPlan, findClaim: FindClaim): RequestPlan {
  const speaker = new Map<string, string>();
  const requests: NicRequest[] = [];
  const problems = [...plan.problems];
  for (const request of plan.requests) {
    const applied = applyClaim(request, findClaim, speaker);
    if (applied.ok) requests.push(applied.value);
    else problems.push({ nic: request.nic, problem: applied.problem });
  }
  return { ...plan, requests, problems };
}

function applyClaim(request: NicRequest, findClaim: FindClaim, speaker: Map<string, string>): Result<NicRequest> {
  const { nic, ipamClaim: name } = request;
  if (name === undefined) return succeed(request);
  const other = speaker.get(name);
  if (other !== undefined) {
    return fail(
      'InvalidRequest',
      `NIC ${nic}: IPAMClaim ${name} speaks for NIC ${other} already; give each NIC its own`,
    );
  }
  speaker.set(name, nic);
  const claim = findClaim(name);
  if (claim === undefined) return fail('IPAMClaimNotFound', `NIC ${nic}: IPAMClaim ${name} does not exist; create it`);
  const ips = listIps(claim).slice(0, MAX_IPS).map(dropPrefix);
  return ips.length === 0 ? succeed(request) : fixAddresses(request, name, ips);
}

const MAX_IPS = 8;

const listIps = ({ status }: IPAMClaim): string[] => status?.ips ?? [];

function fixAddresses(request: NicRequest, name: string, ips: readonly string[]): Result<NicRequest> {
  const { nic } = request;
  if (request.ips !== undefined && !request.ips.every((ip) => ips.includes(normalize(ip)))) {
    const what = `IPAMClaim ${name} has ${ips.join(', ')}, another source asks for ${request.ips.join(', ')}`;
    return fail('RequestDisagreement', `NIC ${nic}: ${what.slice(0, 500)}`);
  }
  const { pool, ...rest } = request;
  const fitting = pool?.kind === 'list' ? pool.candidates.find((candidate) => fits(candidate, ips)) : [];
  if (fitting === undefined) {
    const what = `IPAMClaim ${name} has ${ips.join(', ')}, which is not in the list of addresses that is asked for, too`;
    return fail('RequestDisagreement', `NIC ${nic}: ${what.slice(0, 500)}; change the list, or delete the claim`);
  }
  // The claim says which of the list: nothing is left to choose.
  return succeed({ ...rest, ...(pool?.kind === 'named' ? { pool } : {}), ips });
}

/** A claim may say less than a pair of the list, or more; what both say must be the same. */
function fits(candidate: readonly string[], ips: readonly string[]): boolean {
  const families = [':', '.'].map((mark) => [candidate, ips].map((list) => list.filter((ip) => ip.includes(mark))));
  return families.every(([a = [], b = []]) => a.length === 0 || b.length === 0 || a.some((ip) => b.includes(ip)));
}

/** Which launcher or pod speaks, when several refer to claims. */
export type ClaimSpeaker = Pick<Pod, 'metadata'>;

/**
 * The IPAMClaims that a machine's launchers refer to, by interface: what ipam-extensions writes there. The oldest launcher
 * wins, the one that the guest runs or ran in before those that migration makes; a text that cannot be read says nothing.
 * `asked` are the NADs that the guest's spec has now, by interface: a launcher that was made with another one says
 * nothing of the new network.
 */
export function listClaimReferences(
  launchers: readonly ClaimSpeaker[],
  namespace: string,
  asked: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const oldestFirst = launchers.toSorted((a, b) => compareText(getCreation(a), getCreation(b)));
  const references = new Map<string, string>();
  for (const { metadata } of oldestFirst) {
    const parsed = parseClaimReferences(metadata.annotations?.[MULTUS_NETWORKS] ?? '', namespace, asked);
    for (const [name, claim] of parsed.ok ? parsed.value : []) if (!references.has(name)) references.set(name, claim);
  }
  return references;
}

const getCreation = ({ metadata }: ClaimSpeaker): string => metadata.creationTimestamp ?? '9';
const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const dropPrefix = (text: string): string => normalize(text.split('/')[0] ?? text);

const normalize = (text: string): string => {
  const address = parseAddress(text.trim());
  return address === undefined ? text.trim() : formatAddress(address);
};
