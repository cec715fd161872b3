import { setTimeout as delay, setImmediate as pause } from 'node:timers/promises';
import { type BackoffOptions, planDelay } from './backoff.ts';
import { Cache, type RowChange } from './cache.ts';
import {
  AmbiguousError,
  ConnectionError,
  OvsdbError,
  ProtocolError,
  StoppedError,
  TimeoutError,
  toTransactError,
  UnsuitableServerError,
} from './errors.ts';
import { type MonitorPlan, planMonitor, type TableSpec } from './monitor.ts';
import type { Operation, OperationResult } from './operations.ts';
import { parseResults } from './results.ts';
import type { DatabaseSchema } from './schema.ts';
import { compareHistory, extendHistory, findUnsuitable, type History, type ServerRow } from './server.ts';
import { Session, type Update } from './session.ts';
import { connect, parseRemote, type Remote, type TlsOptions } from './transport.ts';
import type { Row, Uuid } from './values.ts';

export type ClientState = 'stopped' | 'connecting' | 'schema' | 'syncing' | 'live' | 'backoff';

/** A step of the client's life. */
export type StateEvent = {
  readonly state: ClientState;
  readonly remote: string;
  /** Why the connection before was given up (`backoff` and `stopped` only). */
  readonly reason?: OvsdbError;
  /**
   * With `syncing`: the database is another one than before, or has lost what it once had (restored from a backup).
   * Everything derived from the cache is to be read again.
   */
  readonly historyLost?: boolean;
  /** With `live`: the server sent only what had changed, not the whole content. */
  readonly resumed?: boolean;
};

export type ClientOptions = {
  /** Tried in turn, e.g. `unix:/run/db.sock`, `tcp:10.0.0.1:6641`, `ssl:[fd00::1]:6641`. */
  readonly remotes: readonly string[];
  readonly database: string;
  readonly tables: Readonly<Record<string, TableSpec>>;
  /** Use only the leader of a cluster; others may be behind. Default false. */
  readonly leaderOnly?: boolean;
  readonly tls?: TlsOptions;
  /** Default 5000. */
  readonly requestTimeoutMs?: number;
  /** For the initial dump. Default 60000. */
  readonly syncTimeoutMs?: number;
  /** Default 5000: a dead server is noticed after at most twice this time. */
  readonly probeIntervalMs?: number;
  /**
   * How long no member of a cluster may have all that we have seen before we believe that history was lost (restored
   * from a backup). Default 30000; an election takes a few seconds.
   */
  readonly staleAfterMs?: number;
  /** Default 100 to 5000 ms. */
  readonly backoff?: BackoffOptions;
  /** A number in [0, 1). Default Math.random. */
  readonly random?: () => number;
  /** Milliseconds on a clock that only goes forward. Default performance.now. */
  readonly now?: () => number;
  readonly log?: (event: string, fields: Readonly<Record<string, unknown>>) => void;
};

export type TransactOptions = { readonly timeoutMs?: number; readonly signal?: AbortSignal };

export type OvsdbClient = {
  /** Begins to connect. A client is used once: started, then stopped. */
  start(): void;
  /** Ends the connection; resolves when nothing is left running. */
  stop(): Promise<void>;
  /** Resolves when the cache holds a state of the database at least as new as this call's connection. */
  whenLive(signal?: AbortSignal): Promise<void>;
  readonly state: ClientState;
  /** The schema of the server last connected to. */
  readonly schema: DatabaseSchema | undefined;
  /** The live replica of a table. It stays as it was while the connection is away. */
  table(name: string): ReadonlyMap<Uuid, Row>;
  /** Called once per server update, after the cache has it; the initial dump and a re-sync are one update each. */
  onChange(listener: (changes: readonly RowChange[]) => void): () => void;
  onState(listener: (event: StateEvent) => void): () => void;
  /**
   * Executes one transaction, after all those asked for before. Waits for a connection as long as `timeoutMs` allows.
   * Never repeats anything: AmbiguousError says that the outcome is unknown. All other errors mean "not committed".
   */
  transact(operations: readonly Operation[], options?: TransactOptions): Promise<OperationResult[]>;
  /**
   * The same, and the cache and all listeners have seen the result when it resolves. The server's order sees to that:
   * before it sends any answer on a connection it sends the updates of that connection's monitors (ovsdb_jsonrpc_
   * session_send in ovsdb/jsonrpc-server.c), and a cluster member answers only after it has applied the transaction.
   */
  transactAndSync(operations: readonly Operation[], options?: TransactOptions): Promise<OperationResult[]>;
};

