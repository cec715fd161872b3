import type { Clock } from './clock.ts';
import { ApiError, isNotFound } from './errors.ts';
import { EVENT, type EventNote, type EventObject, formatEvent, formatSeriesKey } from './event-body.ts';
import { formatMicroTime } from './lease-record.ts';
import { createQueue, type Queue } from './queue.ts';
import { createResource, type Resource } from './resource.ts';
import { createRunner, type Outcome } from './runner.ts';
import type { Transport } from './transport.ts';
import { type KubeObject, type Logger, type Metrics, noMetrics, type Random } from './types.ts';

/** What a recorder needs; `component` is like `mooring.dev/operator`, `instance` the pod's name. */
export type EventRecorderOptions = {
  transport: Transport;
  component: string;
  instance: string;
  clock: Clock;
  random: Random;
  log: Logger;
  metrics?: Metrics;
  /** Things that may wait for the API server; more are dropped and counted (500). */
  capacity?: number;
  /** The least time between two writes about the same thing (10 s). */
  quietMs?: number;
};

/** Writes Kubernetes events in the background. */
export type EventRecorder = {
  /** Never blocks, never throws; the same thing again within the hour becomes a count on the first event. */
  record(regarding: KubeObject, note: EventNote): void;
  /** Gives up what was not sent yet. */
  stop(): Promise<void>;
};

/** One thing that happened, perhaps often: `count` times so far, of which the API server knows `sent`. */
type Series = { name: string; body: EventObject; count: number; sent: number; lastAt: number; wroteAt: number };

/** The API server forgets events after an hour by default. */
const SERIES_MS = 55 * 60_000;
const MOST_SERIES = 4096;
/** With the backoff below: about a minute and a half. */
const ATTEMPTS = 8;

/** A recorder at work. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock, random, log, metrics = noMetrics } = options;
  const quietMs = options.quietMs ?? 10_000;
  const series = new Map<string, Series>();
  const waiting = new Set<string>();
  const queue = createQueue({ clock, random, backoff: { baseMs: 1000, maxMs: 30_000 } });
  const events = createResource<EventObject>(options.transport, EVENT);
  const send = (key: string, signal: AbortSignal) =>
    sendSeries({ options, queue, events, waiting }, series.get(key), [key, signal]);
  const runner = createRunner({ queue, reconcile: send, concurrency: 1, clock, log });
  runner.start();
  const record = (regarding: KubeObject, note: EventNote) => {
    const key = formatSeriesKey(regarding, note);
    if (!waiting.has(key) && waiting.size >= (options.capacity ?? 500)) return metrics.count('kube_events_dropped');
    const entry = findSeries(series, key, clock.now()) ?? createSeries(options, regarding, note);
    entry.count += 1;
    entry.lastAt = clock.now();
    remember(series, key, entry);
    waiting.add(key);
    queue.addAfter(key, entry.wroteAt + quietMs - clock.now());
  };
  return {
    record: (regarding, note) => {
      try {
        record(regarding, note);
      } catch (error) {
        log.error({ err: error }, 'an event could not be recorded');
      }
    },
    stop: runner.stop,
  };
}

function findSeries(series: Map<string, Series>, key: string, now: number): Series | undefined {
  const found = series.get(key);
  return found !== undefined && now - found.lastAt < SERIES_MS ? found : undefined;
}

function createSeries(options: EventRecorderOptions, regarding: KubeObject, note: EventNote): Series {
  const { component, instance, clock, random } = options;
  const body = formatEvent({ component, instance, date: clock.date(), random: random() }, regarding, note);
  const wroteAt = Number.NEGATIVE_INFINITY;
  return { name: body.metadata.name ?? '', body, count: 0, sent: 0, lastAt: 0, wroteAt };
}

/** Keeps the most recent few thousand. */
function remember(series: Map<string, Series>, key: string, entry: Series): void {
  series.delete(key);
  series.set(key, entry);
  const [oldest] = series.keys();
  if (series.size > MOST_SERIES && oldest !== undefined) series.delete(oldest);
}

type Sender = {
  options: EventRecorderOptions;
  queue: Queue;
  events: Resource<EventObject>;
  waiting: Set<string>;
};

/** One turn for one series; events are worth some attempts, not more. */
async function sendSeries(sender: Sender, entry: Series | undefined, turn: [string, AbortSignal]): Promise<Outcome> {
  const { options, queue, events, waiting } = sender;
  const [key, signal] = turn;
  if (entry === undefined || entry.sent === entry.count) {
    waiting.delete(key);
    return { done: true };
  }
  try {
    await writeSeries(options, events, entry, signal);
  } catch (error) {
    const hopeless = error instanceof ApiError && (error.class === 'terminal' || error.class === 'notFound');
    if (!hopeless && queue.failures(key) < ATTEMPTS - 1) throw error;
    options.metrics?.count('kube_events_failed');
    options.log.debug({ event: entry.name, err: error }, 'an event could not be written');
  }
  waiting.delete(key);
  return { done: true };
}

/** First a new event, from then on its series; an event that expired on the server is written anew. */
async function writeSeries(
  options: EventRecorderOptions,
  events: Resource<EventObject>,
  entry: Series,
  signal: AbortSignal,
): Promise<void> {
  const { count, name } = entry;
  const namespace = entry.body.metadata.namespace;
  const series = { count, lastObservedTime: formatMicroTime(options.clock.date()) };
  const create = () => events.create(count > 1 ? { ...entry.body, series } : entry.body, { signal });
  const patch = () =>
    events.patch({ namespace, name }, { series }, { signal }).catch((error: unknown) => {
      if (isNotFound(error)) return create();
      throw error;
    });
  await (entry.sent === 0 ? create() : patch());
  entry.wroteAt = options.clock.now();
  entry.sent = count;
}
