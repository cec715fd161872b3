import { OWNER_KEY } from '../api/owner.ts';
import type { Condition } from '../ovsdb/operations.ts';
import type { Columns, Table } from '../ovsdb/typed.ts';
import type { Row, Uuid, Value } from '../ovsdb/values.ts';
import type { Ids, Wanted } from './wanted.ts';

/** Finds another row by kind and key: its UUID, or its name within the transaction that inserts it. */
export type Refer = (kind: Kind, key: string) => string;

/** One row that somebody wants, in the form that all kinds share. */
export type WantedRow = {
  readonly kind: Kind;
  readonly key: string;
  /** Key of the row whose set column holds this one. */
  readonly parentKey?: string;
  readonly externalIds: Ids;
  /** The columns that we own, `external_ids` among them. */
  readonly columns: (refer: Refer) => Readonly<Record<string, Value>>;
  /** Finds a row of the same key on the server, where no index of the schema keeps it unique. */
  readonly same?: readonly Condition[];
};

/** A table whose rows we manage. Everything that differs between tables is in here. */
export type Kind = {
  readonly table: Table;
  /** The columns that we read or write. */
  readonly monitored: readonly string[];
  /** Rows of tables that are no root live only while a parent's set column holds them. */
  readonly parent?: { readonly kind: Kind; readonly column: string };
  /** Keys are unique only within one parent. */
  readonly perParent: boolean;
  /** Natural key of a row that exists; undefined when it has none. */
  readonly keyOfRow: (row: Row) => string | undefined;
  readonly list: (wanted: Wanted) => readonly WantedRow[];
};

type IdRow = Row & { readonly external_ids: Ids };
type Part<P extends keyof Wanted> = Wanted[P][number];

/** What one table's file says about it; `P` is its part of `Wanted`. */
export type KindSpec<P extends keyof Wanted, R extends IdRow> = {
  readonly part: P;
  readonly table: Table<R>;
  readonly monitored: readonly Exclude<keyof R & string, '_uuid'>[];
  readonly parent?: { readonly kind: Kind; readonly column: string; readonly keyOf: (wanted: Part<P>) => string };
  readonly perParent?: boolean;
  readonly keyOfRow: (row: R) => string | undefined;
  readonly keyOf: (wanted: Part<P>) => string;
  readonly columns: (wanted: Part<P>, refer: Refer) => Columns<R>;
  readonly same?: (wanted: Part<P>) => readonly Condition[];
};

/** Hides the table's own types behind the form that the difference works on. */
export function defineKind<P extends keyof Wanted, R extends IdRow>(spec: KindSpec<P, R>): Kind {
  const { parent, same } = spec;
  const kind: Kind = {
    table: spec.table,
    monitored: spec.monitored,
    ...(parent === undefined ? {} : { parent: { kind: parent.kind, column: parent.column } }),
    perParent: spec.perParent ?? false,
    keyOfRow: (row) => spec.keyOfRow(row as R),
    list: (wanted) => wanted[spec.part].map(formatRow),
  };
  const formatRow = (item: Part<P>): WantedRow => ({
    kind,
    key: spec.keyOf(item),
    ...(parent === undefined ? {} : { parentKey: parent.keyOf(item) }),
    externalIds: item.externalIds,
    columns: (refer) => ({ external_ids: item.externalIds, ...spec.columns(item, refer) }),
    ...(same === undefined ? {} : { same: same(item) }),
  });
  return kind;
}

/** The `external_ids` of any row; empty when the column is not monitored. */
export function idsOf(row: Row): Ids {
  const ids = row.external_ids;
  return ids instanceof Map ? (ids as Ids) : new Map();
}

export function ownerOf(row: Row): string | undefined {
  return idsOf(row).get(OWNER_KEY);
}

/** The set of references in a column. */
export function referencesOf(row: Row, column: string): readonly Uuid[] {
  const value = row[column];
  return Array.isArray(value) ? (value as readonly Uuid[]) : [];
}
