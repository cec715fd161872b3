import { setImmediate as nextRound } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { type ErrorClass, findErrorClass } from './errors.ts';
import type { Queue } from './queue.ts';
import { type Logger, type Metrics, noMetrics } from './types.ts';

/** What one turn for a key came to. `requeueAfterMs` asks for another turn without counting as a failure. */
export type Outcome = { done: true } | { requeueAfterMs: number };

/** What a runner needs. `reconcile` gets a key, never an event or an object, and a signal that ends with the runner. */
export type RunnerOptions = {
  queue: Queue;
  reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>;
  concurrency: number;
  clock: Clock;
  log: Logger;
  metrics?: Metrics;
  /** Told of a key that was dropped because trying again cannot help. */
  onTerminal?: (key: string, error: unknown) => void;
};

/** Workers over a queue. */
export type Runner = {
  start(): void;
  /** Shuts the queue down, aborts the signal, and resolves when the last turn is over. */
  stop(): Promise<void>;
};

/** How a turn ended: its outcome or its error's class. */
type Verdict = 'done' | 'requeued' | ErrorClass;

/** Workers that wait for `start`. */
export function createRunner(options: RunnerOptions): Runner {
  const abort = new AbortController();
  let workers: Promise<void>[] = [];
  return {
    start: () => {
      if (workers.length > 0) return;
      const breathe = createBreather(options.clock);
      workers = Array.from({ length: options.concurrency }, () => work(options, breathe, abort.signal));
    },
    stop: async () => {
      options.queue.shutDown();
      abort.abort(new Error('the runner was stopped'));
      await Promise.all(workers);
    },
  };
}

/** Longer than this nothing else gets a word in: no answer, no event, no renewal of the lease. */
const SLICE_MS = 10;

/**
 * Turns that find nothing to do never wait for anything outside, and thousands of them in a row would keep the whole
 * process from hearing anything. What this gives is to be awaited after each turn: most often it resolves at once.
 */
function createBreather(clock: Clock): () => Promise<void> {
  let since = clock.now();
  return async () => {
    if (clock.now() - since < SLICE_MS) return;
    await nextRound();
    since = clock.now();
  };
}

async function work(options: RunnerOptions, breathe: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const { queue, clock, metrics = noMetrics } = options;
  for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
    const startedAt = clock.now();
    const verdict = await runTurn(options, key, signal);
    queue.done(key);
    metrics.observe('kube_reconcile_ms', clock.now() - startedAt, { verdict });
    await breathe();
  }
}

/** The one place that decides what follows a turn. Never throws. */
async function runTurn(options: RunnerOptions, key: string, signal: AbortSignal): Promise<Verdict> {
  try {
    const outcome = await options.reconcile(key, signal);
    options.queue.forget(key);
    if (!('requeueAfterMs' in outcome)) return 'done';
    options.queue.addAfter(key, outcome.requeueAfterMs);
    return 'requeued';
  } catch (error) {
    const found = findErrorClass(error);
    if (!signal.aborted) settleFailure(options, key, { error, class: found });
    return found;
  }
}

function settleFailure(options: RunnerOptions, key: string, failure: { error: unknown; class: ErrorClass }): void {
  const { queue, log } = options;
  const { error } = failure;
  if (failure.class === 'notFound') {
    queue.forget(key);
    log.debug({ key, err: error }, 'the object went away during the turn');
    return;
  }
  if (failure.class === 'terminal') {
    queue.forget(key);
    log.error({ key, err: error }, 'trying again cannot help; waiting for a change');
    reportTerminal(options, key, error);
    return;
  }
  const delayMs = queue.addRateLimited(key, findRetryAfter(error));
  const fields = { key, err: error, class: failure.class, failures: queue.failures(key), delayMs };
  if (failure.class === 'conflict') log.debug(fields, 'lost a race; trying again');
  else log.warn(fields, 'the turn failed; trying again');
}

function reportTerminal(options: RunnerOptions, key: string, error: unknown): void {
  try {
    options.onTerminal?.(key, error);
  } catch (fault) {
    options.log.error({ key, err: fault }, 'the report of a terminal error failed');
  }
}

function findRetryAfter(error: unknown): number {
  const value = error instanceof Error && 'retryAfterMs' in error ? error.retryAfterMs : undefined;
  return typeof value === 'number' ? value : 0;
}
