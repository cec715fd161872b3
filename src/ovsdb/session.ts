import { Cache } from './cache.ts';
import { type OvsdbError, ProtocolError, RequestError, UnsuitableServerError } from './errors.ts';
import {
  formatMonitorRequests,
  type MonitorEvent,
  type MonitoredTables,
  MonitorFeed,
  parseNotification,
  parseUpdates,
  planMonitor,
  type TableUpdates,
} from './monitor.ts';
import { Rpc } from './rpc.ts';
import { type DatabaseSchema, parseSchema } from './schema.ts';
import { findServerRow, SERVER_SCHEMA, type ServerRow } from './server.ts';
import type { Connection } from './transport.ts';
import { type Uuid, ZERO_UUID } from './values.ts';

export type SessionOptions = {
  readonly database: string;
  readonly requestTimeoutMs: number;
  /** For the initial dump, which may be large. */
  readonly syncTimeoutMs: number;
  readonly probeIntervalMs: number;
};

/** The answer to a monitor request. */
export type Snapshot = {
  /** True when `updates` continue from the transaction asked for, false when they are the whole content. */
  readonly resumed: boolean;
  readonly updates: TableUpdates;
  /** The database's last transaction, where the server tells it. */
  readonly txnId: Uuid | undefined;
};

export type Update = { readonly updates: TableUpdates; readonly txnId: Uuid | undefined };

const SERVER_TABLES = planMonitor({ Database: {} }, SERVER_SCHEMA).tables;

/** One connection's life: judge the server, learn the schema, start the monitor, then carry transactions. */
export class Session {
  readonly rpc: Rpc;
  readonly #options: SessionOptions;
  readonly #feeds = new Map<string, MonitorFeed>();

  constructor(socket: Connection, options: SessionOptions) {
    this.#options = options;
    this.rpc = new Rpc(socket, {
      probeIntervalMs: options.probeIntervalMs,
      onNotification: (method, params) => this.#onNotification(method, params),
    });
  }

  /** Resolves with the reason when the connection is over. */
  get closed(): Promise<OvsdbError> {
    return this.rpc.closed;
  }

  close(reason: OvsdbError): void {
    this.rpc.close(reason);
  }

  /**
   * Follows the server's own view of the database. `judge` is called with the first state and with every later one; what
   * it throws ends the session. Resolves when it returns true; throws UnsuitableServerError when that takes too long.
   * Servers without `_Server` (before OVS 2.9) are taken as they are.
   */
  async watchServer(judge: (row: ServerRow | undefined) => boolean): Promise<void> {
    await this.#optional('set_db_change_aware', [true]);
    const cache = new Cache();
    const fit = Promise.withResolvers<void>();
    const look = (): void => {
      if (judge(findServerRow(cache.table('Database').values(), this.#options.database))) fit.resolve();
    };
    const feed = this.#addFeed('_Server', ({ updates, format }) => {
      cache.apply(parseUpdates(updates, format));
      look();
    });
    const requests = formatMonitorRequests(SERVER_TABLES, false);
    const answer = await this.#optional('monitor', ['_Server', '_Server', requests]);
    if (answer === undefined) return;
    await cache.replace(SERVER_TABLES, parseUpdates(answer, 1));
    look();
    feed.open();
    await this.#inTime(fit.promise);
  }

  async #inTime(fit: Promise<void>): Promise<void> {
    const late = new UnsuitableServerError('the server has less than we have seen');
    const timer = setTimeout(() => this.close(late), this.#options.requestTimeoutMs);
    const closed = this.closed.then((reason) => Promise.reject(reason));
    await Promise.race([fit, closed]).finally(() => clearTimeout(timer));
  }

  /** Throws SchemaError when the answer is none, UnsuitableServerError when the server lacks the database. */
  async getSchema(): Promise<DatabaseSchema> {
    const { database, requestTimeoutMs } = this.#options;
    try {
      return parseSchema(await this.rpc.request('get_schema', [database], requestTimeoutMs));
    } catch (error) {
      if (error instanceof RequestError) throw new UnsuitableServerError(error.message);
      throw error;
    }
  }

  /**
   * Starts the monitor, from `after` if the server still knows that transaction. Call `follow` once the answer has been
   * applied; updates are held until then. Falls back to older methods on servers that do not know the newer.
   */
  async monitor(
    tables: MonitoredTables,
    after: Uuid | undefined,
    onUpdate: (update: Update) => void,
  ): Promise<{ snapshot: Snapshot; follow: () => void }> {
    const { database } = this.#options;
    const feed = this.#addFeed(database, (event) => onUpdate(parseEvent(event)));
    const snapshot =
      (await this.#monitorSince(tables, after ?? ZERO_UUID)) ??
      (await this.#monitorAll('monitor_cond', tables)) ??
      (await this.#monitorAll('monitor', tables));
    if (snapshot === undefined) throw new ProtocolError('the server knows no monitor method');
    return { snapshot, follow: () => feed.open() };
  }

  async #monitorSince(tables: MonitoredTables, after: Uuid): Promise<Snapshot | undefined> {
    const { database } = this.#options;
    const answer = await this.#sync('monitor_cond_since', [
      database,
      database,
      formatMonitorRequests(tables, true),
      after,
    ]);
    if (answer === undefined) return undefined;
    if (!Array.isArray(answer) || answer.length !== 3) throw new ProtocolError('malformed monitor_cond_since answer');
    return { resumed: answer[0] === true, txnId: String(answer[1]), updates: parseUpdates(answer[2], 2) };
  }

  async #monitorAll(method: 'monitor_cond' | 'monitor', tables: MonitoredTables): Promise<Snapshot | undefined> {
    const { database } = this.#options;
    const conditional = method === 'monitor_cond';
    const answer = await this.#sync(method, [database, database, formatMonitorRequests(tables, conditional)]);
    if (answer === undefined) return undefined;
    return { resumed: false, txnId: undefined, updates: parseUpdates(answer, conditional ? 2 : 1) };
  }

  #sync(method: string, params: readonly unknown[]): Promise<unknown> {
    return this.#optional(method, params, this.#options.syncTimeoutMs);
  }

  /** The answer, or undefined when the server does not know the method or the database asked. */
  async #optional(method: string, params: readonly unknown[], timeoutMs?: number): Promise<unknown> {
    try {
      return await this.rpc.request(method, params, timeoutMs ?? this.#options.requestTimeoutMs);
    } catch (error) {
      if (error instanceof RequestError && error.error.startsWith('unknown ')) return undefined;
      throw error;
    }
  }

  #addFeed(id: string, handle: (event: MonitorEvent) => void): MonitorFeed {
    const feed = new MonitorFeed(handle);
    this.#feeds.set(id, feed);
    return feed;
  }

  #onNotification(method: string, params: readonly unknown[]): void {
    const update = parseNotification(method, params);
    if (update !== undefined) this.#feeds.get(update.id)?.push(update.event);
    else if (method === 'monitor_canceled') throw new UnsuitableServerError('the server cancelled the monitor');
  }
}

function parseEvent({ updates, format, txnId }: MonitorEvent): Update {
  return { updates: parseUpdates(updates, format), txnId };
}
