import type { LogicalPort } from '../../api/types.gen.ts';
import type { Outcome } from '../../kube/index.ts';
import { explainStandby } from '../../plan/ports/beside.ts';
import { findChange, isUnallocated } from '../../plan/ports/change.ts';
import { explainMac, type MacStanding } from '../../plan/ports/mac-turns.ts';
import { type Kept, type PortsPlan, planPorts } from '../../plan/ports/ports.ts';
import { forAll } from '../all.ts';
import { reportProblem, type Turn } from '../context.ts';
import { hasLease } from './address.ts';
import { isGuestBehind } from './behind.ts';
import { writeClaims } from './claims.ts';
import { createFailed, createPorts, settlePending } from './create.ts';
import { isFresh } from './fresh.ts';
import { getHolder, type Live, makeLive } from './live.ts';
import { createRefusals, type Refusals } from './refused.ts';
import { listNeeds, type Reserved, reserve } from './reserve.ts';
import { programMoves, programPorts, type Rows } from './rows.ts';
import type { Seen } from './seen.ts';
import { formatNow, planStatus, writeStatus } from './status.ts';
import { reportSteps } from './steps.ts';
import { tellGuest } from './tell.ts';
import { releasePort, tryUpdate } from './write.ts';

const BLOCKED_MS = 30_000;
const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 200;

const timeOf = (rows: Rows | undefined) => (rows?.tookMs === undefined ? {} : { tookMs: rows.tookMs });

/**
 * One turn for a VM or a pod: the rows of a guest that moves, then reservations, then all rows, then the releases, then
 * the status. Any part of it may have been done by a turn that was cut short; each part does only what is missing.
 */
export async function runPortTurn(turn: Turn, seen: Seen): Promise<Outcome> {
  const plan = planPorts(seen);
  reportProblems(turn, seen, plan);
  if (await isGuestBehind(turn, seen, plan.keep)) return { requeueAfterMs: LAGGING_MS };
  const moved = await programMoves(turn, seen, plan.keep);
  const doubtful = listDoubtful(turn, seen, plan);
  const isLagging = doubtful.length > 0 && !(await isFresh(turn, seen, doubtful));
  const release = isLagging ? [] : plan.release;
  await settlePending(turn, seen, plan);
  const reserved = reserve(turn, seen, listNeeds(seen, plan));
  const refusals = createRefusals(turn, seen);
  const kept = await updatePorts(turn, seen, plan.keep, { reserved, frozen: isLagging, refusals });
  const made = await makePorts(turn, seen, { reserved, fail: plan.fail }, refusals);
  const live = [...kept, ...made.live];
  const rows = await programPorts(turn, seen, { live, release });
  const { programming } = rows;
  if (programming.ok) {
    for (const { port } of live) settleChange(turn, port);
    await forAll(release, (port) => releasePort(turn, port));
  }
  // The first rows are those that a migration waited for.
  const delays = await writeStatuses(turn, seen, { live, rows: rows.written ? rows : { ...rows, ...timeOf(moved) } });
  await writeClaims(turn, live, formatNow(turn));
  const retryMs = refusals.settle();
  if ('error' in made) throw made.error;
  const outcome = settle(turn, seen, { plan, live, rows });
  if (isLagging) return { requeueAfterMs: LAGGING_MS };
  return shorten(outcome, [...delays, retryMs]);
}

function reportProblems(turn: Turn, { regarding, plan }: Seen, { problems }: PortsPlan): void {
  if (regarding === undefined) return;
  for (const { problem } of problems) reportProblem(turn, regarding, 'Planning', problem);
  for (const note of plan.notes ?? []) reportProblem(turn, regarding, 'Planning', note);
}

/** Ports of which the turn decides what old news must not. */
function listDoubtful(turn: Turn, seen: Seen, { release, keep }: PortsPlan): LogicalPort[] {
  return [...release, ...keep.filter((kept) => isDecisive(turn, seen, kept)).map(({ port }) => port)];
}

type Missing = { readonly reserved: readonly Reserved[]; readonly fail: PortsPlan['fail'] };

/**
 * Makes the ports that are missing. One that the API server does not take keeps none of the others from its rows or its
 * release, which may be what a quota waits for: an error is for the end of the turn.
 */
async function makePorts(turn: Turn, seen: Seen, { reserved, fail }: Missing, refusals: Refusals): Promise<Made> {
  try {
    const created = await createPorts(turn, seen, reserved, refusals);
    return { live: [...created, ...(await createFailed(turn, seen, fail, refusals))] };
  } catch (error) {
    turn.signal.throwIfAborted();
    return { live: [], error };
  }
}

type Made = { readonly live: readonly Live[]; readonly error?: unknown };

