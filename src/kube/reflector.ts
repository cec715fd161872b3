import { type BackoffLimits, deriveBackoff } from './backoff.ts';
import { type Clock, sleep } from './clock.ts';
import { ApiError, isForbidden, isGone } from './errors.ts';
import { listEverything } from './list.ts';
import { createMirror, type Mirror } from './mirror.ts';
import { createResource, formatListPath, type ResourceKind, type Selection } from './resource.ts';
import type { Change, Indexer, ReadonlyStore } from './store.ts';
import type { Transport } from './transport.ts';
import { type KubeObject, type Logger, type Metrics, noMetrics, type Random } from './types.ts';
import { compareVersions, latestVersion } from './versions.ts';
import { parseWatchEvent, type WatchEvent } from './watch-events.ts';

/** What to mirror and how. */
export type ReflectorOptions<T> = Selection & {
  transport: Transport;
  kind: ResourceKind;
  clock: Clock;
  random: Random;
  log: Logger;
  metrics?: Metrics;
  indexers?: Record<string, Indexer<T>>;
  /** Turns what came over the wire into `T`; an object it throws for is logged, its last good version stays. */
  decode?: (raw: KubeObject) => T;
  /** Objects per page of a list (500). */
  pageSize?: number;
  /** Silence after which a watch counts as dead; bookmarks come about once a minute (150 s). */
  idleMs?: number;
  /** The most time between two full lists, the net under events that were lost (10 min). */
  relistMs?: number;
  /** The lifetime asked for each watch, jittered up to double (300 s). */
  watchSeconds?: number;
  backoff?: BackoffLimits;
};

/** A copy of one kind's objects that follows the API server. */
export type Reflector<T> = {
  store: ReadonlyStore<T>;
  /** Calls `handler` for each change, at once for objects already here; gives a function that ends this. */
  onChange(handler: (change: Change<T>) => void): () => void;
  /** The same without the objects already here: for who has looked at them, or is about to. */
  onNews(handler: (change: Change<T>) => void): () => void;
  start(): void;
  /** Resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** True once a whole list has been taken in; stays true. */
  hasSynced(): boolean;
  /** Resolves when `hasSynced`; rejects with the signal's reason. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** True from a refusal to show the kind (403) until the next answer that shows it; what is in the store may be old. */
  isDenied(): boolean;
  /** Milliseconds since the server last confirmed the content; Infinity before the first list. */
  lastSyncAge(): number;
  /**
   * Resolves when everything up to this version is in the store; rejects with the signal's reason. Only a version of an
   * object of this kind is sure to come: those of others pass without an event.
   */
  whenAt(version: string, signal: AbortSignal): Promise<void>;
  /** Ends the present watch and lists anew, as far as one is running. */
  refresh(): void;
};

const DEFAULTS = { pageSize: 500, idleMs: 150_000, relistMs: 600_000, watchSeconds: 300 };
const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 500, maxMs: 15_000 };
const QUICK_END_MS = 1000;
const HEALTHY_MS = 60_000;

type Context<T extends KubeObject> = {
  options: ReflectorOptions<T> & typeof DEFAULTS;
  mirror: Mirror<T>;
  /** Where to resume the watch; undefined: a list is due. */
  version: string | undefined;
  listedAt: number;
  seenAt: number;
  failures: number;
  /** The API server has said that we may not read the kind, and nothing else since. */
  denied: boolean;
  /** Called after each list. */
  onListed: () => void;
  /** Ends the watch that is open, for a new list. */
  relistNow: () => void;
  /** Who waits for a version. */
  waiters: Set<() => void>;
};

/** A reflector that does nothing before `start`. */
export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector<T> {
  const mirror = createMirror<T>(options);
  const abort = new AbortController();
  const synced = Promise.withResolvers<void>();
  let listed = false;
  let running: Promise<void> | undefined;
  const onListed = () => {
    listed = true;
    synced.resolve();
  };
  const never = Number.NEGATIVE_INFINITY;
  const context: Context<T> = {
    options: { ...DEFAULTS, ...options },
    mirror,
    version: undefined,
    listedAt: never,
    seenAt: never,
    failures: 0,
    denied: false,
    onListed,
    relistNow: () => undefined,
    waiters: new Set(),
  };
  return {
    store: mirror.store,
    onChange: mirror.onChange,
    onNews: mirror.onNews,
    start: () => {
      running ??= follow(context, abort.signal);
    },
    stop: async () => {
      abort.abort(new Error('the reflector was stopped'));
      await running;
    },
    hasSynced: () => listed,
    whenSynced: (signal) => untilAborted(synced.promise, signal),
    isDenied: () => context.denied,
    lastSyncAge: () => options.clock.now() - context.seenAt,
    whenAt: (version, signal) => whenAt(context, version, signal),
    refresh: () => context.relistNow(),
  };
}

