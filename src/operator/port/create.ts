import type { Problem } from '../../api/problem.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { ApiError, isAlreadyExists } from '../../kube/index.ts';
import { makeLogicalPort, planAttachments, planDoubtful } from '../../plan/ports/logical-port.ts';
import type { PortsPlan } from '../../plan/ports/ports.ts';
import { forAll } from '../all.ts';
import type { Turn } from '../context.ts';
import { getHolder, type Live } from './live.ts';
import type { Refusals } from './refused.ts';
import { formatHolder, type Reserved } from './reserve.ts';
import type { Seen } from './seen.ts';
import { findClusterUid } from './wishes.ts';

/**
 * Makes the LogicalPorts of new NICs: reservations with an address, or places that say why there is none. The API
 * server's answer decides: what it refuses is given back at once, what it may have taken stays held until that is known.
 * What is refused for good is missing in the result.
 */
export async function createPorts(
  turn: Turn,
  seen: Seen,
  reserved: readonly Reserved[],
  refusals: Refusals,
): Promise<Live[]> {
  const made = await forAll(
    reserved.filter(({ port }) => port === undefined),
    async (item) => {
      const what = { holder: item.holder, nic: item.request.nic, verb: 'create' as const };
      const port = await refusals.attempt(what, () => createPort(turn, seen, item));
      return listLive(port, item.problem);
    },
  );
  return made.flat();
}

const listLive = (port: LogicalPort | undefined, problem: Problem | undefined): Live[] =>
  port === undefined ? [] : [{ port, role: 'live', ...(problem === undefined ? {} : { problem }) }];

const MAX_NIC = 253;

/** Places for NICs whose request cannot even be understood. */
export async function createFailed(
  turn: Turn,
  seen: Seen,
  failed: PortsPlan['fail'],
  refusals: Refusals,
): Promise<Live[]> {
  const due = failed.filter(({ nic }) => nic !== '' && nic.length <= MAX_NIC && !seen.mayWait(''));
  const made = await forAll(due, async ({ owner, nic, problem }) => {
    const wanted = makeLogicalPort({
      namespace: seen.namespace,
      owner,
      request: { nic },
      attachments: planDoubtful(seen.stateOfNew(nic), seen.carrierOf(nic)),
      clusterUid: findClusterUid(turn),
    });
    const create = () =>
      turn.api.ports.create(wanted, { signal: turn.signal }).catch((error: unknown) => {
        if (isAlreadyExists(error)) return adoptOwn(turn, wanted);
        throw error;
      });
    return listLive(await refusals.attempt({ holder: getHolder(wanted), nic, verb: 'create' }, create), problem);
  });
  return made.flat();
}

async function createPort(turn: Turn, seen: Seen, item: Reserved): Promise<LogicalPort> {
  const { owner, request, lease, holder, madeFor } = item;
  const attachments = planAttachments(seen.stateOfNew(request.nic), request);
  const clusterUid = findClusterUid(turn);
  const { namespace } = seen;
  const wanted = makeLogicalPort({ namespace, owner, request, lease, attachments, clusterUid, madeFor });
  if (lease !== undefined) turn.pending.set(holder, { key: seen.key, subnet: request.subnet });
  try {
    // A CRD of before second ports would drop what sets the port apart, and two of them would have one switch port.
    const strict = madeFor === undefined ? {} : { fieldValidation: 'Strict' as const };
    const port = await turn.api.ports.create(wanted, { signal: turn.signal, ...strict });
    turn.pending.delete(holder);
    if (lease !== undefined) turn.log.info({ port: holder, ips: lease.ips, mac: lease.mac }, 'address reserved');
    return port;
  } catch (error) {
    if (isAlreadyExists(error)) return adoptOwn(turn, wanted);
    if (isRefused(error)) giveBack(turn, holder, request.subnet);
    throw error;
  }
}

/** Certain that nothing was stored: the server answered, and with a refusal. */
const isRefused = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408;

function giveBack(turn: Turn, holder: string, subnet: string): void {
  turn.pending.delete(holder);
  turn.addresses.giveBack(subnet, holder);
}

/**
 * Clears up after creations whose answer never came and that nobody wants any more, or not in that subnet: what is not in the API is given
 * back, what is there comes through the cache and is released like any other port.
 */
export async function settlePending(turn: Turn, seen: Seen, plan: PortsPlan): Promise<void> {
  const wanted = new Map(plan.create.map((creation) => [formatHolder(seen, creation), creation.request.subnet]));
  const left = [...turn.pending].filter(
    ([holder, { key, subnet }]) => key === seen.key && wanted.get(holder) !== subnet,
  );
  await forAll(left, async ([holder, { subnet }]) => {
    const name = holder.slice(holder.indexOf('/') + 1);
    const found = await turn.api.ports.find({ namespace: seen.namespace, name }, { signal: turn.signal });
    if (found === undefined) giveBack(turn, holder, subnet);
    else turn.pending.delete(holder);
  });
}

/** An earlier attempt of ours, whose answer was lost or whose event has not come yet. */
async function adoptOwn(turn: Turn, wanted: LogicalPort): Promise<LogicalPort> {
  const { name, namespace } = wanted.metadata;
  const holder = getHolder(wanted);
  const found = await turn.api.ports.find({ namespace, name }, { signal: turn.signal });
  if (found === undefined) throw failTaken(`LogicalPort ${holder} was there and is gone`);
  turn.pending.delete(holder);
  const isOwn = found.spec.owner.uid === wanted.spec.owner.uid;
  const isWhole = found.spec.ips.length >= wanted.spec.ips.length;
  if (!isOwn || !isWhole || found.spec.subnet !== wanted.spec.subnet) {
    turn.addresses.giveBack(wanted.spec.subnet, holder);
  }
  if (isOwn && isWhole) return found;
  if (isOwn) throw failTaken(`LogicalPort ${holder} was made without an address before`);
  throw failTaken(`LogicalPort ${holder} of an earlier life is not released yet`);
}

const failTaken = (message: string): ApiError =>
  new ApiError({ status: 409, reason: 'AlreadyExists', message, class: 'conflict' });
