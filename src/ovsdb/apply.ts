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

const WAIT_LIVE_MS = 5000;
const FIRST_PAUSE_MS = 20;

/**
 * Brings the database to what `plan` wants, in one transaction, and resolves when the replica shows it. When the outcome
 * is unknown, or the plan was made from an outdated replica, the replica is read again and the plan made anew, so that
 * nothing is written twice. The plan must be such that it yields nothing once it is fulfilled.
 * Throws the last error; its `class` says whether later may be better.
 */
export async function applyPlan(client: ApplyClient, plan: Plan, options: ApplyOptions = {}): Promise<void> {
  const { guard = [], attempts = 6, pause = delay } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(client, plan, guard);
    } catch (error) {
      if (attempt >= attempts || !mayPlanAgain(error, guard.length, attempt)) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      if (isOpen(error)) await catchUp(client, guard);
    }
  }
}

async function applyOnce(client: ApplyClient, plan: Plan, guard: readonly Operation[]): Promise<void> {
  await waitLive(client);
  const operations = plan();
  if (operations.length === 0) return;
  const results = await client.transactAndSync([...guard, ...operations]);
  const lost = findLost(operations, results.slice(guard.length));
  if (lost !== undefined) throw new RowVanishedError(lost);
}

async function waitLive(client: ApplyClient): Promise<void> {
  const timeout = AbortSignal.timeout(WAIT_LIVE_MS);
  try {
    await client.whenLive(timeout);
  } catch (error) {
    if (error === timeout.reason) throw new TimeoutError(`not connected within ${WAIT_LIVE_MS} ms`);
    throw error;
  }
}

/** One exchange on a working connection: what was decided before it is in the replica after it. */
async function catchUp(client: ApplyClient, guard: readonly Operation[]): Promise<void> {
  try {
    await client.transactAndSync([...guard, { op: 'comment', comment: 'catch up' }]);
  } catch (error) {
    if (!isOpen(error)) throw error;
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

function isOpen(error: unknown): boolean {
  if (!(error instanceof OvsdbError)) return false;
  return error.ambiguous || error instanceof ConnectionError || error instanceof TimeoutError;
}

function mayPlanAgain(error: unknown, guards: number, attempt: number): boolean {
  if (isOpen(error) || error instanceof RowVanishedError) return true;
  if (error instanceof WaitTimedOutError) return (error.operationIndex ?? guards) >= guards;
  const stale = error instanceof ConstraintViolationError || error instanceof ReferentialIntegrityError;
  return stale && attempt === 1;
}
