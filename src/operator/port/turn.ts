import type { LogicalPort } from '../../api/types.gen.ts';
import type { Outcome } from '../../kube/index.ts';
import { formatPortOwner, planLsp } from '../../plan/lsp.ts';
import type { Programming } from '../../plan/port-status.ts';
import { type PortsPlan, planPorts } from '../../plan/ports.ts';
import { NOTHING } from '../../plan/rows.ts';
import { forAll } from '../all.ts';
import { reportProblem, type Turn } from '../context.ts';
import { isFresh } from './fresh.ts';
import { program } from './program.ts';
import type { Seen } from './seen.ts';
import { writeStatus } from './status.ts';
import { createPorts, releasePort, settlePending, updatePort } from './write.ts';

const BLOCKED_MS = 30_000;
const UNPROGRAMMED_MS = 2000;
const LAGGING_MS = 200;

/**
 * One turn for a VM or a pod: reservations first, then the rows, then the releases, then the status. Any part of it may
 * have been done by a turn that was cut short; each part does only what is missing.
 */
export async function runPortTurn(turn: Turn, seen: Seen): Promise<Outcome> {
  const plan = planPorts(seen);
  for (const { problem } of plan.problems) {
    if (seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Planning', problem);
  }
  const isLagging = plan.release.length > 0 && !(await isFresh(turn, seen, plan.release));
  const release = isLagging ? [] : plan.release;
  const kept = await updatePorts(turn, seen, plan.keep);
  await settlePending(turn, seen, plan);
  const created = await createPorts(turn, seen, plan.create);
  const live = [...kept, ...created.ports];
  const programming = await programPorts(turn, seen, { live, release });
  if (programming.ok) await forAll(release, (port) => releasePort(turn, port));
  await forAll(live, (port) =>
    writeStatus(turn, port, { state: seen.stateOf(port), programming, regarding: seen.regarding }),
  );
  const waitsFor = [...created.blockedOn, ...(programming.ok ? [] : live.map((port) => port.spec.subnet))];
  const outcome = settle(turn, seen, { programming, waitsFor, hasProblems: plan.problems.length > 0 });
  return isLagging ? { requeueAfterMs: LAGGING_MS } : outcome;
}

/**
 * Brings the kept ports up to date. When the API server refuses or does not answer, their rows follow the guest all the
 * same before that is thrown: after a migration that failed it has to be reached where it stayed.
 */
async function updatePorts(turn: Turn, seen: Seen, keep: PortsPlan['keep']): Promise<LogicalPort[]> {
  try {
    return await forAll(keep, (item) => updatePort(turn, seen, item));
  } catch (error) {
    await programPorts(turn, seen, { live: keep.map(({ port }) => port), release: [] });
    throw error;
  }
}

type Ports = { readonly live: readonly LogicalPort[]; readonly release: readonly LogicalPort[] };

/**
 * The rows of all ports of the key in one transaction. A port that must yield to an older rival has none; those of a
 * port whose Subnet is not there to be read are left as they are.
 */
async function programPorts(turn: Turn, seen: Seen, { live, release }: Ports): Promise<Programming> {
  const plans = turn.addresses.plans();
  const known = live.filter((port) => plans.has(port.spec.subnet));
  const ports = known.flatMap((port) => {
    const subnet = plans.get(port.spec.subnet);
    if (subnet === undefined || turn.addresses.listOlderRivals(port).length > 0) return [];
    return [planLsp(port, subnet, seen.stateOf(port), turn.settings)];
  });
  const owners = [...known, ...release].map(formatPortOwner);
  const programming = await program(turn, { ...NOTHING, ports }, owners);
  const { since } = turn;
  if (programming.ok && programming.written && since !== undefined) {
    turn.metrics.observe('event_to_commit_ms', turn.clock.now() - since, describeTurn(seen, live));
  }
  return programming;
}

/** Labels of the time from event to commit; `phase` tells a migration's turns from all others. */
function describeTurn(seen: Seen, live: readonly LogicalPort[]): Record<string, string> {
  const [first] = live;
  return {
    kind: seen.key.slice(0, seen.key.indexOf('/')),
    phase: first === undefined ? 'released' : seen.stateOf(first).phase,
  };
}

type End = {
  readonly programming: Programming;
  readonly waitsFor: readonly string[];
  readonly hasProblems: boolean;
};

/** What cannot go on by itself waits for the change that helps, and looks again now and then all the same. */
function settle(turn: Turn, seen: Seen, { programming, waitsFor, hasProblems }: End): Outcome {
  if (waitsFor.length === 0 && !hasProblems && programming.ok) {
    turn.blocked.delete(seen.key);
    return { done: true };
  }
  turn.blocked.set(seen.key, waitsFor);
  if (programming.ok) return { requeueAfterMs: BLOCKED_MS };
  // Rows of the subnet that are still to come are no news; the port's condition tells of them.
  const isNews = programming.problem.reason !== 'SubnetNotReady';
  if (isNews && seen.regarding !== undefined) reportProblem(turn, seen.regarding, 'Programming', programming.problem);
  return { requeueAfterMs: UNPROGRAMMED_MS };
}
