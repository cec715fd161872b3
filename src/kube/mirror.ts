import type { ResourceKind } from './resource.ts';
import { type Change, createStore, type Indexer, keyOf, type ReadonlyStore } from './store.ts';
import { type KubeObject, type Logger, type Metrics, noMetrics } from './types.ts';
import { compareVersions, createTombstones } from './versions.ts';

/** The store of a reflector with its handlers: takes raw objects, drops stale ones, tells what changed. Never throws. */
export type Mirror<T> = {
  store: ReadonlyStore<T>;
  take(type: 'ADDED' | 'MODIFIED' | 'DELETED', raw: KubeObject): void;
  replace(raw: readonly KubeObject[]): void;
  onChange(handler: (change: Change<T>) => void): () => void;
  onNews(handler: (change: Change<T>) => void): () => void;
};

/** What a mirror needs of the reflector's options. */
export type MirrorOptions<T> = {
  kind: ResourceKind;
  log: Logger;
  metrics?: Metrics;
  indexers?: Record<string, Indexer<T>>;
  decode?: (raw: KubeObject) => T;
};

/** An empty mirror. */
export function createMirror<T extends KubeObject>(options: MirrorOptions<T>): Mirror<T> {
  const store = createStore<T>(options.indexers);
  const tombstones = createTombstones();
  const handlers = new Set<(change: Change<T>) => void>();
  const attempt = createAttempt(options);
  const decode = (raw: KubeObject): T => (options.decode === undefined ? (raw as T) : options.decode(raw));
  const tell = (changes: readonly Change<T>[]) => {
    for (const change of changes) {
      for (const handler of handlers) attempt('handler', change.key, () => handler(change));
    }
  };
  const isStale = (key: string, raw: KubeObject) => {
    const known = store.get(key)?.metadata?.resourceVersion ?? tombstones.get(key);
    const order = compareVersions(raw.metadata?.resourceVersion, known);
    return order !== undefined && order <= 0;
  };
  const remove = (key: string, raw: KubeObject) => {
    tombstones.set(key, raw.metadata?.resourceVersion ?? '');
    const change = store.delete(key);
    return change === undefined ? [] : [change];
  };
  return {
    store,
    take: (type, raw) => {
      const key = attempt('key', '', () => keyOf(raw));
      if (key === undefined || isStale(key, raw)) return;
      if (type === 'DELETED') tell(remove(key, raw));
      else tell(attempt('decode', key, () => store.set(decode(raw))) ?? []);
    },
    replace: (list) => {
      const wanted = list.flatMap((raw) => {
        const key = attempt('key', '', () => keyOf(raw));
        if (key === undefined) return [];
        return attempt('decode', key, () => tryIndexers(options, decode(raw))) ?? store.get(key) ?? [];
      });
      tombstones.clear();
      tell(store.replace(wanted));
    },
    onNews: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onChange: (handler) => {
      handlers.add(handler);
      for (const object of store.list()) {
        const key = keyOf(object);
        attempt('handler', key, () => handler({ type: 'added', key, object }));
      }
      return () => handlers.delete(handler);
    },
  };
}

/** Lets a throwing indexer condemn its own object only, before the store is touched. */
function tryIndexers<T>(options: MirrorOptions<T>, object: T): T {
  for (const indexer of Object.values(options.indexers ?? {})) indexer(object);
  return object;
}

/** Runs code that is not ours; what it throws is logged with the object's key and gives undefined. */
function createAttempt<T>(options: MirrorOptions<T>) {
  const { kind, log, metrics = noMetrics } = options;
  return <R>(stage: string, key: string, run: () => R): R | undefined => {
    try {
      return run();
    } catch (error) {
      metrics.count('kube_reflector_faults', { kind: kind.kind, stage });
      log.error({ kind: kind.kind, key, stage, err: error }, 'an object could not be taken in');
      return undefined;
    }
  };
}