async function whenAt<T extends KubeObject>(context: Context<T>, version: string, signal: AbortSignal): Promise<void> {
  const reached = Promise.withResolvers<void>();
  const check = () => {
    const order = compareVersions(context.version, version);
    if (context.version === version || (order !== undefined && order >= 0)) reached.resolve();
  };
  context.waiters.add(check);
  check();
  await untilAborted(reached.promise, signal).finally(() => context.waiters.delete(check));
}

function advance<T extends KubeObject>(context: Context<T>, version: string): void {
  context.version = version;
  for (const check of context.waiters) check();
}

function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** List, then watch, for ever. No error ends it. */
async function follow<T extends KubeObject>(context: Context<T>, signal: AbortSignal): Promise<void> {
  const { clock } = context.options;
  while (!signal.aborted) {
    try {
      if (context.version === undefined) await relist(context, signal);
      await watch(context, signal);
    } catch (error) {
      if (signal.aborted) return;
      const delayMs = noteFailure(context, error);
      await sleep(clock, delayMs, signal).catch(() => {});
    }
  }
}

/** Counts and logs one failure and says how long to wait. */
function noteFailure<T extends KubeObject>(context: Context<T>, error: unknown): number {
  const { kind, log, metrics = noMetrics, backoff = DEFAULT_BACKOFF, random } = context.options;
  const reason = error instanceof ApiError ? error.reason : 'Unexpected';
  metrics.count('kube_reflector_failures', { kind: kind.kind, reason });
  if (isGone(error) || reason === 'BadEvent') context.version = undefined;
  context.failures += 1;
  // An API server that cannot be reached says nothing of what we may read.
  if (isForbidden(error)) context.denied = true;
  const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(asked, deriveBackoff(context.failures, backoff, random));
  log.warn({ kind: kind.kind, err: error, reason, failures: context.failures, delayMs }, 'list or watch failed');
  return delayMs;
}

async function relist<T extends KubeObject>(context: Context<T>, signal: AbortSignal): Promise<void> {
  const { options, mirror } = context;
  const resource = createResource<KubeObject>(options.transport, options.kind);
  const list = await listEverything(resource, { ...selectionOf(options), pageSize: options.pageSize, signal });
  mirror.replace(list.items);
  advance(context, list.resourceVersion);
  context.listedAt = options.clock.now();
  context.seenAt = context.listedAt;
  context.denied = false;
  options.metrics?.count('kube_reflector_lists', { kind: options.kind.kind });
  context.onListed();
}

function selectionOf(options: Selection): Selection {
  const { namespace, labelSelector, fieldSelector } = options;
  return { namespace, labelSelector, fieldSelector };
}

/** Follows one watch to its end; returns when a new one may start at once, throws when a wait is due. */
async function watch<T extends KubeObject>(context: Context<T>, outer: AbortSignal): Promise<void> {
  const { clock, relistMs } = context.options;
  const relistNow = new AbortController();
  context.relistNow = () => relistNow.abort();
  const timer = clock.schedule(Math.max(0, context.listedAt + relistMs - clock.now()), () => relistNow.abort());
  const startedAt = clock.now();
  let events = 0;
  try {
    for await (const line of openWatch(context, AbortSignal.any([outer, relistNow.signal]))) {
      takeEvent(context, parseWatchEvent(line));
      events += 1;
    }
    if (events === 0 && clock.now() - startedAt < QUICK_END_MS) throw quickEnd();
  } catch (error) {
    // A watch on a quiet kind proves itself by lasting, not by events.
    if (clock.now() - startedAt >= HEALTHY_MS) context.failures = 0;
    if (relistNow.signal.aborted && !outer.aborted) context.version = undefined;
    else if (!isIdle(error) || outer.aborted) throw error;
  } finally {
    timer.cancel();
  }
}

function quickEnd(): ApiError {
  return new ApiError({ status: 0, reason: 'QuickEnd', message: 'the watch ended at once', class: 'retry' });
}

/** Silence is no failure: the server need not send bookmarks for a kind that nobody writes. */
function isIdle(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'Idle';
}

function openWatch<T extends KubeObject>(context: Context<T>, signal: AbortSignal): AsyncIterable<string> {
  const { options } = context;
  const { namespace, ...selectors } = selectionOf(options);
  options.metrics?.count('kube_reflector_watches', { kind: options.kind.kind });
  return options.transport.stream({
    path: formatListPath(options.kind, namespace),
    query: {
      ...selectors,
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: context.version,
      timeoutSeconds: Math.round(options.watchSeconds * (1 + options.random())),
    },
    signal,
    idleMs: options.idleMs,
    onOpen: () => {
      context.seenAt = options.clock.now();
      context.denied = false;
    },
  });
}

function takeEvent<T extends KubeObject>(context: Context<T>, event: WatchEvent): void {
  if (event.type === 'ERROR') throw event.error;
  context.seenAt = context.options.clock.now();
  context.failures = 0;
  const version = event.type === 'BOOKMARK' ? event.version : event.object.metadata?.resourceVersion;
  if (event.type !== 'BOOKMARK') context.mirror.take(event.type, event.object);
  if (version !== undefined) advance(context, latestVersion(context.version, version));
}