/** Releases aside, what hands a port over or gives it another address: nothing that old news may decide. */
function isDecisive(turn: Turn, seen: Seen, { port, owner, request, role }: Kept): boolean {
  if (role !== 'live') return false;
  if (owner.uid !== port.spec.owner.uid) return true;
  if (request === undefined || isUnallocated(port)) return false;
  const isAsked = findChange(port, request) !== undefined;
  return (
    isAsked !== (turn.addresses.findChange(getHolder(port)) !== undefined) && seen.stateOf(port).holds.length === 0
  );
}

/** Only now, with the new address in OVN, the old one is free; a port that was left as it is has not changed. */
function settleChange({ addresses, wake }: Turn, port: LogicalPort): void {
  const begun = addresses.findChange(getHolder(port));
  if (begun === undefined || !hasLease(port, begun)) return;
  addresses.settleChange(getHolder(port));
  wake(begun.from.subnet);
}

type Means = { readonly reserved: readonly Reserved[]; readonly frozen: boolean; readonly refusals: Refusals };

/**
 * Brings the kept ports up to date, but for what the API server refuses for good; before them the VMI of a guest that is
 * to be told of its NICs. When the API server does not answer, or for the moment, their rows follow the guest all the same
 * before that is thrown: after a migration that failed it has to be reached where it stayed.
 */
async function updatePorts(
  turn: Turn,
  seen: Seen,
  keep: PortsPlan['keep'],
  { reserved, frozen, refusals }: Means,
): Promise<Live[]> {
  try {
    await tellGuest(turn, seen, { keep, reserved }, refusals);
    return await forAll(keep, (kept) => {
      const own = reserved.find((item) => item.port === kept.port);
      return tryUpdate(turn, seen, { kept, reserved: own, frozen }, refusals);
    });
  } catch (error) {
    const live = keep.map(({ port, role }) => ({ ...makeLive(port), role }));
    await programPorts(turn, seen, { live, release: [] });
    throw error;
  }
}

type Outlook = { readonly live: readonly Live[]; readonly rows: Rows };

/** Tells of each port what is true of it now; gives how long statuses wait that may. */
async function writeStatuses(turn: Turn, seen: Seen, { live, rows }: Outlook): Promise<(number | undefined)[]> {
  const ports = live.map(({ port }) => port);
  const told = live.map((item) => {
    const standby = explainStandby(item.port, ports, seen.carriage);
    const mac = rows.macs.get(getHolder(item.port));
    if (mac !== undefined) reportMac(turn, seen, { port: item.port, mac });
    const facts = { state: seen.stateOf(item.port), programming: rows.programming, standby, mac };
    return { port: item.port, status: planStatus(turn, item, facts) };
  });
  reportSteps(turn, seen, { told, tookMs: rows.tookMs });
  return forAll(told, ({ port, status }) => writeStatus(turn, port, status, seen.leaving));
}

type Standing = { readonly port: LogicalPort; readonly mac: MacStanding };

/** Once, when it begins to wait: as an event on the machine that was to start. */
function reportMac(turn: Turn, { regarding }: Seen, { port, mac }: Standing): void {
  if (mac.kind !== 'taken' || port.status?.phase === 'Conflict') return;
  const message = `NIC ${port.spec.nic}: ${explainMac(port, mac)}`;
  for (const object of [port, ...(regarding === undefined ? [] : [regarding])]) {
    reportProblem(turn, object, 'Programming', { reason: 'AddressConflict', message });
  }
}

type End = { readonly plan: PortsPlan; readonly live: readonly Live[]; readonly rows: Rows };

/** What cannot go on by itself waits for the change that helps, and looks again now and then all the same. */
function settle(turn: Turn, seen: Seen, { plan, live, rows: { programming, macs } }: End): Outcome {
  const isTaken = ({ port }: Live) => macs.get(getHolder(port))?.kind === 'taken';
  const stuck = live.filter((item) => item.problem !== undefined || item.pending !== undefined || isTaken(item));
  if (live.length === 0) turn.heard.delete(seen.key);
  if (stuck.length === 0 && plan.problems.length === 0 && programming.ok) {
    turn.blocked.delete(seen.key);
    return { done: true };
  }
  const waitsFor = (programming.ok ? stuck : live).map(({ port }) => port.spec.subnet);
  turn.blocked.set(seen.key, waitsFor);
  if (programming.ok) return { requeueAfterMs: stuck.some(isTaken) ? UNPROGRAMMED_MS : BLOCKED_MS };
  // Rows of the subnet that are still to come are no news; the port's condition tells of them.
  const isNews = programming.problem.reason !== 'SubnetNotReady';
  if (isNews && seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Programming', programming.problem);
  return { requeueAfterMs: UNPROGRAMMED_MS };
}

/** The turn that writes what was put off comes in time. */
function shorten(outcome: Outcome, delays: readonly (number | undefined)[]): Outcome {
  const waits = [...delays, 'requeueAfterMs' in outcome ? outcome.requeueAfterMs : undefined];
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? outcome : { requeueAfterMs: Math.min(...known) };
}
