import type { KubeObject } from './types.ts';

/** One difference that came into a store. */
export type Change<T> =
  | { type: 'added'; key: string; object: T }
  | { type: 'updated'; key: string; object: T; previous: T }
  | { type: 'deleted'; key: string; object: T };

/** Names the index values of an object; an object may have none or several. */
export type Indexer<T> = (object: T) => readonly string[];

/** What readers see. Objects are shared: never change them. */
export type ReadonlyStore<T> = {
  get(key: string): T | undefined;
  list(): T[];
  /** Objects whose indexer named `value`, in order of insertion. Throws for an index that was not declared. */
  byIndex(name: string, value: string): T[];
  size(): number;
};

/** A store that its reflector writes. Every write says what it changed. */
export type Store<T> = ReadonlyStore<T> & {
  /** Gives one change, or a deletion and an addition when the key now belongs to another UID. */
  set(object: T): Change<T>[];
  delete(key: string): Change<T> | undefined;
  /** Makes the content equal to `objects`; what is not among them is deleted. Unchanged versions yield no change. */
  replace(objects: readonly T[]): Change<T>[];
};

/** `ns/name`, or `name` for cluster objects. Throws for an object without a name. */
export function keyOf(object: KubeObject): string {
  const { name, namespace } = object.metadata ?? {};
  if (typeof name !== 'string' || name === '') throw new TypeError('the object has no name');
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The parts of a key. */
export function parseKey(key: string): { name: string; namespace?: string } {
  const at = key.indexOf('/');
  return at === -1 ? { name: key } : { namespace: key.slice(0, at), name: key.slice(at + 1) };
}

type Entry<T> = { object: T; values: ReadonlyMap<string, readonly string[]> };

/** An empty store with the given indexes. An indexer that throws leaves the store as it was. */
export function createStore<T extends KubeObject>(indexers: Record<string, Indexer<T>> = {}): Store<T> {
  const entries = new Map<string, Entry<T>>();
  const indexes = createIndexes(indexers);
  const set = (object: T): Change<T> => {
    const key = keyOf(object);
    const values = indexes.derive(object);
    const previous = entries.get(key);
    if (previous !== undefined) indexes.remove(key, previous.values);
    entries.set(key, { object, values });
    indexes.add(key, values);
    if (previous === undefined) return { type: 'added', key, object };
    return { type: 'updated', key, object, previous: previous.object };
  };
  const remove = (key: string): Change<T> | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    indexes.remove(key, entry.values);
    entries.delete(key);
    return { type: 'deleted', key, object: entry.object };
  };
  const reader = createReader(entries, indexes.find);
  const put = (object: T): Change<T>[] => {
    const before = reader.get(keyOf(object));
    const deleted = isReplacement(before, object) ? remove(keyOf(object)) : undefined;
    return deleted === undefined ? [set(object)] : [deleted, set(object)];
  };
  return { ...reader, set: put, delete: remove, replace: (wanted) => replaceAll({ ...reader, put, remove }, wanted) };
}

function createReader<T>(
  entries: ReadonlyMap<string, Entry<T>>,
  find: (name: string, value: string) => readonly string[],
): ReadonlyStore<T> {
  return {
    get: (key) => entries.get(key)?.object,
    list: () => [...entries.values()].map((entry) => entry.object),
    size: () => entries.size,
    byIndex: (name, value) => find(name, value).flatMap((key) => entries.get(key)?.object ?? []),
  };
}

type Indexes<T> = {
  derive(object: T): ReadonlyMap<string, readonly string[]>;
  add(key: string, values: ReadonlyMap<string, readonly string[]>): void;
  remove(key: string, values: ReadonlyMap<string, readonly string[]>): void;
  find(name: string, value: string): readonly string[];
};

function createIndexes<T>(indexers: Record<string, Indexer<T>>): Indexes<T> {
  const keysOf = new Map(Object.keys(indexers).map((name) => [name, new Map<string, Set<string>>()]));
  const addOne = (name: string, value: string, key: string) => {
    const index = keysOf.get(name);
    const keys = index?.get(value);
    if (keys === undefined) index?.set(value, new Set([key]));
    else keys.add(key);
  };
  const removeOne = (name: string, value: string, key: string) => {
    const keys = keysOf.get(name)?.get(value);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.get(name)?.delete(value);
  };
  return {
    derive: (object) => new Map(Object.entries(indexers).map(([name, of]) => [name, [...of(object)]])),
    add: (key, values) => {
      for (const [name, list] of values) for (const value of list) addOne(name, value, key);
    },
    remove: (key, values) => {
      for (const [name, list] of values) for (const value of list) removeOne(name, value, key);
    },
    find: (name, value) => {
      const index = keysOf.get(name);
      if (index === undefined) throw new TypeError(`no index '${name}'`);
      return [...(index.get(value) ?? [])];
    },
  };
}

type Writer<T> = ReadonlyStore<T> & { put(object: T): Change<T>[]; remove(key: string): Change<T> | undefined };

function replaceAll<T extends KubeObject>(store: Writer<T>, wanted: readonly T[]): Change<T>[] {
  const keep = new Set(wanted.map(keyOf));
  const gone = store
    .list()
    .map(keyOf)
    .filter((key) => !keep.has(key));
  const deleted = gone.flatMap((key) => store.remove(key) ?? []);
  const fresh = wanted.filter((object) => !isSameVersion(store.get(keyOf(object)), object));
  return [...deleted, ...fresh.flatMap((object) => store.put(object))];
}

/** Another UID under a known key hides a deletion that nobody reported. */
function isReplacement(known: KubeObject | undefined, object: KubeObject): boolean {
  return known !== undefined && known.metadata?.uid !== object.metadata?.uid;
}

function isSameVersion(known: KubeObject | undefined, object: KubeObject): boolean {
  const version = object.metadata?.resourceVersion;
  return version !== undefined && known?.metadata?.resourceVersion === version && !isReplacement(known, object);
}
