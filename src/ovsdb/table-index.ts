import type { OvsdbClient } from './client.ts';
import { compareAtoms, type Row, type Uuid } from './values.ts';

/** Finds rows by a key of the caller's choice. */
export type TableIndex = {
  /** The rows with this key, in order of their UUIDs. */
  get(key: string): Row[];
  /** Stops following the table. */
  close(): void;
};

/**
 * Keeps an index over one table's replica up to date. `keyOf` may give one key, several, or none (undefined). It is
 * current whenever a listener added later than it runs.
 */
export function createIndex(
  client: Pick<OvsdbClient, 'table' | 'onChange'>,
  table: string,
  keyOf: (row: Row) => string | readonly string[] | undefined,
): TableIndex {
  const buckets = new Map<string, Map<Uuid, Row>>();
  const keys = (row: Row): readonly string[] => {
    const key = keyOf(row);
    if (key === undefined) return [];
    return typeof key === 'string' ? [key] : key;
  };
  const remove = (row: Row): void => {
    for (const key of keys(row)) {
      const bucket = buckets.get(key);
      bucket?.delete(row._uuid);
      if (bucket?.size === 0) buckets.delete(key);
    }
  };
  const add = (row: Row): void => {
    for (const key of keys(row)) {
      const bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, new Map([[row._uuid, row]]));
      else bucket.set(row._uuid, row);
    }
  };
  for (const row of client.table(table).values()) add(row);
  const close = client.onChange((changes) => {
    for (const change of changes) {
      if (change.table !== table) continue;
      if (change.old !== undefined) remove(change.old);
      if (change.new !== undefined) add(change.new);
    }
  });
  return {
    get: (key) => [...(buckets.get(key)?.values() ?? [])].sort((a, b) => compareAtoms(a._uuid, b._uuid)),
    close,
  };
}
