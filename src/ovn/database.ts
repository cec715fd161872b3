import { type ClientOptions, createOvsdbClient, type OvsdbClient } from '../ovsdb/client.ts';
import type { TableSpec } from '../ovsdb/monitor.ts';
import { type Columns, rowsOf, type Table } from '../ovsdb/typed.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import { KINDS } from './kinds.ts';
import { createObserved, type Observed } from './observed.ts';
import { NB, NB_DATABASE } from './schema/nb.gen.ts';
import { SB, SB_DATABASE } from './schema/sb.gen.ts';

/** Connection options of either database; what to monitor is not the caller's choice. */
export type DatabaseOptions = Omit<ClientOptions, 'database' | 'tables'>;

/** The Northbound database: connection, typed rows and the indexes that planning reads. */
export type NbClient = { readonly client: OvsdbClient; readonly observed: Observed };

/** The Southbound database, which we only read. */
export type SbClient = {
  readonly client: OvsdbClient;
  rows<R extends Row>(table: Table<R>): ReadonlyMap<Uuid, R>;
};

const spec = <R extends Row>(_table: Table<R>, columns: readonly (keyof Columns<R> & string)[]): TableSpec => ({
  columns,
});

const NB_TABLES: Readonly<Record<string, TableSpec>> = {
  ...Object.fromEntries(KINDS.map((kind) => [kind.table.name, { columns: kind.monitored }])),
  [NB.Address_Set.name]: spec(NB.Address_Set, ['name', 'external_ids']),
};

const SB_TABLES: Readonly<Record<string, TableSpec>> = {
  [SB.Port_Binding.name]: spec(SB.Port_Binding, [
    'logical_port',
    'type',
    'chassis',
    'additional_chassis',
    'requested_chassis',
    'requested_additional_chassis',
    'up',
    'options',
  ]),
  [SB.Chassis.name]: spec(SB.Chassis, ['name', 'hostname', 'encaps', 'external_ids', 'other_config']),
  [SB.Encap.name]: spec(SB.Encap, ['type', 'ip', 'chassis_name']),
};

/** Makes the client of the Northbound database. Writers use the leader only; start it with `client.start()`. */
export function createNbClient(options: DatabaseOptions): NbClient {
  const client = createOvsdbClient({ leaderOnly: true, ...options, database: NB_DATABASE, tables: NB_TABLES });
  return { client, observed: createObserved(client) };
}

/** Makes the client of the Southbound database; start it with `client.start()`. */
export function createSbClient(options: DatabaseOptions): SbClient {
  const client = createOvsdbClient({ ...options, database: SB_DATABASE, tables: SB_TABLES });
  return { client, rows: (table) => rowsOf(client, table) };
}
