import { CLUSTER_KEY } from '../api/owner.ts';
import { createIndex } from '../ovsdb/table-index.ts';
import { type Replica, rowsOf, type Table } from '../ovsdb/typed.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import { idsOf, type Kind, ownerOf, referencesOf } from './kind.ts';
import { KINDS } from './kinds.ts';
import { NB } from './schema/nb.gen.ts';

/** The Northbound database as our monitor shows it. It is live: read it at the moment of planning. */
export type Observed = {
  rows<R extends Row>(table: Table<R>): ReadonlyMap<Uuid, R>;
  /** Rows with this natural key, whoever owns them. */
  findByKey(kind: Kind, key: string): readonly Row[];
  findByOwner(kind: Kind, cluster: string, owner: string): readonly Row[];
  /** All owners that hold a row of this kind in this cluster. */
  findByCluster(kind: Kind, cluster: string): readonly Row[];
  /** Rows whose set column holds this one. */
  findParents(kind: Kind, uuid: Uuid): readonly Row[];
  /** Port groups that a switch port is in. */
  findGroups(port: Uuid): readonly Row[];
};

const formatOwnerKey = (cluster: string, owner: string): string => `${cluster}\n${owner}`;

/** Keeps what `planOperations` looks up in indexes over a replica. */
export function createObserved(replica: Replica): Observed {
  const indexes = new Map(KINDS.map((kind) => [kind, createKindIndexes(replica, kind)]));
  const groups = createIndex(replica, NB.Port_Group.name, (row) => referencesOf(row, 'ports'));
  const of = (kind: Kind): KindIndexes => {
    const found = indexes.get(kind);
    if (found === undefined) throw new TypeError(`${kind.table.name} is not in the list of kinds`);
    return found;
  };
  return {
    rows: (table) => rowsOf(replica, table),
    findByKey: (kind, key) => of(kind).byKey.get(key),
    findByOwner: (kind, cluster, owner) => of(kind).byOwner.get(formatOwnerKey(cluster, owner)),
    findByCluster: (kind, cluster) => of(kind).byCluster.get(cluster),
    findParents: (kind, uuid) => of(kind).parents?.get(uuid) ?? [],
    findGroups: (port) => groups.get(port),
  };
}

type KindIndexes = ReturnType<typeof createKindIndexes>;

function createKindIndexes(replica: Replica, kind: Kind) {
  const { parent, table } = kind;
  return {
    byKey: createIndex(replica, table.name, kind.keyOfRow),
    byCluster: createIndex(replica, table.name, (row) => idsOf(row).get(CLUSTER_KEY)),
    byOwner: createIndex(replica, table.name, formatOwnerKeyOf),
    parents: parent && createIndex(replica, parent.kind.table.name, (row) => referencesOf(row, parent.column)),
  };
}

function formatOwnerKeyOf(row: Row): string | undefined {
  const cluster = idsOf(row).get(CLUSTER_KEY);
  const owner = ownerOf(row);
  return cluster === undefined || owner === undefined ? undefined : formatOwnerKey(cluster, owner);
}
