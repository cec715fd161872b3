import type { Operation } from '../ovsdb/operations.ts';
import { ownerOf } from './kind.ts';
import { KINDS } from './kinds.ts';
import type { Observed } from './observed.ts';
import { createParentEdits } from './parent-edits.ts';
import { planDeletes } from './plan-operations.ts';

/**
 * Deletes every row that carries our cluster id and an owner that is not among `keepOwners`, or no owner. To be used only
 * after every source of owners has synced. Rows without our cluster id are never touched.
 */
export function planPrune(observed: Observed, cluster: string, keepOwners: ReadonlySet<string>): Operation[] {
  const edits = createParentEdits();
  const doomed = KINDS.flatMap((kind) =>
    observed
      .findByCluster(kind, cluster)
      .filter((row) => !keepOwners.has(ownerOf(row) ?? ''))
      .map((row) => ({ kind, row })),
  );
  return [...planDeletes(observed, doomed, edits), ...edits.operations()];
}
