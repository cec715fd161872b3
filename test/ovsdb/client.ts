import {
  type ClientOptions,
  createOvsdbClient,
  type OvsdbClient,
  type RowChange,
  type StateEvent,
} from '../../src/ovsdb/index.ts';
import { TEST_SCHEMA } from './schema.ts';
import { until } from './server.ts';

export type TestClient = OvsdbClient &
  AsyncDisposable & {
    /** Every batch the client has delivered so far. */
    readonly batches: (readonly RowChange[])[];
    readonly events: StateEvent[];
  };

/** A started client of the small test database that records what it tells. It is quick to notice dead servers. */
export function openClient(
  remotes: readonly string[],
  options: Partial<Omit<ClientOptions, 'remotes'>> = {},
): TestClient {
  const client = createOvsdbClient({
    database: TEST_SCHEMA.name,
    tables: { Thing: {}, Note: {}, Part: {} },
    probeIntervalMs: 500,
    requestTimeoutMs: 8000,
    backoff: { minMs: 10, maxMs: 200 },
    ...options,
    remotes,
  });
  const batches: (readonly RowChange[])[] = [];
  const events: StateEvent[] = [];
  client.onChange((changes) => batches.push(changes));
  client.onState((event) => events.push(event));
  client.start();
  return Object.assign(client, { batches, events, [Symbol.asyncDispose]: () => client.stop() });
}

/** The values of one column in the client's replica, sorted. */
export function columnOf(client: OvsdbClient, table: string, column: string): unknown[] {
  return [...client.table(table).values()].map((row) => row[column]).sort();
}

/** Waits until the client has gone live `times` times in all. */
export async function liveTimes(client: TestClient, times: number): Promise<void> {
  await until(`live ${times} times`, () => client.events.filter((event) => event.state === 'live').length >= times);
}
