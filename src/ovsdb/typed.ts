import type { OvsdbClient } from './client.ts';
import type { TableSchema } from './schema.ts';
import {
  type Atom,
  type ColumnType,
  encodeValue,
  type Row,
  sortedMap,
  sortedSet,
  type Uuid,
  type Value,
  type WireRow,
} from './values.ts';

/** One table with the type of its rows. Generated from `.ovsschema` files, so that no name is typed by hand. */
export type Table<R extends Row = Row> = TableSchema & {
  readonly name: string;
  /** Carries the row type only; never set. */
  readonly row?: R;
};

/** Values of some columns of a table. */
export type Columns<R extends Row> = { readonly [K in Exclude<keyof R, '_uuid'>]?: R[K] };

/** What typed access needs of a client. */
export type Replica = Pick<OvsdbClient, 'table' | 'onChange'>;

/** The live rows of a table. Columns that are not monitored are absent, whatever the type says. */
export function rowsOf<R extends Row>(replica: Replica, table: Table<R>): ReadonlyMap<Uuid, R> {
  return replica.table(table.name) as ReadonlyMap<Uuid, unknown> as ReadonlyMap<Uuid, R>;
}

/**
 * Columns in wire notation. A string in a reference column that is no UUID is the name of a row inserted in the same
 * transaction. Throws ValueError for a value that does not fit its column, TypeError for a column the table lacks.
 */
export function encodeColumns<R extends Row>(table: Table<R>, columns: Columns<R>): WireRow {
  const out: Record<string, WireRow[string]> = Object.create(null);
  for (const [name, value] of Object.entries(columns) as [string, Value][]) {
    out[name] = encodeValue(value, columnOf(table, name));
  }
  return out;
}

/** The type of a column. Throws TypeError for one that the table lacks. */
export function columnOf(table: Table, column: string): ColumnType {
  const type = Object.hasOwn(table.columns, column) ? table.columns[column] : undefined;
  if (type === undefined) throw new TypeError(`${table.name} has no column ${column}`);
  return type;
}

/** The form in which the replica holds the value: sets sorted and without duplicates, maps in key order. */
export function normalizeValue(value: Value): Value {
  if (value instanceof Map) return sortedMap(value as ReadonlyMap<Atom, Atom>);
  return Array.isArray(value) ? sortedSet(value as readonly Atom[]) : value;
}
