import { setTimeout as delay } from 'node:timers/promises';
import type { OvsdbClient } from './client.ts';
import {
  ConnectionError,
  ConstraintViolationError,
  OvsdbError,
  ReferentialIntegrityError,
  TimeoutError,
  WaitTimedOutError,
} from './errors.ts';
import type { Operation, OperationResult } from './operations.ts';

/** Makes operations from the present content of the replica; none when nothing is left to do. */
export type Plan = () => readonly Operation[];

export type ApplyOptions = {
  /** Put before the planned operations; when one of them fails the plan is not tried again. */
  readonly guard?: readonly Operation[];
  /** How often the plan is made at most. Default 6. */
  readonly attempts?: number;
  /** How long one attempt waits for a connection. Default 5000. */
  readonly liveTimeoutMs?: number;
  readonly pause?: (ms: number) => Promise<unknown>;
};

export type ApplyClient = Pick<OvsdbClient, 'whenLive' | 'transact' | 'transactAndSync'>;

/** The transaction was committed, but an update or mutation found no row: the replica was behind. */
export class RowVanishedError extends OvsdbError {
  override readonly name: string = 'RowVanishedError';
  constructor(operation: Operation) {
    super('row-vanished', 'retry', `${operation.op} in ${'table' in operation ? operation.table : '?'} matched no row`);
  }
}

const FIRST_PAUSE_MS = 20;
/** How many refusals of a plan are taken for a sign of an outdated replica. */
const MAX_REFUSALS = 1;

/**
 * Brings the database to what `plan` wants, in one transaction, and resolves when the replica shows it. When the outcome
 * is unknown, or the plan was made from an outdated replica, the replica is read again and the plan made anew, so that
 * nothing is written twice. The plan must be such that it yields nothing once it is fulfilled.
 * Throws the last error; its `class` says whether later may be better.
 */
export async function applyPlan(client: ApplyClient, plan: Plan, options: ApplyOptions = {}): Promise<void> {
  const { guard = [], pause = delay, liveTimeoutMs = 5000 } = options;
  const mayRetry = createRetryRule(guard.length, options.attempts ?? 6);
  for (let wait = FIRST_PAUSE_MS; ; wait *= 2) {
    try {
      await waitLive(client, liveTimeoutMs);
      return await applyOnce(client, plan, guard);
    } catch (error) {
      if (!mayRetry(error)) throw error;
      await pause(wait);
      if (isUnreachable(error)) await catchUp(client, guard);
    }
  }
}

/** Counts the failures of one plan: those that a fresh look can mend are forgiven, refusals only MAX_REFUSALS times. */
function createRetryRule(guards: number, attempts: number): (error: unknown) => boolean {
  let failures = 0;
  let refusals = 0;
  return (error) => {
    failures++;
    if (isRefusal(error)) refusals++;
    return failures < attempts && refusals <= MAX_REFUSALS && mayPlanAgain(error, guards);
  };
}

async function applyOnce(client: ApplyClient, plan: Plan, guard: readonly Operation[]): Promise<void> {
  const operations = plan();
  if (operations.length === 0) return;
  const results = await client.transactAndSync([...guard, ...operations]);
  const lost = findLost(operations, results.slice(guard.length));
  if (lost !== undefined) throw new RowVanishedError(lost);
}

async function waitLive(client: ApplyClient, timeoutMs: number): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    await client.whenLive(timeout);
  } catch (error) {
    if (error === timeout.reason) throw new TimeoutError(`not connected within ${timeoutMs} ms`);
    throw error;
  }
}

/** One exchange on a working connection: what was decided before it is in the replica after it. */
async function catchUp(client: ApplyClient, guard: readonly Operation[]): Promise<void> {
  try {
    await client.transactAndSync([...guard, { op: 'comment', comment: 'catch up' }]);
  } catch (error) {
    if (!isUnreachable(error)) throw error;
  }
}

/** An update, or a mutation that adds, which matched no row. What deletes may find nothing. */
function findLost(operations: readonly Operation[], results: readonly OperationResult[]): Operation | undefined {
  return operations.find((operation, i) => results[i]?.count === 0 && needsRow(operation));
}

function needsRow(operation: Operation): boolean {
  if (operation.op === 'mutate') return operation.mutations.some(([, mutator]) => mutator !== 'delete');
  return operation.op === 'update';
}

/** Nothing is known of the outcome, or the server was not reached: to try other operations now is of no use. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof OvsdbError)) return false;
  return error.ambiguous || error instanceof ConnectionError || error instanceof TimeoutError;
}

/** An outdated replica can be the reason, but so can a value that the schema forbids. */
function isRefusal(error: unknown): boolean {
  return error instanceof ConstraintViolationError || error instanceof ReferentialIntegrityError;
}

function mayPlanAgain(error: unknown, guards: number): boolean {
  if (error instanceof WaitTimedOutError) return (error.operationIndex ?? guards) >= guards;
  return isUnreachable(error) || isRefusal(error) || error instanceof RowVanishedError;
}
