/** May the same thing succeed later (`retry`), or only after somebody changed something (`terminal`)? */
export type ErrorClass = 'retry' | 'terminal';

/** Base of all errors of this library. `code` is stable and meant for programs, `message` for people. */
export class OvsdbError extends Error {
  override readonly name: string = 'OvsdbError';
  readonly code: string;
  readonly class: ErrorClass;
  /** True when a transaction may or may not have been committed: read before writing again. */
  readonly ambiguous: boolean = false;
  constructor(code: string, errorClass: ErrorClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.class = errorClass;
  }
}

/** No connection, or it ended. Nothing of the request was executed unless an AmbiguousError wraps this. */
export class ConnectionError extends OvsdbError {
  override readonly name: string = 'ConnectionError';
  constructor(message: string, options?: ErrorOptions) {
    super('connection-lost', 'retry', message, options);
  }
}

/** No answer within the time given. */
export class TimeoutError extends OvsdbError {
  override readonly name: string = 'TimeoutError';
  constructor(message: string, options?: ErrorOptions) {
    super('timeout', 'retry', message, options);
  }
}

/** The outcome of a transaction is unknown; `cause` says why. Read the database before doing it again. */
export class AmbiguousError extends OvsdbError {
  override readonly name: string = 'AmbiguousError';
  override readonly ambiguous: boolean = true;
  constructor(message: string, options?: ErrorOptions) {
    super('ambiguous', 'retry', message, options);
  }
}

/** The peer broke RFC 7047, JSON, or one of our limits. */
export class ProtocolError extends OvsdbError {
  override readonly name: string = 'ProtocolError';
  constructor(message: string, options?: ErrorOptions) {
    super('protocol', 'retry', message, options);
  }
}

/** The server refused a request other than by failing an operation. `error` is the server's own word. */
export class RequestError extends OvsdbError {
  override readonly name: string = 'RequestError';
  readonly error: string;
  readonly details: string;
  constructor(method: string, error: string, details: string) {
    super(codeOf(error), classOf(error), `${method}: ${error}${details === '' ? '' : `: ${details}`}`);
    this.error = error;
    this.details = details;
  }
}

/** This server cannot serve us now: database missing, cut off from its cluster, not the leader, or behind. */
export class UnsuitableServerError extends OvsdbError {
  override readonly name: string = 'UnsuitableServerError';
  constructor(message: string) {
    super('unsuitable-server', 'retry', message);
  }
}

/** The client was stopped. */
export class StoppedError extends OvsdbError {
  override readonly name: string = 'StoppedError';
  constructor() {
    super('stopped', 'terminal', 'the client is stopped');
  }
}

/** What the server said about one failed operation. */
export type OperationFailure = {
  /** Undefined when the commit as a whole failed (RFC 7047 section 4.1.3: the extra element). */
  readonly operationIndex: number | undefined;
  readonly error: string;
  readonly details: string;
};

/** A transaction was refused and nothing of it committed. Subclasses name the cases a caller may want to tell apart. */
export class OvsdbTransactionError extends OvsdbError {
  override readonly name: string = 'OvsdbTransactionError';
  readonly operationIndex: number | undefined;
  readonly error: string;
  readonly details: string;
  constructor(failure: OperationFailure) {
    const where = failure.operationIndex === undefined ? 'commit' : `operation ${failure.operationIndex}`;
    super(
      codeOf(failure.error),
      classOf(failure.error),
      `${where}: ${failure.error}${failure.details === '' ? '' : `: ${failure.details}`}`,
    );
    this.operationIndex = failure.operationIndex;
    this.error = failure.error;
    this.details = failure.details;
  }
}

/** An index, a range, a count or a row identity would be violated. */
export class ConstraintViolationError extends OvsdbTransactionError {
  override readonly name: string = 'ConstraintViolationError';
}

/** A reference would point at no row, or a row that others refer to would go. */
export class ReferentialIntegrityError extends OvsdbTransactionError {
  override readonly name: string = 'ReferentialIntegrityError';
}

/** A `wait` operation did not come true in its time: somebody else changed what the transaction relies on. */
export class WaitTimedOutError extends OvsdbTransactionError {
  override readonly name: string = 'WaitTimedOutError';
}