/** Makes a client; nothing happens before `start`. Throws OvsdbError `bad-remote`. */
export function createOvsdbClient(options: ClientOptions): OvsdbClient {
  return new Client(options);
}

const DEFAULTS = {
  leaderOnly: false,
  requestTimeoutMs: 5000,
  syncTimeoutMs: 60_000,
  probeIntervalMs: 5000,
  staleAfterMs: 30_000,
  backoff: { minMs: 100, maxMs: 5000 },
  random: Math.random,
  now: (): number => performance.now(),
  log: (_event: string, _fields: Readonly<Record<string, unknown>>): void => undefined,
};

type Target = { readonly text: string; readonly remote: Remote };
type Settings = Omit<ClientOptions, keyof typeof DEFAULTS> & typeof DEFAULTS;
type Waiter = { readonly resolve: () => void; readonly reject: (error: unknown) => void };

class Client implements OvsdbClient {
  readonly #options: Settings;
  readonly #remotes: readonly Target[];
  readonly #cache = new Cache();
  readonly #stop = new AbortController();
  readonly #changeListeners = new Set<(changes: readonly RowChange[]) => void>();
  readonly #stateListeners = new Set<(event: StateEvent) => void>();
  readonly #waiters = new Set<Waiter>();
  #state: ClientState = 'stopped';
  #schema: DatabaseSchema | undefined;
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #plan: MonitorPlan = { tables: new Map(), missing: [] };
  #lastTxnId: Uuid | undefined;
  #history: History | undefined;
  #historyLost = false;
  #behindSince: number | undefined;
  #liveSince = 0;

