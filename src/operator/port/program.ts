import { planOperations } from '../../ovn/plan-operations.ts';
import { EpochLost, OvnProblem, ParentMissing } from '../../ovn/problems.ts';
import type { Wanted } from '../../ovn/wanted.ts';
import { type Operation, OvsdbError, TimeoutError } from '../../ovsdb/index.ts';
import type { Programming } from '../../plan/ports/status.ts';
import type { Turn } from '../context.ts';

export type Programmed = Exclude<Programming, { ok: true }> | { readonly ok: true; readonly written: boolean };

/** How long a connection may be away before the status says so: a change of leader takes less. */
const AWAY_MS = 3000;

/** Operations beside those that a plan came to, in the same transaction; none once nothing is left to do. */
export type Beside = (planned: readonly Operation[]) => readonly Operation[];

/**
 * Makes the rows of these owners equal to what is wanted, which may be asked for at the moment of writing. Nothing is sent when a live replica shows them so already; one
 * that is cut off proves nothing, neither that rows are there nor that they are gone. What goes wrong in OVN is a value
 * for the status to tell; the end of our term and faults of the program are thrown.
 */
export async function program(
  turn: Turn,
  wanted: Wanted | (() => Wanted),
  owners: readonly string[],
  beside: Beside = () => [],
): Promise<Programmed> {
  const { nb, writer, settings } = turn;
  const plan = () => {
    const now = typeof wanted === 'function' ? wanted() : wanted;
    const planned = planOperations(nb.observed, now, { cluster: settings.cluster, owners });
    return [...planned, ...beside(planned)];
  };
  try {
    if (nb.client.state !== 'live') await waitLive(turn);
    if (plan().length === 0) return { ok: true, written: false };
    await writer.apply(plan);
    return { ok: true, written: true };
  } catch (error) {
    if (error instanceof EpochLost || turn.signal.aborted) throw error;
    return { ok: false, problem: explain(error) };
  }
}

async function waitLive({ nb, signal }: Turn): Promise<void> {
  await nb.client.whenLive(AbortSignal.any([signal, AbortSignal.timeout(AWAY_MS)])).catch(() => {
    throw new TimeoutError('the Northbound database cannot be reached');
  });
}

function explain(error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ParentMissing) return { reason: 'SubnetNotReady' as const, message };
  if (error instanceof OvsdbError && error.class === 'retry') return { reason: 'OVNUnavailable' as const, message };
  if (error instanceof OvsdbError || error instanceof OvnProblem) {
    return { reason: 'ProgrammingFailed' as const, message };
  }
  throw error;
}
