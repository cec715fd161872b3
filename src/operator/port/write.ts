import { FINALIZER } from '../../api/names.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { Lease } from '../../ipam/pool.ts';
import { ApiError, ensureObject, isAlreadyExists, isNotFound, removeFinalizer } from '../../kube/index.ts';
import { formatPortName, makeLogicalPort, planAttachments, planPortChange } from '../../plan/logical-port.ts';
import type { PortsPlan } from '../../plan/ports.ts';
import { forAll } from '../all.ts';
import { reportProblem, type Turn } from '../context.ts';
import type { Seen } from './seen.ts';

type Creation = PortsPlan['create'][number];

/** The ports that were made, or the subnets that could not give what was asked for. */
export type Created = { readonly ports: readonly LogicalPort[]; readonly blockedOn: readonly string[] };

/**
 * Reserves the addresses of all missing NICs, or of none of them, by making their LogicalPorts. The API server's answer
 * decides: what it refuses is given back at once, what it may have taken stays held until that is known.
 */
export async function createPorts(turn: Turn, seen: Seen, creations: readonly Creation[]): Promise<Created> {
  const due = creations.filter(({ request }) => !seen.mayWait(request.subnet));
  const requests = due.map(({ owner, request }) => ({
    holder: formatHolder(seen, { owner, request }),
    subnet: request.subnet,
    ips: request.ips,
    mac: request.mac,
  }));
  const leases = turn.addresses.allocate(requests);
  if (!leases.ok) {
    if (seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Allocating', leases.problem);
    return { ports: [], blockedOn: requests.map((request) => request.subnet) };
  }
  const given = due.flatMap((creation, index) => {
    const lease = leases.value[index];
    return lease === undefined ? [] : [{ creation, lease }];
  });
  const ports = await forAll(given, ({ creation, lease }) => createPort(turn, seen, creation, lease));
  return { ports, blockedOn: [] };
}

const formatHolder = ({ namespace }: Seen, { owner, request }: Creation): string =>
  `${namespace}/${formatPortName(namespace, owner, request.nic)}`;

async function createPort(turn: Turn, seen: Seen, creation: Creation, lease: Lease): Promise<LogicalPort> {
  const { owner, request } = creation;
  const attachments = planAttachments(seen.stateOf(undefined), request);
  const wanted = makeLogicalPort({ namespace: seen.namespace, owner, request, lease, attachments });
  const holder = formatHolder(seen, creation);
  turn.pending.set(holder, { key: seen.key, subnet: request.subnet });
  try {
    const port = await turn.api.ports.create(wanted, { signal: turn.signal });
    turn.pending.delete(holder);
    turn.log.info({ port: holder, ips: lease.ips, mac: lease.mac }, 'address reserved');
    return port;
  } catch (error) {
    if (isAlreadyExists(error)) return adoptOwn(turn, seen, wanted);
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
async function adoptOwn(turn: Turn, { namespace }: Seen, wanted: LogicalPort): Promise<LogicalPort> {
  const { name } = wanted.metadata;
  const found = await turn.api.ports.find({ namespace, name }, { signal: turn.signal });
  if (found === undefined) throw failTaken(`LogicalPort ${namespace}/${name} was there and is gone`);
  turn.pending.delete(`${namespace}/${name}`);
  const isOwn = found.spec.owner.uid === wanted.spec.owner.uid;
  if (!isOwn || found.spec.subnet !== wanted.spec.subnet) {
    turn.addresses.giveBack(wanted.spec.subnet, `${namespace}/${name}`);
  }
  if (isOwn) return found;
  throw failTaken(`LogicalPort ${namespace}/${name} of an earlier life is not released yet`);
}

const failTaken = (message: string): ApiError =>
  new ApiError({ status: 409, reason: 'AlreadyExists', message, class: 'conflict' });

/** Brings a kept port's attachments, labels and owner up to date; gives it as it is then. */
export async function updatePort(turn: Turn, seen: Seen, kept: PortsPlan['keep'][number]): Promise<LogicalPort> {
  const { port, owner, request } = kept;
  const carrier = request ?? findCarrier(port);
  const attachments = carrier === undefined ? [] : planAttachments(seen.stateOf(port), carrier);
  const binding = request?.binding ?? port.spec.binding;
  const desired = planPortChange(port, { owner, attachments, ...(binding === undefined ? {} : { binding }) });
  const { object } = await ensureObject(turn.api.ports, desired, { known: port, signal: turn.signal });
  return object;
}

/** Where the NIC was carried last, when its spec is not there any more to say so. */
function findCarrier(port: LogicalPort): { interface: string; nad?: string } | undefined {
  const last = port.spec.attachments?.[0];
  return last && { interface: last.interface, ...(last.nad === undefined ? {} : { nad: last.nad }) };
}

/** Ends a LogicalPort whose rows are gone: from here on its address may be given to others. */
export async function releasePort(turn: Turn, port: LogicalPort): Promise<void> {
  const { name, namespace, uid } = port.metadata;
  const { ports } = turn.api;
  await ports.delete({ name, namespace }, { uid }, turn.signal).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  await removeFinalizer(ports, { name, namespace, uid }, FINALIZER);
  turn.log.info({ port: `${namespace}/${name}`, ips: port.spec.ips, mac: port.spec.mac }, 'address released');
}
