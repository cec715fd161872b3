import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { AddressRequest, SharesMac } from '../../ipam/allocate.ts';
import type { Lease } from '../../ipam/pool.ts';
import { isUnallocated } from '../../plan/ports/change.ts';
import { isHandedOver } from '../../plan/ports/claim-status.ts';
import { formatPortName } from '../../plan/ports/logical-port.ts';
import { describeSharer, sharesMac } from '../../plan/ports/mac-turns.ts';
import type { PortsPlan } from '../../plan/ports/ports.ts';
import { makeAddressRequest } from '../../plan/requests/address-request.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import { reportProblem, type Turn } from '../context.ts';
import { getHolder } from './live.ts';
import type { Seen } from './seen.ts';

type Owner = LogicalPort['spec']['owner'];

/** One NIC that needs an address: a port that is still to be made, or one that only says why it has none. */
export type Need = {
  readonly owner: Owner;
  readonly request: NicRequest;
  readonly port?: LogicalPort;
  readonly madeFor?: string;
};

/** A need with its address, or with what is in the way. */
export type Reserved = Need & { readonly holder: string; readonly lease?: Lease; readonly problem?: Problem };

/** The NICs of a turn that need an address now. */
export function listNeeds(seen: Seen, plan: PortsPlan): Need[] {
  const waiting = plan.keep.flatMap(({ port, owner, request, role, superseded }) => {
    const isDue = role === 'live' && superseded === undefined && isUnallocated(port);
    return isDue && request !== undefined ? [{ port, owner, request, ...placeOf(port) }] : [];
  });
  return [...waiting, ...plan.create].filter(({ request }) => !seen.mayWait(request.subnet));
}

const placeOf = ({ spec: { madeFor } }: LogicalPort) => (madeFor === undefined ? {} : { madeFor });

/**
 * Reserves addresses for all NICs that need one, or for none: a machine with half of its NICs cannot start, and must not
 * hold addresses that others wait for. What stands in the way is told on each of them, its own problem or its sibling's.
 */
export function reserve(turn: Turn, seen: Seen, needs: readonly Need[]): Reserved[] {
  const held = needs.map((need) => ({ ...need, holder: formatHolder(seen, need) }));
  const request = (need: (typeof held)[number]): AddressRequest => ({
    ...makeAddressRequest(seen.namespace, need.holder, need.request),
    heirOf: listPredecessors(turn, seen.namespace, need.request),
    sharesMac: makeSharing(turn, seen, need),
  });
  const leases = turn.addresses.allocate(held.map(request));
  if (leases.ok) return held.flatMap((need, index) => addLease(need, leases.value[index]));
  const failures = held.map((need) => findFailure(turn, request(need)));
  const first = held.findIndex((_, index) => failures[index] !== undefined);
  const culprit = held[first === -1 ? 0 : first];
  const cause = failures[first] ?? leases.problem;
  if (seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Allocating', cause);
  return held.map((need, index) => ({
    ...need,
    problem: failures[index] ?? {
      reason: cause.reason,
      message: `waits for NIC ${culprit?.request.nic ?? ''}, as all NICs get their addresses together: ${cause.message}`,
    },
  }));
}

/**
 * Why the NIC could not even have its address alone. What was reserved before stays so: its LogicalPort may have been
 * written, and the answer lost.
 */
function findFailure({ addresses }: Turn, request: AddressRequest): Problem | undefined {
  const { subnet, holder } = request;
  const wasReserved = addresses.isReserved(subnet, holder);
  const alone = addresses.allocate([request]);
  if (!alone.ok) return alone.problem;
  if (!wasReserved) addresses.giveBack(subnet, holder);
  return undefined;
}

/** The ports that only an IPAMClaim keeps: whoever refers to it now gets the address before they let it go. */
function listPredecessors({ world }: Turn, namespace: string, { ipamClaim }: NicRequest): string[] {
  if (ipamClaim === undefined) return [];
  return world.ports.store.byIndex('claim', `${namespace}/${ipamClaim}`).filter(isHandedOver).map(getHolder);
}

/** With whom a guest may take turns at a MAC: those whose LogicalPort is there to be seen. */
export function makeSharing({ world }: Pick<Turn, 'world'>, { namespace }: Seen, { owner, request }: Need): SharesMac {
  const own = { namespace, owner, ipamOnly: request.ipamOnly };
  return (holder) => {
    const other = world.ports.store.get(holder);
    return other !== undefined && sharesMac(own, describeSharer(other));
  };
}

const addLease = <T>(need: T, lease: Lease | undefined): (T & { lease: Lease })[] =>
  lease === undefined ? [] : [{ ...need, lease }];

export const formatHolder = ({ namespace }: Seen, { owner, request, madeFor }: Omit<Need, 'port'>): string =>
  `${namespace}/${formatPortName(namespace, owner, { nic: request.nic, madeFor })}`;
