import { FINALIZER } from '../../api/names.ts';
import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { Lease } from '../../ipam/pool.ts';
import { ensureObject, isNotFound, removeFinalizer } from '../../kube/index.ts';
import { isUnallocated } from '../../plan/ports/change.ts';
import {
  type Carrier,
  type PortChange,
  planAttachments,
  planDoubtful,
  planPortChange,
} from '../../plan/ports/logical-port.ts';
import type { Kept } from '../../plan/ports/ports.ts';
import type { NicRequest } from '../../plan/requests/types.ts';
import type { Turn } from '../context.ts';
import { findOtherNad, planAddress } from './address.ts';
import { getHolder, type Live } from './live.ts';
import type { Refusals } from './refused.ts';
import type { Reserved } from './reserve.ts';
import { addNads, type Seen } from './seen.ts';
import { findClusterUid } from './wishes.ts';

export type Update = {
  readonly kept: Kept;
  /** The address that was found for a port without one, or why there is none. */
  readonly reserved?: Reserved | undefined;
  /** Our caches lag: nothing changes hands or addresses now. */
  readonly frozen: boolean;
};

/** As `updatePort`; a port whose change the API server refuses for good stays as it is. */
export async function tryUpdate(turn: Turn, seen: Seen, update: Update, refusals: Refusals): Promise<Live> {
  const { port, role, problem } = update.kept;
  const what = { holder: getHolder(port), nic: port.spec.nic, verb: 'update' as const };
  const live = await refusals.attempt(what, () => updatePort(turn, seen, update));
  if (live !== undefined) return live;
  return isUnallocated(port) ? { port, role, problem: problem ?? update.reserved?.problem ?? REFUSED } : { port, role };
}

/** Without the server's words: they may differ each time, and a status that does would bring the next turn. */
const REFUSED: Problem = {
  reason: 'PortRefused',
  message: 'the API server refuses to write the address; the event of this reason on the owner says why',
};

/** Brings a kept port up to date with its owner, its holders and what is asked for it; gives it as it is then. */
async function updatePort(turn: Turn, seen: Seen, update: Update): Promise<Live> {
  const { port, role } = update.kept;
  if (role === 'retained' || role === 'claimed') {
    return { port: await write(turn, port, { owner: port.spec.owner, attachments: [], ownerless: true }), role };
  }
  return isUnallocated(port) ? updateUnallocated(turn, seen, update) : updateAllocated(turn, seen, update);
}

async function updateAllocated(turn: Turn, seen: Seen, { kept, frozen }: Update): Promise<Live> {
  const { port, role, request } = kept;
  const { lease, pending } = frozen ? {} : planAddress(turn, seen, kept);
  const written = await write(turn, port, {
    owner: frozen ? port.spec.owner : kept.owner,
    attachments: listAttachments(seen, kept, pending !== undefined),
    request: request && keepNad(seen, request, { port, lease }),
    lease,
    clusterUid: role === 'live' && !frozen ? findClusterUid(turn) : undefined,
    ownerless: role === 'restored',
  });
  return { port: written, role, ...(pending === undefined ? {} : { pending }) };
}

type Allocation = { readonly port: LogicalPort; readonly lease: Lease | undefined };

/**
 * The port's network is that of its address, and of the launchers that are there until the last of them is gone: one may
 * come back to it.
 */
function keepNad(seen: Seen, request: NicRequest, { port, lease }: Allocation): NicRequest {
  const { nad: asked, ...rest } = request;
  const isOther = lease === undefined && port.spec.subnet !== request.subnet;
  const nad = isOther ? port.spec.nad : (findOtherNad(seen, port, request) ?? asked);
  return nad === undefined ? rest : { ...rest, nad: nad === asked ? nad : (port.spec.nad ?? nad) };
}

/** A port without an address takes the one that was found for it, or says why there is none. */
async function updateUnallocated(turn: Turn, seen: Seen, { kept, reserved, frozen }: Update): Promise<Live> {
  const { port, request, role, problem = reserved?.problem } = kept;
  const owner = frozen ? port.spec.owner : kept.owner;
  const lease = frozen ? undefined : reserved?.lease;
  if (lease === undefined || request === undefined) {
    const written = await write(turn, port, { owner, request, ...describeLack(seen, kept) });
    return { port: written, role, ...(problem === undefined ? {} : { problem }) };
  }
  const attachments = planAttachments(seen.stateOf(port), addNads(seen, port, request));
  const written = await write(turn, port, { owner, attachments, request, lease });
  turn.log.info({ port: getHolder(port), ips: lease.ips, mac: lease.mac }, 'address reserved');
  return { port: written, role };
}

/** The subnet is that of the request, so that its changes wake the port; without a request it keeps no subnet in use. */
function describeLack(seen: Seen, { port, request }: Kept): Pick<PortChange, 'subnet' | 'attachments'> {
  const state = seen.stateOf(port);
  if (request !== undefined) {
    return { subnet: request.subnet, attachments: planDoubtful(state, addNads(seen, port, request)) };
  }
  const carrier = seen.carrierOf(port.spec.nic);
  return { subnet: '', attachments: planDoubtful(state, carrier && addNads(seen, port, carrier)) };
}

/** While something else is pending, pods carry the NIC as they did when they began to. */
function listAttachments(seen: Seen, { port, request }: Kept, isPending: boolean) {
  const asked: Carrier | undefined = request ?? seen.carrierOf(port.spec.nic);
  const carrier = isPending ? (findLastCarrier(port) ?? asked) : (asked ?? findLastCarrier(port));
  return carrier === undefined ? [] : planAttachments(seen.stateOf(port), addNads(seen, port, carrier));
}

/** Where the NIC was carried last, when its spec is not there any more to say so. */
function findLastCarrier(port: LogicalPort): Carrier | undefined {
  const last = port.spec.attachments?.[0];
  return last && { interface: last.interface, ...(last.nad === undefined ? {} : { nad: last.nad }) };
}

/** What changes hands or addresses is written only over what was seen; all else over whatever is there. */
async function write(turn: Turn, port: LogicalPort, change: PortChange): Promise<LogicalPort> {
  const desired = planPortChange(port, change);
  if (change.lease !== undefined || change.owner.uid !== port.spec.owner.uid) {
    const { name, namespace, uid, resourceVersion } = port.metadata;
    const metadata = { ...desired.metadata, uid, resourceVersion };
    return turn.api.ports.patch({ name, namespace }, { metadata, spec: desired.spec }, { signal: turn.signal });
  }
  const { object } = await ensureObject(turn.api.ports, desired, { known: port, signal: turn.signal });
  return object;
}

/** Ends a LogicalPort whose rows are gone: from here on its address may be given to others. */
export async function releasePort(turn: Turn, port: LogicalPort): Promise<void> {
  const { name, namespace, uid } = port.metadata;
  const { ports } = turn.api;
  await ports.delete({ name, namespace }, { uid }, turn.signal).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  await removeFinalizer(ports, { name, namespace, uid }, FINALIZER);
  turn.late.delete(getHolder(port));
  turn.log.info({ port: getHolder(port), ips: port.spec.ips, mac: port.spec.mac }, 'address released');
}
