import { deleteOp, insertOp, type Operation, updateOp, waitOp, whereUuid } from '../ovsdb/operations.ts';
import { encodeColumns } from '../ovsdb/typed.ts';
import type { Row, Uuid, Value } from '../ovsdb/values.ts';
import { diffColumns } from './diff.ts';
import { type Kind, type Refer, referencesOf } from './kind.ts';
import { KINDS } from './kinds.ts';
import type { Observed } from './observed.ts';
import { createParentEdits, type ParentEdits } from './parent-edits.ts';
import { type Context, formatId, formatRowName, referTo, resolveTargets, type Scope, type Target } from './resolve.ts';
import type { Wanted } from './wanted.ts';

/**
 * The operations that make the rows of the scope's owners equal to `wanted`; none when they already are. Rows of other
 * owners, and columns that we do not own, are never touched. A row in the wrong parent is deleted and inserted anew.
 * All of it belongs in one transaction. Throws InvalidWish, RowOwnedByOther, ParentMissing.
 */
export function planOperations(observed: Observed, wanted: Wanted, scope: Scope): Operation[] {
  const targets = resolveTargets(observed, wanted, scope);
  const context: Context = { observed, scope, targets };
  const edits = createParentEdits();
  const kept = new Set([...targets.values()].flatMap((target) => target.row?._uuid ?? []));
  const doomed = listOwned(observed, scope).filter(({ row }) => !kept.has(row._uuid));
  for (const target of targets.values()) planParent(context, target, edits);
  const deletes = planDeletes(observed, doomed, edits);
  const writes = [...targets.values()].flatMap((target) => planWrite(context, target, edits));
  return [...writes.filter(isGuard), ...deletes, ...writes.filter((op) => !isGuard(op)), ...edits.operations()];
}

/** A row with the table it is in. */
export type KindRow = { readonly kind: Kind; readonly row: Row };

function listOwned(observed: Observed, { cluster, owners }: Scope): KindRow[] {
  return KINDS.flatMap((kind) =>
    owners.flatMap((owner) => observed.findByOwner(kind, cluster, owner).map((row) => ({ kind, row }))),
  );
}

/** Deletes rows: those of root tables directly, all others by taking them out of the sets that hold them. */
export function planDeletes(observed: Observed, doomed: readonly KindRow[], edits: ParentEdits): Operation[] {
  const gone = new Set(doomed.map(({ row }) => row._uuid));
  for (const { kind, row } of doomed) {
    if (kind.parent === undefined) continue;
    for (const holder of observed.findParents(kind, row._uuid)) {
      if (!gone.has(holder._uuid)) edits.remove({ ...kind.parent, uuid: holder._uuid }, row._uuid);
    }
  }
  return doomed
    .filter(({ kind }) => kind.parent === undefined)
    .map(({ kind, row }) => deleteOp(kind.table.name, whereUuid(row._uuid)));
}

/** Puts an inserted row into its parent, and takes a kept one out of parents that it should not have. */
function planParent({ observed }: Context, { wanted, row, parent }: Target, edits: ParentEdits): void {
  const { kind } = wanted;
  if (kind.parent === undefined || parent === undefined) return;
  const uuid = 'row' in parent ? parent.row._uuid : formatRowName(parent.target);
  if (row === undefined) {
    edits.add({ ...kind.parent, uuid }, formatRowName(formatId(kind, wanted.key, wanted.parentKey)));
    return;
  }
  for (const holder of observed.findParents(kind, row._uuid)) {
    if (holder._uuid !== uuid) edits.remove({ ...kind.parent, uuid: holder._uuid }, row._uuid);
  }
}

function planWrite(context: Context, target: Target, edits: ParentEdits): Operation[] {
  const { wanted, row } = target;
  const { table } = wanted.kind;
  const refer: Refer = (kind, key) => referTo(context, wanted, { kind, key });
  const columns = wanted.columns(refer);
  if (row !== undefined) {
    const changed = diffColumns(table, row, columns);
    return changed === undefined ? [] : [updateOp(table.name, whereUuid(row._uuid), encodeColumns(table, changed))];
  }
  const uuidName = formatRowName(formatId(wanted.kind, wanted.key, wanted.parentKey));
  const children = edits.takeChildren(uuidName);
  const values: Record<string, Value> = Object.assign(Object.create(null), columns, children);
  return [...planGuard(context, target), insertOp(table.name, encodeColumns(table, values), { uuidName })];
}

/**
 * Where the schema keeps no index on the key, a transaction that was executed although its answer was lost would insert
 * the row a second time: the guard fails then, and the plan is made anew. A row of ours in a parent that goes away is
 * replaced, so that its key is there already.
 */
function planGuard({ observed }: Context, { wanted, parent }: Target): Operation[] {
  const { kind, same } = wanted;
  if (same !== undefined) {
    if (observed.findByKey(kind, wanted.key).length > 0) return [];
    return [waitOp(kind.table.name, { where: same, columns: ['_uuid'], until: '==', rows: [] })];
  }
  if (!kind.perParent || kind.parent === undefined || parent === undefined || !('row' in parent)) return [];
  return [guardChildren(kind.parent, parent.row)];
}

function guardChildren({ kind, column }: NonNullable<Kind['parent']>, holder: Row): Operation {
  const row = encodeColumns(kind.table, { [column]: referencesOf(holder, column) as readonly Uuid[] });
  return waitOp(kind.table.name, { where: whereUuid(holder._uuid), columns: [column], until: '==', rows: [row] });
}

const isGuard = (operation: Operation): boolean => operation.op === 'wait';
