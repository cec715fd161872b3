import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createNbClient, type NbClient } from '../../src/ovn/database.ts';
import type { Wanted } from '../../src/ovn/wanted.ts';
import { NOTHING_WANTED } from '../../src/ovn/wanted.ts';
import { createOvsdbClient, type OvsdbClient } from '../../src/ovsdb/client.ts';
import { parseSchema } from '../../src/ovsdb/schema.ts';
import type { Row, Value } from '../../src/ovsdb/values.ts';
import { startServer, type TestServer } from '../ovsdb/server.ts';

const SCHEMAS = resolve(import.meta.dirname, '../../scripts/codegen/schemas');

/** Path and name of a schema that the generated tables come from. */
export const SCHEMA_FILES = {
  nb: { schemaPath: `${SCHEMAS}/ovn-nb.ovsschema`, database: 'OVN_Northbound' },
  sb: { schemaPath: `${SCHEMAS}/ovn-sb.ovsschema`, database: 'OVN_Southbound' },
  vswitch: { schemaPath: `${SCHEMAS}/vswitch.ovsschema`, database: 'Open_vSwitch' },
} as const;

export type TestNb = AsyncDisposable & {
  readonly server: TestServer;
  readonly nb: NbClient;
  /** Every row of every table, by a second connection that monitors all. */
  dump(): Promise<Content>;
};

/** A database's content: per table the rows by a readable name, with references shown by that name too. */
export type Content = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;

/** A Northbound database of its own with a client on it. */
export async function startNb(): Promise<TestNb> {
  const server = await startServer(SCHEMA_FILES.nb);
  const nb = createNbClient({ remotes: [server.remote] });
  const all = createWholeClient(server.remote, SCHEMA_FILES.nb);
  nb.client.start();
  all.start();
  await Promise.all([nb.client.whenLive(), all.whenLive()]);
  return {
    server,
    nb,
    dump: async () => {
      await all.transactAndSync([{ op: 'comment', comment: 'catch up' }]);
      return formatContent(all);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([nb.client.stop(), all.stop()]);
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A client that monitors every column of every table. */
export function createWholeClient(
  remote: string,
  { schemaPath, database }: (typeof SCHEMA_FILES)[keyof typeof SCHEMA_FILES],
) {
  const schema = parseSchema(JSON.parse(readFileSync(schemaPath, 'utf8')));
  const tables = Object.fromEntries(Object.keys(schema.tables).map((table) => [table, {}]));
  return createOvsdbClient({ remotes: [remote], database, tables });
}

/** All rows that hold anything, without columns at their default and with names for UUIDs. */
export function formatContent(client: OvsdbClient): Content {
  const names = new Map<string, string>();
  const tables = Object.keys(client.schema?.tables ?? {});
  for (const table of tables) for (const row of client.table(table).values()) names.set(row._uuid, nameOf(row));
  const content: Record<string, Record<string, Record<string, unknown>>> = {};
  for (const table of tables) {
    const rows = [...client.table(table).values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const shown: Record<string, Record<string, unknown>> = {};
    for (const row of rows) {
      const name = nameOf(row);
      shown[name in shown ? `${name} (again)` : name] = formatRow(row, names);
    }
    if (rows.length > 0) content[table] = shown;
  }
  return content;
}

function nameOf(row: Row): string {
  const ids = row.external_ids instanceof Map ? (row.external_ids as ReadonlyMap<string, string>) : undefined;
  if (typeof row.ip_prefix === 'string')
    return `${row.ip_prefix} ${String(row.nexthop)} ${ids?.get('mooring-owner') ?? ''}`;
  if (typeof row.name === 'string') return row.name;
  return ids?.get('mooring-row') ?? String(row.cidr ?? '');
}

function formatRow(row: Row, names: ReadonlyMap<string, string>): Record<string, unknown> {
  const shown = Object.entries(row)
    .filter(([column]) => column !== '_uuid' && column !== '_version')
    .map(([column, value]) => [column, formatValue(value, names)] as const)
    .filter(([, value]) => !isEmpty(value));
  return Object.fromEntries(shown);
}

function formatValue(value: Value, names: ReadonlyMap<string, string>): unknown {
  const show = (atom: unknown): unknown => (typeof atom === 'string' ? (names.get(atom) ?? atom) : atom);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, atom]) => [String(key), show(atom)]));
  if (Array.isArray(value)) return value.map(show).sort();
  return show(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === false || value === 0n) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** A wish with only some parts. */
export function wish(parts: Partial<Wanted>): Wanted {
  return { ...NOTHING_WANTED, ...parts };
}
