import { sleep } from './clock.ts';
import { isForbidden, isNotFound } from './errors.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts';
import { createResource } from './resource.ts';
import type { Change, ReadonlyStore } from './store.ts';
import type { KubeObject } from './types.ts';

/** A copy of one kind's objects; the kind may not be installed. */
export type Watch<T> = {
  readonly store: ReadonlyStore<T>;
  onChange(handler: (change: Change<T>) => void): () => void;
  /** See `Reflector`. */
  onNews(handler: (change: Change<T>) => void): () => void;
  start(): void;
  stop(): Promise<void>;
  /** Resolves once the content is complete, or the kind is known to be absent. */
  whenReady(signal: AbortSignal): Promise<void>;
  /** True while the content can be relied on: the kind is served and was read in full. */
  isKnown(): boolean;
  /** True while we may not read the kind, and until it was read then: nobody can tell what is there now. */
  isDenied(): boolean;
  /** True while the kind is not served, as far as was last asked: that nothing is there is known. */
  isAbsent(): boolean;
  /** See `Reflector`. */
  whenAt(version: string, signal: AbortSignal): Promise<void>;
  refresh(): void;
};

const PROBE_MS = 10_000;

/** Follows a kind that must be there. */
export function watchAlways<T extends KubeObject>(options: ReflectorOptions<T>): Watch<T> {
  const reflector = createReflector<T>(options);
  return { ...asWatch(reflector), start: reflector.start, whenReady: (signal) => reflector.whenSynced(signal) };
}

function asWatch<T>(reflector: Reflector<T>) {
  const { store, onChange, onNews, stop, whenAt, refresh } = reflector;
  return {
    store,
    onChange,
    onNews,
    stop,
    whenAt,
    refresh,
    isKnown: () => reflector.hasSynced(),
    isDenied: () => reflector.isDenied(),
    isAbsent: () => false,
  };
}

/**
 * `waits`: nothing may be decided without the kind, so a refusal to show it is no answer. `goesOn`: what depends on it is
 * left alone until it may be read, as after an upgrade whose roles nobody has applied; see `isDenied`.
 */
export type WhenDenied = 'waits' | 'goesOn';

/**
 * Follows a kind that a later installation may bring (KubeVirt's, the NAD): asks now and then whether it is served, and
 * begins to watch when it is. Absent is an answer too, and only "not found" counts as absent.
 */
export function watchWhenServed<T extends KubeObject>(
  options: ReflectorOptions<T>,
  whenDenied: WhenDenied = 'waits',
): Watch<T> {
  const reflector = createReflector<T>(options);
  const abort = new AbortController();
  const answered = Promise.withResolvers<boolean>();
  let probing: Promise<void> | undefined;
  let denied = false;
  let absent = false;
  const tell = (answer: Answer) => {
    absent = answer === 'absent';
    if (answer !== 'served') denied = answer === 'denied';
    if (answer !== 'denied' || whenDenied === 'goesOn') answered.resolve(answer === 'served');
  };
  return {
    ...asWatch(reflector),
    isDenied: () => reflector.isDenied() || (denied && !reflector.hasSynced()),
    isAbsent: () => absent,
    start: () => {
      probing ??= probe(options, tell, abort.signal).then((served) => {
        if (served) reflector.start();
      });
    },
    stop: async () => {
      abort.abort(new Error('the watch was stopped'));
      await probing;
      await reflector.stop();
    },
    whenReady: async (signal) => {
      const served = await Promise.race([answered.promise, rejectOn(signal)]);
      if (served) await reflector.whenSynced(signal);
    },
  };
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

type Answer = 'served' | 'absent' | 'denied';

/** Resolves true when the kind is served, false when stopped before. Tells each answer. */
async function probe<T extends KubeObject>(
  options: ReflectorOptions<T>,
  tell: (answer: Answer) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { transport, kind, clock, log } = options;
  const resource = createResource<KubeObject>(transport, kind);
  while (!signal.aborted) {
    try {
      await resource.list({ limit: 1, signal });
      log.info({ kind: kind.kind }, 'the kind is served; watching it');
      tell('served');
      return true;
    } catch (error) {
      if (isForbidden(error)) tell('denied');
      if (isNotFound(error)) tell('absent');
      else if (!signal.aborted) log.warn({ kind: kind.kind, err: error }, 'cannot tell whether the kind is served');
    }
    await sleep(clock, PROBE_MS, signal).catch(() => {});
  }
  return false;
}
