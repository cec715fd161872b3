import type { LogicalPort } from '../../api/types.gen.ts';
import type { Change } from '../../ipam/changes.ts';
import type { Lease } from '../../ipam/pool.ts';
import { describeNetwork } from '../../plan/ports/beside.ts';
import { findChange } from '../../plan/ports/change.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import { makeAddressRequest } from '../../plan/requests/address-request.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { reportProblem, type Turn } from '../context.ts';
import { getHolder } from './live.ts';
import { makeSharing } from './reserve.ts';
import type { Seen } from './seen.ts';

/** Another address to be written, or why what is asked for is not done. */
export type Address = { readonly lease?: Lease; readonly pending?: string };

/**
 * What is asked for otherwise than it is: nothing of a port that somebody holds moves; of another one the new address is
 * held beside the old until OVN has it. What cannot be had leaves everything as it is.
 */
export function planAddress(turn: Turn, seen: Seen, kept: Kept): Address {
  const { port, request, problem } = kept;
  if (problem !== undefined) return { pending: `what is asked for now cannot be had: ${problem.message}` };
  const asked = request === undefined ? undefined : findChange(port, request);
  const holder = getHolder(port);
  if (asked === undefined || request === undefined) {
    dropChange(turn, port);
    return describeMove(seen, kept);
  }
  if (seen.stateOf(port).holds.length > 0) {
    return { pending: `${asked} is asked for and takes effect when no pod holds the port, as after a stop` };
  }
  const sharesMac = makeSharing(turn, seen, { owner: kept.owner, request });
  const lease = turn.addresses.reserveChange({ ...makeAddressRequest(seen.namespace, holder, request), sharesMac });
  if (lease.ok) {
    turn.log.info({ port: holder, from: port.spec.ips, to: lease.value.ips }, 'address changes');
    return { lease: lease.value };
  }
  if (seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Allocating', lease.problem);
  return { pending: `${asked} is asked for and cannot be had: ${lease.problem.message}` };
}

function describeMove(seen: Seen, { port, request, superseded }: Kept): Address {
  const isOnOther = request !== undefined && findOtherNad(seen, port, request) !== undefined;
  const wanted = superseded ?? (isOnOther ? request : undefined);
  if (wanted === undefined) return {};
  return { pending: `${describeNetwork(wanted)} is asked for; a live migration or a restart brings it` };
}

/** The network by which a launcher carries the port, when that is not the one asked for though it leads to the same subnet. */
export function findOtherNad({ carriage }: Seen, port: LogicalPort, { nad }: NicRequest): string | undefined {
  const living = (carriage?.carriersOf(port) ?? []).filter(({ final }) => !final);
  const other = living.find((carrying) => carrying.nad !== undefined && carrying.nad !== nad)?.nad;
  return nad === undefined ? undefined : other;
}

/** What was asked for before and reserved, and is not asked for any more. */
function dropChange({ addresses }: Turn, port: LogicalPort): void {
  const begun = addresses.findChange(getHolder(port));
  if (begun !== undefined && !hasLease(port, begun)) addresses.dropChange(getHolder(port));
}

/** True when the LogicalPort has what it is to change to. */
export const hasLease = ({ spec }: LogicalPort, { to }: Change): boolean =>
  spec.subnet === to.subnet && spec.mac === to.lease.mac && spec.ips.join() === to.lease.ips.join();
