import { type BackoffLimits, deriveBackoff } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { Random } from './types.ts';

/**
 * Keys that wait for a worker, each at most once. A key that a worker holds is not given to another; added meanwhile,
 * it comes again when the worker is done. First come, first served. The semantics of client-go's workqueue.
 */
export type Queue = {
  add(key: string): void;
  /** Adds the key after a delay; of several delays the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Adds the key after a wait that doubles with every call until `forget`, and not before `atLeastMs`; gives the wait. */
  addRateLimited(key: string, atLeastMs?: number): number;
  /** Ends the key's run of failures. */
  forget(key: string): void;
  /** How often in a row the key was rate limited. */
  failures(key: string): number;
  /** The next key, or undefined once the queue is shut down and empty of ready keys. */
  get(): Promise<string | undefined>;
  /** To be called once for each key that `get` gave. */
  done(key: string): void;
  /** Keys that wait now, without the delayed ones. */
  length(): number;
  /** Drops delayed and waiting keys and lets all workers go. */
  shutDown(): void;
};

/** What a queue needs. */
export type QueueOptions = { clock: Clock; random: Random; backoff?: BackoffLimits };

const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 100, maxMs: 20_000 };

/** An empty queue. */
export function createQueue(options: QueueOptions): Queue {
  const ready = createReadyKeys();
  const delayed = createDelayedKeys(options.clock, ready.add);
  const failures = new Map<string, number>();
  return {
    ...ready,
    addAfter: delayed.add,
    addRateLimited: (key, atLeastMs = 0) => {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const delayMs = Math.max(atLeastMs, deriveBackoff(count, options.backoff ?? DEFAULT_BACKOFF, options.random));
      delayed.add(key, delayMs);
      return delayMs;
    },
    forget: (key) => {
      failures.delete(key);
    },
    failures: (key) => failures.get(key) ?? 0,
    shutDown: () => {
      delayed.shutDown();
      ready.shutDown();
    },
  };
}

type ReadyKeys = Pick<Queue, 'add' | 'get' | 'done' | 'length' | 'shutDown'>;

function createReadyKeys(): ReadyKeys {
  const waiting = new Set<string>();
  const held = new Set<string>();
  const again = new Set<string>();
  const takers: ((key: string | undefined) => void)[] = [];
  let closed = false;

  const take = (): string | undefined => {
    const [key] = waiting;
    if (key === undefined) return undefined;
    waiting.delete(key);
    held.add(key);
    return key;
  };
  const add = (key: string) => {
    if (closed) return;
    if (held.has(key)) again.add(key);
    else waiting.add(key);
    if (waiting.size > 0 && takers.length > 0) takers.shift()?.(take());
  };
  return {
    add,
    get: () => {
      if (waiting.size > 0) return Promise.resolve(take());
      return closed ? Promise.resolve(undefined) : new Promise((resolve) => takers.push(resolve));
    },
    done: (key) => {
      held.delete(key);
      if (again.delete(key)) add(key);
    },
    length: () => waiting.size,
    shutDown: () => {
      closed = true;
      waiting.clear();
      again.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}

function createDelayedKeys(clock: Clock, release: (key: string) => void) {
  const timers = new Map<string, { at: number; timer: Timer }>();
  let closed = false;
  return {
    add: (key: string, delayMs: number) => {
      if (closed) return;
      if (delayMs <= 0) return release(key);
      const at = clock.now() + delayMs;
      const known = timers.get(key);
      if (known !== undefined && known.at <= at) return;
      known?.timer.cancel();
      const timer = clock.schedule(delayMs, () => {
        timers.delete(key);
        release(key);
      });
      timers.set(key, { at, timer });
    },
    shutDown: () => {
      closed = true;
      for (const { timer } of timers.values()) timer.cancel();
      timers.clear();
    },
  };
}
