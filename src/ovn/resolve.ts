import { formatDigest } from '../api/names.ts';
import { CLUSTER_KEY, OWNER_KEY } from '../api/owner.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import { idsOf, type Kind, ownerOf, type WantedRow } from './kind.ts';
import { KINDS } from './kinds.ts';
import type { Observed } from './observed.ts';
import { InvalidWish, ParentMissing, RowOwnedByOther } from './problems.ts';
import type { Wanted } from './wanted.ts';

/** Whose rows a plan may touch: those of these owners in this cluster, and no others. */
export type Scope = { readonly cluster: string; readonly owners: readonly string[] };

/** A wanted row together with what the database has for it. */
export type Target = {
  readonly wanted: WantedRow;
  /** The row to keep; undefined when one must be inserted. */
  readonly row: Row | undefined;
  readonly parent: ParentRef | undefined;
};

/** The row that is to hold a child: one that exists, or one of this plan. */
export type ParentRef = { readonly row: Row } | { readonly target: string };

/** Wanted rows by identity, each with the row that it will keep. */
export type Targets = ReadonlyMap<string, Target>;

/** Identity of a wanted row within a plan. */
export function formatId(kind: Kind, key: string, parentKey?: string): string {
  return [kind.table.name, ...(kind.perParent ? [parentKey ?? ''] : []), key].join('\n');
}

/**
 * Finds for each wanted row the one that exists. Throws InvalidWish, RowOwnedByOther, or ParentMissing when a parent is
 * neither in the database nor wanted.
 */
export function resolveTargets(observed: Observed, wanted: Wanted, scope: Scope): Targets {
  const targets = new Map<string, Target>();
  for (const kind of KINDS) {
    for (const item of kind.list(wanted)) {
      const id = formatId(kind, item.key, item.parentKey);
      if (targets.has(id)) throw new InvalidWish(`${kind.table.name} ${item.key} is wanted twice`);
      requireOwner(item, scope);
      targets.set(id, resolve({ observed, scope, targets }, item));
    }
  }
  return targets;
}

export type Context = { readonly observed: Observed; readonly scope: Scope; readonly targets: Targets };

function requireOwner(item: WantedRow, scope: Scope): void {
  const owner = item.externalIds.get(OWNER_KEY);
  const known = item.externalIds.get(CLUSTER_KEY) === scope.cluster && scope.owners.includes(owner ?? '');
  if (!known) throw new InvalidWish(`${item.kind.table.name} ${item.key}: ${owner ?? 'no owner'} is not in the scope`);
}

function resolve(context: Context, item: WantedRow): Target {
  const parent = resolveParent(context, item);
  const rows = listCandidates(context, item, parent);
  for (const row of rows) {
    if (!isInScope(row, context.scope)) throw refuse(item, row, context.scope);
  }
  const row = rows.find((candidate) => isHeldBy(context.observed, item.kind, candidate, parent));
  return { wanted: item, row, parent };
}

function refuse(item: WantedRow, row: Row, scope: Scope): RowOwnedByOther {
  const ours = idsOf(row).get(CLUSTER_KEY) === scope.cluster;
  return new RowOwnedByOther(item.kind.table.name, item.key, ours ? ownerOf(row) : undefined);
}

function resolveParent(context: Context, item: WantedRow): ParentRef | undefined {
  const { parent } = item.kind;
  if (parent === undefined) return undefined;
  const key = item.parentKey ?? '';
  const id = formatId(parent.kind, key);
  const target = context.targets.get(id);
  if (target !== undefined) return target.row === undefined ? { target: id } : { row: target.row };
  const row = findReferred(context, parent.kind, key);
  if (row === undefined) throw new ParentMissing(parent.kind.table.name, key, `${item.kind.table.name} ${item.key}`);
  return { row };
}

/** A row that exists and that this plan does not delete. Ours wins where a name is not unique. */
function findReferred({ observed, scope }: Context, kind: Kind, key: string): Row | undefined {
  const rows = observed.findByKey(kind, key).filter((row) => !isInScope(row, scope));
  return rows.find((row) => idsOf(row).get(CLUSTER_KEY) === scope.cluster) ?? rows[0];
}

function listCandidates({ observed }: Context, item: WantedRow, parent: ParentRef | undefined): readonly Row[] {
  const rows = observed.findByKey(item.kind, item.key);
  if (!item.kind.perParent) return rows;
  return rows.filter((row) => isHeldBy(observed, item.kind, row, parent));
}

function isHeldBy(observed: Observed, kind: Kind, row: Row, parent: ParentRef | undefined): boolean {
  if (parent === undefined) return true;
  if (!('row' in parent)) return false;
  return observed.findParents(kind, row._uuid).some((holder) => holder._uuid === parent.row._uuid);
}

function isInScope(row: Row, scope: Scope): boolean {
  return idsOf(row).get(CLUSTER_KEY) === scope.cluster && scope.owners.includes(ownerOf(row) ?? '');
}

/** The UUID of a row, or the name that this plan inserts it under. Throws ParentMissing. */
export function referTo(context: Context, item: WantedRow, to: { readonly kind: Kind; readonly key: string }): Uuid {
  const id = formatId(to.kind, to.key);
  const target = context.targets.get(id);
  if (target !== undefined) return target.row?._uuid ?? formatRowName(id);
  const row = findReferred(context, to.kind, to.key);
  if (row === undefined) {
    throw new ParentMissing(to.kind.table.name, to.key, `${item.kind.table.name} ${item.key}`);
  }
  return row._uuid;
}

/** `uuid-name` of an inserted row: the same in every plan, so that two plans in one transaction cannot mix theirs up. */
export function formatRowName(id: string): string {
  return `row_${formatDigest(id)}`;
}