  constructor(options: ClientOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#remotes = options.remotes.map((text) => ({ text, remote: parseRemote(text) }));
    if (this.#remotes.length === 0) throw new OvsdbError('bad-remote', 'terminal', 'no remotes');
  }

  get state(): ClientState {
    return this.#state;
  }

  get schema(): DatabaseSchema | undefined {
    return this.#schema;
  }

  table(name: string): ReadonlyMap<Uuid, Row> {
    return this.#cache.table(name);
  }

  onChange(listener: (changes: readonly RowChange[]) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  onState(listener: (event: StateEvent) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#session?.close(new StoppedError());
    await this.#running;
    for (const waiter of this.#waiters) waiter.reject(new StoppedError());
    this.#waiters.clear();
  }

  whenLive(signal?: AbortSignal): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(new StoppedError());
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#state === 'live') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const waiter = { resolve: settle(resolve), reject: (error: unknown) => settle(() => reject(error))() };
      const onAbort = (): void => waiter.reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  transact(operations: readonly Operation[], options: TransactOptions = {}): Promise<OperationResult[]> {
    const turn = this.#queue.then(() => this.#transactNow(operations, options));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  transactAndSync(operations: readonly Operation[], options: TransactOptions = {}): Promise<OperationResult[]> {
    return this.transact(operations, options);
  }

  async #transactNow(operations: readonly Operation[], options: TransactOptions): Promise<OperationResult[]> {
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    await this.whenLive(signal).catch((error: unknown) => {
      throw error === timeout.reason ? new TimeoutError(`transact: not connected within ${timeoutMs} ms`) : error;
    });
    const session = this.#session;
    if (session === undefined || session.rpc.failure !== undefined) throw new ConnectionError('not connected');
    const onAbort = (): void => session.close(abortError(signal.reason, timeoutMs));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await session.rpc.request('transact', [this.#options.database, ...operations], timeoutMs);
      return parseResults(answer, operations);
    } catch (cause) {
      const error = toTransactError(cause);
      if (error instanceof AmbiguousError) session.close(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #run(): Promise<void> {
    let attempt = 0;
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const target = this.#remotes[turn % this.#remotes.length];
      if (target === undefined) break;
      const reason = await this.#runSession(target).catch((error: unknown) => toOvsdbError(error));
      this.#session = undefined;
      if (this.#stop.signal.aborted) break;
      attempt = this.#wasStable() ? 0 : attempt + 1;
      this.#setState({ state: 'backoff', remote: target.text, reason });
      await this.#pause(attempt);
    }
    this.#setState({ state: 'stopped', remote: '', reason: new StoppedError() });
  }

  /** A session that ends soon after it went live is no sign of health: the waiting goes on where it was. */
  #wasStable(): boolean {
    return this.#state === 'live' && this.#options.now() - this.#liveSince >= this.#options.backoff.maxMs;
  }

  async #pause(attempt: number): Promise<void> {
    const { backoff, random } = this.#options;
    const ms = planDelay(attempt, this.#remotes.length, { ...backoff, random });
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** Lives through one connection; returns why it ended. */
  async #runSession({ text, remote }: Target): Promise<OvsdbError> {
    this.#setState({ state: 'connecting', remote: text });
    const { requestTimeoutMs: timeoutMs, tls } = this.#options;
    const socket = await connect(remote, { timeoutMs, tls, signal: this.#stop.signal });
    const session = new Session(socket, this.#options);
    this.#session = session;
    if (this.#stop.signal.aborted) session.close(new StoppedError());
    try {
      await session.watchServer((row) => this.#judge(row));
      this.#setState({ state: 'schema', remote: text });
      this.#learnSchema(await session.getSchema());
      this.#setState({ state: 'syncing', remote: text, ...(this.#historyLost ? { historyLost: true } : {}) });
      const resumed = await this.#synchronise(session);
      this.#liveSince = this.#options.now();
      this.#setState({ state: 'live', remote: text, resumed });
      return await session.closed;
    } catch (error) {
      session.close(toOvsdbError(error));
      throw error;
    }
  }

  /** With another schema the monitor has other columns, which a resumed monitor would not fill in. */
  #learnSchema(schema: DatabaseSchema): void {
    const known = this.#schema;
    if (known?.version !== schema.version || known.cksum !== schema.cksum) this.#lastTxnId = undefined;
    this.#schema = schema;
    this.#plan = planMonitor(this.#options.tables, schema);
    const { missing } = this.#plan;
    if (missing.length > 0) this.#options.log('ovsdb-schema-lacks', { database: schema.name, missing });
  }

  async #synchronise(session: Session): Promise<boolean> {
    const { tables } = this.#plan;
    const { snapshot, follow } = await session.monitor(tables, this.#lastTxnId, (update) => this.#apply(update));
    if (snapshot.resumed) this.#apply(snapshot);
    else this.#emitChanges(await this.#cache.replace(tables, snapshot.updates, pause));
    this.#lastTxnId = snapshot.txnId;
    this.#historyLost = false;
    follow();
    return snapshot.resumed;
  }

  #apply({ updates, txnId }: Update): void {
    try {
      const changes = this.#cache.apply(updates);
      this.#lastTxnId = txnId;
      this.#emitChanges(changes);
    } catch (error) {
      this.#lastTxnId = undefined;
      throw error;
    }
  }

  /**
   * Decides about a server by its own words. Throws when it is not to be used (any longer); false when it has yet to
   * catch up with what we have seen, as followers do while their cluster elects a leader.
   */
  #judge(row: ServerRow | undefined): boolean {
    const unsuitable = findUnsuitable(row, this.#options.leaderOnly);
    if (unsuitable !== undefined || row === undefined) throw new UnsuitableServerError(unsuitable ?? 'no row');
    const verdict = compareHistory(this.#history, row);
    if (verdict === 'behind' && !this.#isBehindTooLong()) return false;
    this.#behindSince = undefined;
    if (verdict !== 'ok') this.#loseHistory();
    this.#history = extendHistory(this.#history, row);
    return true;
  }

  #isBehindTooLong(): boolean {
    const now = this.#options.now();
    this.#behindSince ??= now;
    return now - this.#behindSince >= this.#options.staleAfterMs;
  }

  #loseHistory(): void {
    this.#history = undefined;
    this.#lastTxnId = undefined;
    this.#historyLost = true;
    if (this.#state !== 'connecting') throw new UnsuitableServerError('the database was replaced');
  }

  #setState(event: StateEvent): void {
    this.#state = event.state;
    this.#options.log('ovsdb-state', { ...event });
    this.#notify(this.#stateListeners, event);
    if (event.state === 'live') for (const waiter of this.#waiters) waiter.resolve();
  }

  #emitChanges(changes: readonly RowChange[]): void {
    if (changes.length > 0) this.#notify(this.#changeListeners, changes);
  }

  /** A listener that throws is a fault of its own: it is reported, and the others still hear. */
  #notify<T>(listeners: ReadonlySet<(value: T) => void>, value: T): void {
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (error) {
        this.#options.log('ovsdb-listener-failed', { error });
      }
    }
  }
}

function abortError(reason: unknown, timeoutMs: number): OvsdbError {
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  if (timedOut) return new TimeoutError(`transact: no answer within ${timeoutMs} ms`);
  return new ConnectionError('the caller gave up', { cause: reason });
}

function toOvsdbError(error: unknown): OvsdbError {
  return error instanceof OvsdbError ? error : new ProtocolError(`unexpected: ${String(error)}`, { cause: error });
}
