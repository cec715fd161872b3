import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../types.ts';

/** An object as the API server keeps it. */
export type Stored = KubeObject & { metadata: NonNullable<KubeObject['metadata']>; status?: unknown; spec?: unknown };

/** One entry of the history that watches read; `previous` is what the object was before. */
export type Happening = {
  collection: string;
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: Stored;
  previous: Stored | undefined;
};

/** A refusal, as a `Status` object reports it. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

/** Conditions of a write: those that are given must be the object's. */
export type Preconditions = { uid?: string | undefined; resourceVersion?: string | undefined };

/** What etcd and the registry do in a real API server: versions, UIDs, preconditions, finalizers, history. */
export type FakeStorage = {
  version(): number;
  /** Oldest version that a watch or a list can still be continued from. */
  compacted(): number;
  compact(): void;
  list(collection: string): Stored[];
  get(collection: string, key: string): Stored;
  create(collection: string, object: KubeObject): Stored;
  /** Replaces the object, or its status only. */
  replace(collection: string, object: KubeObject, part?: 'status'): Stored;
  patch(collection: string, key: string, change: { patch: object; part?: 'status' | undefined }): Stored;
  remove(collection: string, key: string, preconditions?: Preconditions): Stored;
  history(collection: string, after: number): Happening[];
  subscribe(listener: (happening: Happening) => void): () => void;
};

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function keyOf(object: KubeObject): string {
  const { name = '', namespace } = object.metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function checkPreconditions(object: Stored, { uid, resourceVersion }: Preconditions): void {
  if (uid !== undefined && uid !== object.metadata.uid) throw new StatusError(409, 'Conflict', 'the UID differs');
  if (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion) {
    throw new StatusError(409, 'Conflict', 'the object has been modified');
  }
}

/** Objects and their history, without any rule but versions. */
type Journal = {
  objects(collection: string): Map<string, Stored>;
  commit(collection: string, type: Happening['type'], object: KubeObject): Stored;
  view: Pick<FakeStorage, 'version' | 'compacted' | 'compact' | 'list' | 'get' | 'history' | 'subscribe'>;
};

function createJournal(): Journal {
  const collections = new Map<string, Map<string, Stored>>();
  const history: Happening[] = [];
  const listeners = new Set<(happening: Happening) => void>();
  let version = 1;
  let compacted = 0;
  const objects = (name: string) => {
    const found = collections.get(name) ?? new Map<string, Stored>();
    collections.set(name, found);
    return found;
  };
  const commit: Journal['commit'] = (collection, type, object) => {
    const key = keyOf(object);
    const previous = objects(collection).get(key);
    version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    if (type === 'DELETED') objects(collection).delete(key);
    else objects(collection).set(key, stored);
    const happening = { collection, version, type, object: stored, previous };
    history.push(happening);
    for (const listener of listeners) listener(happening);
    return stored;
  };
  const view: Journal['view'] = {
    version: () => version,
    compacted: () => compacted,
    compact: () => {
      compacted = version;
    },
    list: (name) => [...objects(name).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object),
    get: (name, key) => {
      const found = objects(name).get(key);
      if (found === undefined) throw new StatusError(404, 'NotFound', `${name} "${key}" not found`);
      return found;
    },
    history: (name, after) => history.filter((one) => one.collection === name && one.version > after),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return { objects, commit, view };
}

/** An empty storage at version 1. */
export function createFakeStorage(): FakeStorage {
  const { objects, commit, view } = createJournal();
  let uids = 0;
  /** A write that changes nothing makes no version; losing the last finalizer ends a deletion. */
  const write = (collection: string, before: Stored, after: Stored): Stored => {
    const { uid, creationTimestamp, deletionTimestamp, resourceVersion } = before.metadata;
    const metadata = { ...after.metadata, uid, creationTimestamp, deletionTimestamp, resourceVersion };
    const object = JSON.parse(JSON.stringify({ ...after, metadata })) as Stored;
    if (isDeepStrictEqual(object, JSON.parse(JSON.stringify(before)))) return before;
    const finished = deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    return commit(collection, finished ? 'DELETED' : 'MODIFIED', object);
  };
  return {
    ...view,
    create: (collection, object) => {
      if (objects(collection).has(keyOf(object))) {
        throw new StatusError(409, 'AlreadyExists', `${collection} "${keyOf(object)}" already exists`);
      }
      uids += 1;
      const metadata = { ...object.metadata, uid: `uid-${uids}`, creationTimestamp: '2026-01-01T00:00:00Z' };
      return commit(collection, 'ADDED', { ...object, metadata });
    },
    replace: (collection, object, part) => {
      const before = view.get(collection, keyOf(object));
      checkPreconditions(before, object.metadata ?? {});
      return write(collection, before, splitStatus(before, object as Stored, { collection, part }));
    },
    patch: (collection, key, { patch, part }) => {
      const before = view.get(collection, key);
      checkPreconditions(before, (patch as KubeObject).metadata ?? {});
      return write(collection, before, splitStatus(before, mergePatch(before, patch) as Stored, { collection, part }));
    },
    remove: (collection, key, preconditions = {}) => {
      const before = view.get(collection, key);
      checkPreconditions(before, preconditions);
      if ((before.metadata.finalizers ?? []).length === 0) return commit(collection, 'DELETED', before);
      if (before.metadata.deletionTimestamp !== undefined) return before;
      const metadata = { ...before.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
      return commit(collection, 'MODIFIED', { ...before, metadata });
    },
  };
}

type Part = { readonly collection: string; readonly part: 'status' | undefined };

/**
 * A write to the status leaves the rest, and the other way round, as for kinds with a status subresource. Pods, as all
 * built-in kinds, let it change their metadata too (pkg/registry/core/pod/strategy.go).
 */
function splitStatus(before: Stored, after: Stored, { collection, part }: Part): Stored {
  if (part === 'status' && collection === 'v1/pods')
    return { ...before, metadata: after.metadata, status: after.status };
  if (part === 'status') return { ...before, status: after.status };
  return 'status' in before ? { ...after, status: before.status } : after;
}
