import { CLUSTER_KEY, ROW_KEY } from '../api/owner.ts';
import { type Condition, wireMap } from '../ovsdb/operations.ts';
import type { Ids } from './wanted.ts';

/** Key of a row whose table has no name column: cluster and the `mooring-row` external id together. */
export const formatRowKey = (ids: Ids, row: string): string => `${ids.get(CLUSTER_KEY) ?? ''} ${row}`;

/** The key of such a row that exists; undefined when it is not one of ours. */
export function findRowKey({ external_ids: ids }: { readonly external_ids: Ids }): string | undefined {
  const name = ids.get(ROW_KEY);
  return name === undefined ? undefined : formatRowKey(ids, name);
}

/** Finds a row of the same key on the server. */
export const isSameRow = (ids: Ids, row: string): Condition[] => [
  [
    'external_ids',
    'includes',
    wireMap([
      [CLUSTER_KEY, ids.get(CLUSTER_KEY) ?? ''],
      [ROW_KEY, row],
    ]),
  ],
];
