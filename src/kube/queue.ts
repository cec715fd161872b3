import { type BackoffLimits, deriveBackoff } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { Random } from './types.ts';

/** What cannot wait, what an event asked for, and what is only looked at again. */
export type Priority = 'urgent' | 'event' | 'check';

/**
 * Keys that wait for a worker, each at most once. A key that a worker holds is not given to another; added meanwhile,
 * it comes again when the worker is done. Among keys of one priority: first come, first served. The semantics of
 * client-go's workqueue, and priorities.
 */
export type Queue = {
  /** As an event when no priority is given. A key that waits already keeps the higher priority of both. */
  add(key: string, priority?: Priority): void;
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

const PRIORITIES: readonly Priority[] = ['urgent', 'event', 'check'];
/** One turn in so many goes to the lowest priority, so that it is never starved by a storm of events. */
const CHECK_EVERY = 16;

type Waiting = {
  add(key: string, priority: Priority): void;
  take(): string | undefined;
  size(): number;
  clear(): void;
};

/** Keys by priority; each is in one set only, the highest that it was added with. */
function createWaiting(): Waiting {
  const urgent = new Set<string>();
  const event = new Set<string>();
  const check = new Set<string>();
  const sets = { urgent, event, check };
  let taken = 0;
  const findSource = (): Set<string> => {
    if (check.size > 0 && taken % CHECK_EVERY === 0) return check;
    return PRIORITIES.map((priority) => sets[priority]).find((set) => set.size > 0) ?? event;
  };
  return {
    add: (key, priority) => {
      const rank = PRIORITIES.indexOf(priority);
      if (PRIORITIES.slice(0, rank).some((higher) => sets[higher].has(key))) return;
      for (const lower of PRIORITIES.slice(rank + 1)) sets[lower].delete(key);
      sets[priority].add(key);
    },
    take: () => {
      taken += 1;
      const source = findSource();
      const [key] = source;
      if (key !== undefined) source.delete(key);
      return key;
    },
    size: () => urgent.size + event.size + check.size,
    clear: () => {
      for (const set of Object.values(sets)) set.clear();
    },
  };
}

function createReadyKeys(): ReadyKeys {
  const waiting = createWaiting();
  const held = new Set<string>();
  const again = new Map<string, Priority>();
  const takers: ((key: string | undefined) => void)[] = [];
  let closed = false;

  const take = (): string | undefined => {
    const key = waiting.take();
    if (key !== undefined) held.add(key);
    return key;
  };
  const add = (key: string, priority: Priority = 'event') => {
    if (closed) return;
    if (held.has(key)) again.set(key, findHigher(again.get(key), priority));
    else waiting.add(key, priority);
    if (waiting.size() > 0 && takers.length > 0) takers.shift()?.(take());
  };
  return {
    add,
    get: () => {
      if (waiting.size() > 0) return Promise.resolve(take());
      return closed ? Promise.resolve(undefined) : new Promise((resolve) => takers.push(resolve));
    },
    done: (key) => {
      held.delete(key);
      const priority = again.get(key);
      if (priority === undefined) return;
      again.delete(key);
      add(key, priority);
    },
    length: waiting.size,
    shutDown: () => {
      closed = true;
      waiting.clear();
      again.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}

function findHigher(one: Priority | undefined, other: Priority): Priority {
  return one !== undefined && PRIORITIES.indexOf(one) < PRIORITIES.indexOf(other) ? one : other;
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
