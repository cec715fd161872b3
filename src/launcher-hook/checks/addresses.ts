import { formatAddress, parseAddress } from '../../api/address.ts';
import { formatLogicalPortName } from '../../api/names.ts';
import { type Problem as Cause, fail, type Result, succeed } from '../../api/problem.ts';
import type { Reason } from '../../api/reasons.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { type AddressRequest, chooseLease } from '../../ipam/allocate.ts';
import { planPools } from '../../ipam/ip-pools.ts';
import { createPool, type Pool } from '../../ipam/pool.ts';
import { planRanges, type SubnetRanges } from '../../ipam/ranges.ts';
import { holdAddress } from '../../ipam/space.ts';
import { excludeNodes } from '../../plan/networks/node-addresses.ts';
import { makeAddressRequest } from '../../plan/requests/address-request.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { listFull } from './full.ts';
import { type Guest, isOwnPort } from './guest.ts';
import { describeHolder, formatHolder, isLeaving } from './holders.ts';
import { explainReserved } from './reserved.ts';
import { type CheckCluster, deny, type Problem, warn } from './types.ts';

/** What an administrator puts right, or time does: the NIC waits, and nothing is wrong with what is asked for. */
const WAITS: readonly Reason[] = ['SubnetNotReady', 'SubnetFull', 'PoolFull', 'InvalidPool'];
/** What only the operator can tell, as it sees all subnets: why one gives no addresses. */
const UNUSABLE: readonly string[] = ['CIDROverlap', 'VpcNotFound'] satisfies Reason[];

type Case = {
  readonly request: NicRequest;
  readonly subnet: Subnet;
  readonly guest: Guest;
  readonly cluster: CheckCluster;
};

/**
 * What speaks against the addresses that are asked for one NIC: the allocator's own judgement, given who holds just
 * these. Nothing is held by asking.
 */
export function checkAddresses(request: NicRequest, guest: Guest, cluster: CheckCluster): Problem[] {
  const subnet = cluster.findSubnet(request.subnet);
  if (subnet === undefined) return [];
  const the: Case = { request, subnet, guest, cluster };
  const ranges = findRanges(the);
  if (!ranges.ok) return [warn(ranges.problem, request.nic)];
  const asked = makeAddressRequest(guest.namespace, formatKey(the), pickChecked(request));
  const pool = makePool(the, ranges.value, listAsked(asked));
  const lease = chooseLease(pool, asked, { random: (length) => new Uint8Array(length) });
  if (lease.ok) return listFull(request, subnet, { guest, cluster });
  return [judge(lease.problem, the)];
}

/** MACs have a rule of their own, and a long list costs more time than an answer may take: the operator goes through it. */
function pickChecked({ mac: _, pool, ...request }: NicRequest): NicRequest {
  const isLong = pool?.kind === 'list' && pool.candidates.length > MAX_CANDIDATES;
  return pool === undefined || isLong ? request : { ...request, pool };
}

const MAX_CANDIDATES = 256;

/** The ranges as the operator has them, or why it has none. */
function findRanges({ subnet, cluster }: Case): Result<SubnetRanges> {
  const ranges = planRanges(subnet.spec);
  const notReady = (what: string) => fail('SubnetNotReady', `subnet ${subnet.metadata.name}: ${what}`);
  if (!ranges.ok) return notReady(ranges.problem.message);
  const ready = subnet.status?.conditions?.find(({ type }) => type === 'Ready');
  const isUnusable = ready?.status === 'False' && UNUSABLE.includes(ready.reason);
  if (isUnusable) return notReady(ready.message);
  return succeed(excludeNodes(ranges.value, cluster.getNodeAddresses()));
}

function formatKey({ guest, request: { nic } }: Case): string {
  const { kind, namespace, name } = guest;
  return `${namespace}/${formatLogicalPortName({ ownerKind: kind, namespace, owner: name, nic })}`;
}

const listAsked = ({ ips, candidates }: AddressRequest): readonly string[] => ips ?? candidates?.flat() ?? [];

/** The subnet with its IPPools, and nobody in it but those who hold what is asked for. */
function makePool(the: Case, ranges: SubnetRanges, asked: readonly string[]): Pool {
  const { subnet, guest, cluster } = the;
  const { name } = subnet.metadata;
  const objects = cluster.listPools().filter(({ spec }) => spec.subnet === name);
  const pool = createPool(ranges, { pools: planPools(objects, new Map([[name, { usable: true, ranges }]])) });
  for (const ip of asked) {
    const address = parseAddress(ip);
    if (address === undefined) continue;
    for (const port of cluster.findPortsByIp(name, ip)) {
      holdAddress(pool.space, address, isOwnPort(guest, port) ? formatKey(the) : formatHolder(port));
    }
  }
  return pool;
}

function judge(cause: Cause, the: Case): Problem {
  const { request, subnet, cluster } = the;
  const { nic, ips = [] } = request;
  if (cause.reason === 'AddressInUse') return judgeTaken(cause, the);
  if (cause.reason === 'AddressReserved') {
    const why = ips.flatMap((ip) => explainReserved(ip, subnet.spec, cluster.getNodeAddresses()) ?? []);
    const message = why.length === 0 ? cause.message : `${why.join('; ')}, in subnet ${subnet.metadata.name}`;
    return deny({ reason: cause.reason, message }, nic);
  }
  return WAITS.includes(cause.reason) ? warn(cause, nic) : deny(cause, nic);
}

/** A holder that is on its way out is no reason to keep its successor out. */
function judgeTaken(cause: Cause, the: Case): Problem {
  const { request, subnet, guest, cluster } = the;
  const taken = (request.ips ?? []).flatMap((ip) => {
    const others = listOthers(ip, the);
    return others.length === 0 ? [] : [{ ip, others }];
  });
  const staying = taken.find(({ others }) => others.some((port) => !isLeaving(port, cluster)));
  const shown = staying ?? taken[0];
  const holder = shown?.others.find((port) => !isLeaving(port, cluster)) ?? shown?.others[0];
  if (shown === undefined || holder === undefined) return deny(cause, request.nic);
  const message = `${normalize(shown.ip)} in subnet ${subnet.metadata.name} ${describeHolder(holder, guest)}`;
  if (staying !== undefined) return deny({ ...cause, message }, request.nic);
  return warn({ ...cause, message: `${message}, which gives it back; this NIC gets it then` }, request.nic);
}

function listOthers(ip: string, { subnet, guest, cluster }: Case): LogicalPort[] {
  return cluster.findPortsByIp(subnet.metadata.name, ip).filter((port) => !isOwnPort(guest, port));
}

function normalize(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}