/** An `assert` operation found the lock in other hands. */
export class NotOwnerError extends OvsdbTransactionError {
  override readonly name: string = 'NotOwnerError';
}

/** Role-based access control forbids it. */
export class NotAllowedError extends OvsdbTransactionError {
  override readonly name: string = 'NotAllowedError';
}

/** The server does not have the database, or not any more. */
export class UnknownDatabaseError extends OvsdbTransactionError {
  override readonly name: string = 'UnknownDatabaseError';
}

/** The request is malformed: a fault of the program. */
export class SyntaxErrorFromServer extends OvsdbTransactionError {
  override readonly name: string = 'SyntaxErrorFromServer';
}

/** The cluster could not commit, and surely did not. */
export class ClusterError extends OvsdbTransactionError {
  override readonly name: string = 'ClusterError';
}

type Kind = {
  readonly code: string;
  readonly class: ErrorClass;
  readonly make: new (failure: OperationFailure) => OvsdbTransactionError;
};

/** The server's words (RFC 7047 sections 4.1.3 and 5.2, ovsdb/transaction.c, ovsdb/raft.c) and what they mean here. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['constraint violation', { code: 'constraint-violation', class: 'terminal', make: ConstraintViolationError }],
  ['duplicate uuid', { code: 'constraint-violation', class: 'terminal', make: ConstraintViolationError }],
  [
    'referential integrity violation',
    { code: 'referential-integrity', class: 'terminal', make: ReferentialIntegrityError },
  ],
  ['timed out', { code: 'wait-timed-out', class: 'retry', make: WaitTimedOutError }],
  ['not owner', { code: 'not-owner', class: 'retry', make: NotOwnerError }],
  ['not allowed', { code: 'not-allowed', class: 'terminal', make: NotAllowedError }],
  ['permission error', { code: 'not-allowed', class: 'terminal', make: NotAllowedError }],
  ['unknown database', { code: 'unknown-database', class: 'retry', make: UnknownDatabaseError }],
  ['canceled', { code: 'unknown-database', class: 'retry', make: UnknownDatabaseError }],
  ['syntax error', { code: 'syntax', class: 'terminal', make: SyntaxErrorFromServer }],
  ['unknown table', { code: 'syntax', class: 'terminal', make: SyntaxErrorFromServer }],
  ['unknown column', { code: 'syntax', class: 'terminal', make: SyntaxErrorFromServer }],
  ['cluster error', { code: 'cluster', class: 'retry', make: ClusterError }],
  ['resources exhausted', { code: 'resources', class: 'retry', make: OvsdbTransactionError }],
  ['I/O error', { code: 'io', class: 'retry', make: OvsdbTransactionError }],
]);

/** Cluster errors after which the transaction is surely not in the log; every other one leaves it open. */
const CERTAIN_CLUSTER_ERRORS = /prerequisite check failed|not leader/;

function codeOf(error: string): string {
  return KINDS.get(error)?.code ?? 'refused';
}

function classOf(error: string): ErrorClass {
  return KINDS.get(error)?.class ?? 'terminal';
}

/** Makes the typed error for what the server said; an AmbiguousError when that leaves the outcome open. */
export function makeTransactionError(failure: OperationFailure): OvsdbError {
  const kind = KINDS.get(failure.error);
  const error = new (kind?.make ?? OvsdbTransactionError)(failure);
  const open = failure.error === 'cluster error' && !CERTAIN_CLUSTER_ERRORS.test(failure.details);
  return open || failure.error === 'I/O error' ? new AmbiguousError(error.message, { cause: error }) : error;
}

/**
 * What a failed `transact` request means. Only the server's own answer says that nothing was committed; however else a
 * request in flight ends, the transaction may have been executed.
 */
export function toTransactError(error: unknown): unknown {
  if (error instanceof OvsdbTransactionError || error instanceof AmbiguousError) return error;
  if (error instanceof RequestError && error.error !== 'canceled') return error;
  return new AmbiguousError(`outcome unknown: ${error instanceof Error ? error.message : error}`, { cause: error });
}
