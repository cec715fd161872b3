import { parseSchema } from './schema.ts';
import type { Row, Uuid } from './values.ts';

/** What one server says about one of its databases (table Database of `_Server`, ovsdb-server(5)). */
export type ServerRow = {
  readonly name: string;
  readonly model: string;
  readonly connected: boolean;
  readonly leader: boolean;
  readonly cid: Uuid | undefined;
  readonly sid: Uuid | undefined;
  /** Number of the last transaction this server has, in a cluster. */
  readonly index: bigint | undefined;
};

/** As much of the `_Server` schema as is used; it is part of the protocol and has not changed since 2.9. */
export const SERVER_SCHEMA = parseSchema({
  name: '_Server',
  tables: {
    Database: {
      columns: {
        name: { type: 'string' },
        model: { type: 'string' },
        connected: { type: 'boolean' },
        leader: { type: 'boolean' },
        cid: { type: { key: 'uuid', min: 0, max: 1 } },
        sid: { type: { key: 'uuid', min: 0, max: 1 } },
        index: { type: { key: 'integer', min: 0, max: 1 } },
      },
    },
  },
});

/** The database's own row, or undefined when the server does not serve it. */
export function findServerRow(rows: Iterable<Row>, database: string): ServerRow | undefined {
  for (const row of rows) if (row.name === database) return row as unknown as ServerRow;
  return undefined;
}

/** Why this server cannot be used now, or undefined. */
export function findUnsuitable(row: ServerRow | undefined, leaderOnly: boolean): string | undefined {
  if (row === undefined) return 'the server does not have the database';
  if (!row.connected) return 'the server is not connected to its storage or cluster';
  if (leaderOnly && row.model === 'clustered' && !row.leader) return 'the server is not the leader';
  return undefined;
}

/** How far we have seen a cluster's history. */
export type History = { readonly cid: Uuid | undefined; readonly index: bigint };

export type HistoryVerdict = 'ok' | 'other-cluster' | 'behind';

/** Compares a server with the history seen so far: another cluster, or one that has less than we have seen? */
export function compareHistory(seen: History | undefined, row: ServerRow): HistoryVerdict {
  if (seen === undefined || row.model !== 'clustered') return 'ok';
  if (seen.cid !== undefined && row.cid !== undefined && row.cid !== seen.cid) return 'other-cluster';
  return row.index !== undefined && row.index < seen.index ? 'behind' : 'ok';
}

/** The history after seeing a row. */
export function extendHistory(seen: History | undefined, row: ServerRow): History | undefined {
  if (row.model !== 'clustered') return seen;
  const index = row.index ?? 0n;
  return { cid: row.cid ?? seen?.cid, index: seen !== undefined && seen.index > index ? seen.index : index };
}
