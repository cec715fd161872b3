import { type ClientOptions, createOvsdbClient, type OvsdbClient } from '../ovsdb/client.ts';
import type { TableSpec } from '../ovsdb/monitor.ts';
import { createIndex, type TableIndex } from '../ovsdb/table-index.ts';
import { type Columns, rowsOf, type Table } from '../ovsdb/typed.ts';
import type { Row, Uuid } from '../ovsdb/values.ts';
import { IFACE_ID, SANDBOX } from './keys.ts';
import { VSWITCH, VSWITCH_DATABASE } from './schema/vswitch.gen.ts';

export type Ids = ReadonlyMap<string, string>;

/** Connection options; what to monitor is not the caller's choice. `remotes` defaults to the node's own socket. */
export type OvsOptions = Omit<ClientOptions, 'database' | 'tables' | 'remotes'> & {
  readonly remotes?: readonly string[];
};

/** The node's Open_vSwitch database: connection, typed rows and the indexes that planning reads. */
export type OvsClient = {
  readonly client: OvsdbClient;
  rows<R extends Row>(table: Table<R>): ReadonlyMap<Uuid, R>;
  readonly indexes: OvsIndexes;
};

export type OvsIndexes = {
  readonly bridges: TableIndex;
  readonly ports: TableIndex;
  readonly interfaces: TableIndex;
  /** Interfaces by `external_ids:iface-id`. */
  readonly byIfaceId: TableIndex;
  /** Interfaces by `external_ids:sandbox`. */
  readonly bySandbox: TableIndex;
  /** Ports by the UUID of an interface. */
  readonly portOf: TableIndex;
  /** Bridges by the UUID of a port. */
  readonly bridgeOf: TableIndex;
};

/** Where Open vSwitch listens on a node. */
export const DEFAULT_REMOTE = 'unix:/run/openvswitch/db.sock';

const spec = <R extends Row>(_table: Table<R>, columns: readonly (keyof Columns<R> & string)[]): TableSpec => ({
  columns,
});

const TABLES: Readonly<Record<string, TableSpec>> = {
  [VSWITCH.Open_vSwitch.name]: spec(VSWITCH.Open_vSwitch, ['bridges', 'external_ids', 'other_config', 'ovs_version']),
  [VSWITCH.Bridge.name]: spec(VSWITCH.Bridge, ['name', 'ports', 'datapath_type', 'external_ids']),
  [VSWITCH.Port.name]: spec(VSWITCH.Port, ['name', 'interfaces', 'other_config', 'external_ids']),
  [VSWITCH.Interface.name]: spec(VSWITCH.Interface, [
    'name',
    'type',
    'mac',
    'mac_in_use',
    'mtu',
    'mtu_request',
    'ofport',
    'ifindex',
    'error',
    'link_state',
    'external_ids',
    'options',
  ]),
};

/** Makes the client of the node's database; start it with `client.start()`. */
export function createOvsClient(options: OvsOptions = {}): OvsClient {
  const client = createOvsdbClient({
    remotes: [DEFAULT_REMOTE],
    ...options,
    database: VSWITCH_DATABASE,
    tables: TABLES,
  });
  return { client, rows: (table) => rowsOf(client, table), indexes: createIndexes(client) };
}

function createIndexes(client: OvsdbClient): OvsIndexes {
  const { Bridge, Interface, Port } = VSWITCH;
  return {
    bridges: createIndex(client, Bridge.name, (row) => textOf(row, 'name')),
    ports: createIndex(client, Port.name, (row) => textOf(row, 'name')),
    interfaces: createIndex(client, Interface.name, (row) => textOf(row, 'name')),
    byIfaceId: createIndex(client, Interface.name, (row) => idOf(row, IFACE_ID)),
    bySandbox: createIndex(client, Interface.name, (row) => idOf(row, SANDBOX)),
    portOf: createIndex(client, Port.name, (row) => uuidsOf(row, 'interfaces')),
    bridgeOf: createIndex(client, Bridge.name, (row) => uuidsOf(row, 'ports')),
  };
}

function textOf(row: Row, column: string): string | undefined {
  const value = row[column];
  return typeof value === 'string' ? value : undefined;
}

function idOf(row: Row, key: string): string | undefined {
  const ids = row.external_ids;
  const value = ids instanceof Map ? ids.get(key) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function uuidsOf(row: Row, column: string): readonly Uuid[] {
  const value = row[column];
  return Array.isArray(value) ? (value as readonly Uuid[]) : [];
}
