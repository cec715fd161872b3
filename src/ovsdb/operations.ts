import type { Uuid, WireAtom, WireMap, WireRow, WireSet, WireValue } from './values.ts';

export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes';
/** RFC 7047 section 5.1 `<condition>`; all conditions of a `where` must hold. */
export type Condition = readonly [column: string, fn: ConditionFunction, value: WireValue];
export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete';
/** RFC 7047 section 5.1 `<mutation>`. */
export type Mutation = readonly [column: string, mutator: Mutator, value: WireValue];

export type InsertOperation = {
  readonly op: 'insert';
  readonly table: string;
  readonly row: WireRow;
  readonly 'uuid-name'?: string;
  /** Identity chosen by the client, so that a repeated insert is refused (ovsdb-server(7), section 5.2.1). */
  readonly uuid?: Uuid;
};
export type SelectOperation = {
  readonly op: 'select';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly columns?: readonly string[];
};
export type UpdateOperation = {
  readonly op: 'update';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly row: WireRow;
};
export type MutateOperation = {
  readonly op: 'mutate';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly mutations: readonly Mutation[];
};
export type DeleteOperation = { readonly op: 'delete'; readonly table: string; readonly where: readonly Condition[] };
export type WaitOperation = {
  readonly op: 'wait';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly columns: readonly string[];
  readonly until: '==' | '!=';
  readonly rows: readonly WireRow[];
  /** Milliseconds; 0 fails at once. */
  readonly timeout?: number;
};
export type CommentOperation = { readonly op: 'comment'; readonly comment: string };
export type AssertOperation = { readonly op: 'assert'; readonly lock: string };
export type AbortOperation = { readonly op: 'abort' };
export type CommitOperation = { readonly op: 'commit'; readonly durable: boolean };

/** RFC 7047 section 5.2 `<operation>`, with values in wire notation. */
export type Operation =
  | InsertOperation
  | SelectOperation
  | UpdateOperation
  | MutateOperation
  | DeleteOperation
  | WaitOperation
  | CommentOperation
  | AssertOperation
  | AbortOperation
  | CommitOperation;

/** What the server answered to one operation that succeeded. */
export type OperationResult = {
  /** insert: the new row. */
  readonly uuid?: Uuid;
  /** update, mutate, delete: how many rows matched. 0 is a success for the server: check it. */
  readonly count?: number;
  /** select: the rows, in wire notation. */
  readonly rows?: readonly WireRow[];
};

/** Inserts a row. `uuidName` names it within the transaction, `uuid` fixes its identity. */
export function insertOp(table: string, row: WireRow, names: { uuidName?: string; uuid?: Uuid } = {}): InsertOperation {
  return {
    op: 'insert',
    table,
    row,
    ...(names.uuidName === undefined ? {} : { 'uuid-name': names.uuidName }),
    ...(names.uuid === undefined ? {} : { uuid: names.uuid }),
  };
}

/** Reads rows; without `columns` all of them. */
export function selectOp(table: string, where: readonly Condition[], columns?: readonly string[]): SelectOperation {
  return { op: 'select', table, where, ...(columns === undefined ? {} : { columns }) };
}

/** Replaces the named columns of all matching rows. */
export function updateOp(table: string, where: readonly Condition[], row: WireRow): UpdateOperation {
  return { op: 'update', table, where, row };
}

/** Changes parts of columns (set elements, map pairs, numbers) of all matching rows. */
export function mutateOp(table: string, where: readonly Condition[], mutations: readonly Mutation[]): MutateOperation {
  return { op: 'mutate', table, where, mutations };
}

/** Deletes all matching rows; an empty `where` matches every row. */
export function deleteOp(table: string, where: readonly Condition[]): DeleteOperation {
  return { op: 'delete', table, where };
}

/** Guards a transaction: fails with `timed out` unless `columns` of the matching rows equal (or differ from) `rows`. */
export function waitOp(table: string, guard: Omit<WaitOperation, 'op' | 'table'>): WaitOperation {
  return { op: 'wait', table, ...guard, timeout: guard.timeout ?? 0 };
}

/** A line in the server's transaction log. */
export function commentOp(comment: string): CommentOperation {
  return { op: 'comment', comment };
}

/** Fails with `not owner` unless this connection holds the lock. Locks of a cluster are per server: no fence. */
export function assertOp(lock: string): AssertOperation {
  return { op: 'assert', lock };
}

/** The condition that finds exactly one row, by a lookup that does not depend on the table's size. */
export function whereUuid(uuid: Uuid): readonly Condition[] {
  return [['_uuid', '==', ['uuid', uuid]]];
}

/** Refers to a row by its identity. */
export function uuidRef(uuid: Uuid): readonly ['uuid', Uuid] {
  return ['uuid', uuid];
}

/** Refers to a row inserted in the same transaction under this `uuidName` (letters, digits and `_` only). */
export function namedUuid(name: string): readonly ['named-uuid', string] {
  return ['named-uuid', name];
}

/** A set in wire notation. */
export function wireSet(atoms: readonly WireAtom[]): WireSet {
  return ['set', atoms];
}

/** A map in wire notation. */
export function wireMap(pairs: Iterable<readonly [WireAtom, WireAtom]>): WireMap {
  return ['map', [...pairs]];
}
