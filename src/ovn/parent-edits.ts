import { type Mutation, mutateOp, type Operation, whereUuid } from '../ovsdb/operations.ts';
import { columnOf } from '../ovsdb/typed.ts';
import { encodeValue, type Uuid } from '../ovsdb/values.ts';
import type { Kind } from './kind.ts';

/** A set column of one row; `uuid` may be the name of a row that the same transaction inserts. */
export type Holder = NonNullable<Kind['parent']> & { readonly uuid: Uuid };

type Edit = { readonly holder: Holder; readonly add: Uuid[]; readonly remove: Uuid[] };

/** Collects what comes into and goes out of parents' sets, so that each parent is changed once. */
export type ParentEdits = {
  add(holder: Holder, child: Uuid): void;
  remove(holder: Holder, child: Uuid): void;
  /** The columns with children of a parent that is itself inserted; they are not in `operations` any more. */
  takeChildren(parentName: string): Readonly<Record<string, readonly Uuid[]>>;
  operations(): Operation[];
};

export function createParentEdits(): ParentEdits {
  const edits = new Map<string, Edit>();
  const of = (holder: Holder): Edit => {
    const key = `${holder.uuid} ${holder.column}`;
    const edit = edits.get(key) ?? { holder, add: [], remove: [] };
    edits.set(key, edit);
    return edit;
  };
  return {
    add: (holder, child) => void of(holder).add.push(child),
    remove: (holder, child) => void of(holder).remove.push(child),
    takeChildren: (parentName) => {
      const columns: Record<string, readonly Uuid[]> = Object.create(null);
      for (const [key, { holder, add }] of [...edits]) {
        if (holder.uuid !== parentName) continue;
        columns[holder.column] = add;
        edits.delete(key);
      }
      return columns;
    },
    operations: () => [...edits.values()].map(formatEdit),
  };
}

function formatEdit({ holder, add, remove }: Edit): Operation {
  const { table } = holder.kind;
  const type = columnOf(table, holder.column);
  const mutations: Mutation[] = [];
  if (remove.length > 0) mutations.push([holder.column, 'delete', encodeValue(remove, type)]);
  if (add.length > 0) mutations.push([holder.column, 'insert', encodeValue(add, type)]);
  return mutateOp(table.name, whereUuid(holder.uuid), mutations);
}
