import { ProtocolError } from './errors.ts';
import type { MonitoredTable, MonitoredTables, RowUpdate, TableUpdates } from './monitor.ts';
import {
  type Atom,
  type ColumnType,
  decodeValue,
  defaultValue,
  equalValues,
  type Row,
  sortedMap,
  sortedSet,
  type Uuid,
  type Value,
} from './values.ts';

/** One row's change: only `new` for an insert, only `old` for a delete, both for a modification. */
export type RowChange = {
  readonly table: string;
  readonly uuid: Uuid;
  readonly old?: Row;
  readonly new?: Row;
};

type MutableRow = { _uuid: Uuid } & Record<string, Value>;
type Rows = Map<Uuid, Row>;

/** About 10 ms of work. */
const ROWS_WITHOUT_PAUSE = 1000;

/** Rows inherit from this and so from nothing else; unlike a null prototype it keeps V8's compact row layout. */
const ROW_PROTOTYPE: object = Object.freeze(Object.create(null));

/** The replica of the monitored tables. Only the server's updates change it. */
export class Cache {
  readonly #rows = new Map<string, Rows>();
  #tables: MonitoredTables = new Map();

  /** The live rows of a table; empty for one that is not monitored. */
  table(name: string): ReadonlyMap<Uuid, Row> {
    return this.#rowsOf(name);
  }

  /**
   * Applies one update and returns what really changed. Either all of it takes effect or, with a ProtocolError or
   * ValueError, nothing.
   */
  apply(updates: TableUpdates): RowChange[] {
    const changes: RowChange[] = [];
    for (const change of this.#planChanges(updates)) if (change !== undefined) changes.push(change);
    this.#commit(changes);
    return changes;
  }

  /**
   * Makes the replica equal to a complete dump of `tables`, and returns the difference to what it held. Decoding a large
   * dump takes long, so `pause` is awaited every few thousand rows; the replica changes only at the end, at once.
   */
  async replace(
    tables: MonitoredTables,
    dump: TableUpdates,
    pause: () => Promise<unknown> = async () => undefined,
  ): Promise<RowChange[]> {
    this.#tables = tables;
    const changes = this.#findGone(dump);
    let rows = 0;
    for (const change of this.#planChanges(dump)) {
      if (change !== undefined) changes.push(change);
      if (++rows % ROWS_WITHOUT_PAUSE === 0) await pause();
    }
    this.#commit(changes);
    return changes;
  }

  #findGone(dump: TableUpdates): RowChange[] {
    const gone: RowChange[] = [];
    for (const [table, rows] of this.#rows) {
      const kept = dump.get(table)?.rows ?? {};
      for (const [uuid, old] of rows) if (!Object.hasOwn(kept, uuid)) gone.push({ table, uuid, old });
    }
    return gone;
  }

  /** One step per row; undefined for a row that does not change. */
  *#planChanges(updates: TableUpdates): Generator<RowChange | undefined> {
    for (const [name, { rows, parseRow }] of updates) {
      const table = this.#monitored(name);
      const current = this.#rowsOf(name);
      for (const uuid of Object.keys(rows)) {
        yield planChange(table, { table: name, uuid, old: current.get(uuid) }, parseRow(rows[uuid]));
      }
    }
  }

  #monitored(name: string): MonitoredTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new ProtocolError(`update of table ${name}, which is not monitored`);
    return table;
  }

  #rowsOf(name: string): Rows {
    let rows = this.#rows.get(name);
    if (rows === undefined) {
      rows = new Map();
      this.#rows.set(name, rows);
    }
    return rows;
  }

  #commit(changes: readonly RowChange[]): void {
    for (const change of changes) {
      const rows = this.#rowsOf(change.table);
      if (change.new === undefined) rows.delete(change.uuid);
      else rows.set(change.uuid, change.new);
    }
  }
}

type Current = { readonly table: string; readonly uuid: Uuid; readonly old: Row | undefined };

function planChange(table: MonitoredTable, current: Current, update: RowUpdate): RowChange | undefined {
  const { old, ...where } = current;
  if (update.kind === 'delete') return old === undefined ? undefined : { ...where, old };
  if (update.kind === 'replace') {
    const row = decodeRow(table, where.uuid, update.row);
    if (old === undefined) return { ...where, new: row };
    return equalRows(table, old, row) ? undefined : { ...where, old, new: row };
  }
  if (old === undefined) throw new ProtocolError(`modification of an unknown row ${where.uuid} in ${where.table}`);
  return { ...where, old, new: modifyRow(table, old, update.row) };
}

function newRow(uuid: Uuid): MutableRow {
  const row: MutableRow = Object.create(ROW_PROTOTYPE);
  row._uuid = uuid;
  return row;
}

function decodeRow(table: MonitoredTable, uuid: Uuid, wire: Readonly<Record<string, unknown>>): Row {
  const row = newRow(uuid);
  const { columns } = table;
  for (const column in columns) {
    const type = columns[column];
    if (type === undefined) continue;
    const value = Object.hasOwn(wire, column) ? wire[column] : undefined;
    row[column] = value === undefined ? defaultValue(type) : decodeValue(value, type);
  }
  return row;
}

function modifyRow(table: MonitoredTable, old: Row, diff: Readonly<Record<string, unknown>>): Row {
  const row = newRow(old._uuid);
  for (const column in old) row[column] = old[column];
  for (const [column, wire] of Object.entries(diff)) {
    const type = table.columns[column];
    if (type === undefined) throw new ProtocolError(`update of column ${column}, which is not monitored`);
    row[column] = applyDifference(old[column], wire, type);
  }
  return row;
}

function equalRows(table: MonitoredTable, a: Row, b: Row): boolean {
  for (const column in table.columns) if (!equalValues(a[column], b[column])) return false;
  return true;
}

/**
 * The new value of a column from the old one and a `modify` difference (ovsdb-server(7), section 4.1.14): for columns of
 * more than one element what was added or removed, for all others the new value.
 */
export function applyDifference(old: Value, wire: unknown, type: ColumnType): Value {
  const diff = decodeValue(wire, type);
  if (type.max <= 1) return diff;
  if (diff instanceof Map) return mergeMaps(old as ReadonlyMap<Atom, Atom>, diff);
  return toggle(old as readonly Atom[], diff as readonly Atom[]);
}

function toggle(old: readonly Atom[], diff: readonly Atom[]): readonly Atom[] {
  const atoms = new Set(old);
  for (const atom of diff) if (!atoms.delete(atom)) atoms.add(atom);
  return sortedSet(atoms);
}

/** A pair that was there goes, a new key comes, a known key with another value changes. */
function mergeMaps(old: ReadonlyMap<Atom, Atom>, diff: ReadonlyMap<Atom, Atom>): ReadonlyMap<Atom, Atom> {
  const merged = new Map(old);
  for (const [key, value] of diff) {
    if (merged.has(key) && merged.get(key) === value) merged.delete(key);
    else merged.set(key, value);
  }
  return sortedMap(merged);
}
