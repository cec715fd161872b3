import { ProtocolError } from './errors.ts';
import type { Condition } from './operations.ts';
import type { DatabaseSchema } from './schema.ts';
import type { ColumnType, Uuid } from './values.ts';

/** A condition of a monitor; unlike in operations, one that holds is enough (ovsdb-server(7), section 4.1.12). */
export type MonitorClause = Condition | boolean;

/** What to keep of one table. */
export type TableSpec = {
  /** All columns when left out. */
  readonly columns?: readonly string[];
  /** Rows for which any clause holds; all rows when left out. */
  readonly where?: readonly MonitorClause[];
};

/** One table as it is really monitored: the columns that the server's schema has, with their types. */
export type MonitoredTable = {
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly where?: readonly MonitorClause[];
};

export type MonitoredTables = ReadonlyMap<string, MonitoredTable>;

export type RowUpdate =
  | { readonly kind: 'replace' | 'modify'; readonly row: Readonly<Record<string, unknown>> }
  | { readonly kind: 'delete' };

/** One table's changes by row, read one at a time, because a dump may hold very many. */
export type TableUpdate = {
  readonly rows: Readonly<Record<string, unknown>>;
  /** Throws ProtocolError. */
  readonly parseRow: (row: unknown) => RowUpdate;
};

export type TableUpdates = ReadonlyMap<string, TableUpdate>;

/** Which `<table-updates>` a message holds: 1 is RFC 7047 section 4.1.6, 2 is ovsdb-server(7) section 4.1.14. */
export type UpdateFormat = 1 | 2;

export type MonitorPlan = {
  readonly tables: MonitoredTables;
  /** `Table` or `Table.column` that was asked for and that this server does not have. */
  readonly missing: readonly string[];
};

/** Fits the wish to the server's schema: an older server may lack tables and columns, which then stay empty. */
export function planMonitor(specs: Readonly<Record<string, TableSpec>>, schema: DatabaseSchema): MonitorPlan {
  const tables = new Map<string, MonitoredTable>();
  const missing: string[] = [];
  for (const [name, spec] of Object.entries(specs)) {
    const known = schema.tables[name]?.columns;
    if (known === undefined) {
      missing.push(name);
      continue;
    }
    const columns: Record<string, ColumnType> = Object.create(null);
    for (const column of spec.columns ?? Object.keys(known)) {
      const type = known[column];
      if (type === undefined) missing.push(`${name}.${column}`);
      else columns[column] = type;
    }
    tables.set(name, { columns, ...(spec.where === undefined ? {} : { where: spec.where }) });
  }
  return { tables, missing };
}

/** The `<monitor-cond-requests>` of a plan; `conditional` false leaves the conditions out, for the plain `monitor`. */
export function formatMonitorRequests(tables: MonitoredTables, conditional: boolean): Record<string, unknown> {
  const requests: Record<string, unknown> = Object.create(null);
  for (const [name, { columns, where }] of tables) {
    const withWhere = conditional && where !== undefined;
    requests[name] = [{ columns: Object.keys(columns), ...(withWhere ? { where } : {}) }];
  }
  return requests;
}

/** Reads `<table-updates>` of either format. Throws ProtocolError. */
export function parseUpdates(json: unknown, format: UpdateFormat): TableUpdates {
  const parse = format === 1 ? parseRowUpdate1 : parseRowUpdate2;
  const parseRow = (row: unknown): RowUpdate => parse(record(row));
  return new Map(Object.entries(record(json)).map(([name, rows]) => [name, { rows: record(rows), parseRow }]));
}

type Json = Readonly<Record<string, unknown>>;

function parseRowUpdate1(json: Json): RowUpdate {
  return json.new === undefined ? { kind: 'delete' } : { kind: 'replace', row: record(json.new) };
}

function parseRowUpdate2(json: Json): RowUpdate {
  if ('delete' in json) return { kind: 'delete' };
  if ('modify' in json) return { kind: 'modify', row: record(json.modify) };
  return { kind: 'replace', row: record(json.initial ?? json.insert) };
}

function record(json: unknown): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  throw new ProtocolError('malformed table updates');
}

export type MonitorEvent = { readonly format: UpdateFormat; readonly updates: unknown; readonly txnId?: Uuid };

/**
 * One monitor's updates in order. Updates that follow the initial answer in the same chunk of bytes arrive before the
 * code that awaits the answer runs, so they are held until `open`.
 */
export class MonitorFeed {
  readonly #handle: (event: MonitorEvent) => void;
  #held: MonitorEvent[] | undefined = [];

  constructor(handle: (event: MonitorEvent) => void) {
    this.#handle = handle;
  }

  push(event: MonitorEvent): void {
    if (this.#held === undefined) this.#handle(event);
    else this.#held.push(event);
  }

  /** Call when the initial answer has been applied. */
  open(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.#handle(event);
  }
}

/** Reads the notifications `update`, `update2` and `update3`; undefined for any other. */
export function parseNotification(
  method: string,
  params: readonly unknown[],
): { id: string; event: MonitorEvent } | undefined {
  const id = String(params[0]);
  if (method === 'update') return { id, event: { format: 1, updates: params[1] } };
  if (method === 'update2') return { id, event: { format: 2, updates: params[1] } };
  if (method === 'update3') return { id, event: { format: 2, updates: params[2], txnId: String(params[1]) } };
  return undefined;
}
