import { randomUUID } from 'node:crypto';
import type { OvsdbClient, TransactOptions } from './client.ts';
import { OvsdbError, OvsdbTransactionError } from './errors.ts';
import type { Operation, OperationResult } from './operations.ts';
import type { Uuid } from './values.ts';

export type OnceOptions<C> = TransactOptions & {
  /** Does the database already hold what the transaction is for? Asked with an up-to-date cache. */
  readonly isDone: (client: C) => boolean;
  /** How often to try before the last error is thrown. Default 5. */
  readonly attempts?: number;
  readonly randomUuid?: () => Uuid;
};

export type OnceOutcome = {
  /** True when the database already held the wish, be it by an earlier attempt whose answer was lost. */
  readonly found: boolean;
  /** The results of the attempt that was answered; undefined when `found`. */
  readonly results: readonly OperationResult[] | undefined;
};

/**
 * Executes a transaction so that it takes effect once, though OVSDB itself promises only "at least once" (ovsdb(7); a
 * clustered server even repeats a transaction by itself when its leader changes meanwhile). Every insert gets an identity
 * chosen here, so that the server refuses a second execution; after an unknown outcome the database is read again before
 * the next attempt. Operations that are neither inserts nor idempotent (`+=`) need a `wait` of the caller's.
 *
 * Throws what `transact` throws, once the attempts are used up or when the error is not about the outcome.
 */
export async function transactOnce<C extends Pick<OvsdbClient, 'transactAndSync' | 'whenLive'>>(
  client: C,
  operations: readonly Operation[],
  options: OnceOptions<C>,
): Promise<OnceOutcome> {
  const fixed = fixIdentities(operations, options.randomUuid ?? randomUUID);
  for (let left = (options.attempts ?? 5) - 1; ; left--) {
    try {
      return { found: false, results: await client.transactAndSync(fixed, options) };
    } catch (error) {
      if (!isOutcomeOpen(error)) throw error;
      await client.whenLive(options.signal);
      if (options.isDone(client)) return { found: true, results: undefined };
      if (left <= 0 || error instanceof OvsdbTransactionError) throw error;
    }
  }
}

/** Gives every insert an identity, so that executing it twice violates the table's primary key. */
export function fixIdentities(operations: readonly Operation[], randomUuid: () => Uuid): Operation[] {
  return operations.map((operation) =>
    operation.op === 'insert' && operation.uuid === undefined ? { ...operation, uuid: randomUuid() } : operation,
  );
}

/** Unknown, or refused perhaps only because an earlier execution of the same transaction had succeeded. */
function isOutcomeOpen(error: unknown): boolean {
  if (!(error instanceof OvsdbError)) return false;
  return error.ambiguous || error.code === 'constraint-violation' || error.code === 'wait-timed-out';
}
