import { ApiError } from './errors.ts';
import type { Query, Transport } from './transport.ts';
import type { KubeObject, ObjectRef } from './types.ts';

/** A kind and where the API server keeps it. `group` is '' for the core group. */
export type ResourceKind = { group: string; version: string; plural: string; namespaced: boolean; kind: string };

/** What a list or watch is narrowed to. */
export type Selection = {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
};

/** One page of a list; `continue` is set when more follow. */
export type ListPage<T> = { items: T[]; resourceVersion: string; continue: string | undefined };

/** Which page of a list to read. */
export type ListOptions = Selection & {
  limit?: number;
  continue?: string | undefined;
  signal?: AbortSignal | undefined;
};

/** Conditions of a delete: it happens only if UID and resourceVersion, where given, are still the object's. */
export type DeleteOptions = {
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  gracePeriodSeconds?: number;
};

/** Server-side apply: the fields sent belong to `fieldManager`; `force` takes them from other managers. */
export type ApplyOptions = { fieldManager: string; force?: boolean; signal?: AbortSignal | undefined };

/** Options of single-object calls. `Strict` has a write refused (400) that holds a field which the server's schema lacks. */
export type CallOptions = {
  signal?: AbortSignal | undefined;
  fieldManager?: string;
  fieldValidation?: 'Strict';
  timeoutMs?: number;
};

/**
 * Typed calls for one kind. All throw `ApiError`: class `notFound` for an absent object, `conflict` for a lost race
 * (and for a foreign field manager, and for an existing object on create).
 */
export type Resource<T extends KubeObject> = {
  kind: ResourceKind;
  get(ref: ObjectRef, options?: CallOptions): Promise<T>;
  /** Like `get`, but an absent object is undefined. */
  find(ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  list(options?: ListOptions): Promise<ListPage<T>>;
  create(object: T, options?: CallOptions): Promise<T>;
  /** Replaces the object; fails with a conflict when its resourceVersion is no longer the newest. */
  update(object: T, options?: CallOptions): Promise<T>;
  updateStatus(object: T, options?: CallOptions): Promise<T>;
  /** JSON merge patch (RFC 7386): null removes a field, arrays are replaced. */
  patch(ref: ObjectRef, patch: object, options?: CallOptions): Promise<T>;
  patchStatus(ref: ObjectRef, patch: object, options?: CallOptions): Promise<T>;
  apply(object: T, options: ApplyOptions): Promise<T>;
  applyStatus(object: T, options: ApplyOptions): Promise<T>;
  /** Deleting what is absent is success. */
  delete(ref: ObjectRef, options?: DeleteOptions, signal?: AbortSignal): Promise<void>;
};

const MERGE_PATCH = 'application/merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';

/** `v1` or `group/version`, as in an object's `apiVersion`. */
export function formatApiVersion(kind: ResourceKind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** The path of a collection, of all namespaces when none is given. */
export function formatListPath(kind: ResourceKind, namespace?: string): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${formatSegment(namespace)}` : '';
  return `${root}${scope}/${kind.plural}`;
}

/** The path of one object, or of a subresource of it. Throws a terminal `ApiError` for names that are no path segment. */
export function formatObjectPath(kind: ResourceKind, ref: ObjectRef, subresource?: string): string {
  if (kind.namespaced && ref.namespace === undefined) throw badName(`${kind.kind} ${ref.name} has no namespace`);
  const path = `${formatListPath(kind, ref.namespace)}/${formatSegment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

function formatSegment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) throw badName(`'${name}' is not a name`);
  return encodeURIComponent(name);
}

function badName(message: string): ApiError {
  return new ApiError({ status: 0, reason: 'BadName', message, class: 'terminal' });
}

/** The typed calls for one kind over a transport. `T` is trusted here; decode hostile parts where they are used. */
export function createResource<T extends KubeObject>(transport: Transport, kind: ResourceKind): Resource<T> {
  const write = createWriters<T>(transport, kind);
  const get = async (ref: ObjectRef, options: CallOptions = {}) =>
    asObject<T>(await transport.request({ path: formatObjectPath(kind, ref), ...timing(options) }), kind);
  return {
    kind,
    get,
    find: (ref, options) => get(ref, options).catch(ignoreNotFound),
    list: (options = {}) => listPage<T>(transport, kind, options),
    create: (object, options) => write('POST', object, { ...options }),
    update: (object, options) => write('PUT', object, { ...options }),
    updateStatus: (object, options) => write('PUT', object, { ...options, subresource: 'status' }),
    patch: (ref, patch, options) => write('PATCH', patch, { ...options, ref }),
    patchStatus: (ref, patch, options) => write('PATCH', patch, { ...options, ref, subresource: 'status' }),
    apply: (object, options) => write('PATCH', object, { ...options, contentType: APPLY_PATCH }),
    applyStatus: (object, options) =>
      write('PATCH', object, { ...options, contentType: APPLY_PATCH, subresource: 'status' }),
    delete: (ref, options, signal) => deleteObject(transport, formatObjectPath(kind, ref), options, signal),
  };
}

type WriteOptions = CallOptions & { ref?: ObjectRef; subresource?: string; force?: boolean; contentType?: string };

function createWriters<T extends KubeObject>(transport: Transport, kind: ResourceKind) {
  return async (method: 'POST' | 'PUT' | 'PATCH', body: object, options: WriteOptions): Promise<T> => {
    const ref = options.ref ?? refOf(body as KubeObject);
    const full = options.ref === undefined ? { ...body, apiVersion: formatApiVersion(kind), kind: kind.kind } : body;
    const path =
      method === 'POST' ? formatCreatePath(kind, ref) : formatObjectPath(kind, ref, options.subresource ?? undefined);
    const contentType = method === 'PATCH' ? (options.contentType ?? MERGE_PATCH) : 'application/json';
    const { fieldManager, fieldValidation, force } = options;
    const query: Query = { fieldManager, fieldValidation, force };
    return asObject<T>(
      await transport.request({ method, path, query, body: full, contentType, ...timing(options) }),
      kind,
    );
  };
}

function timing(options: CallOptions): { signal: AbortSignal | undefined; timeoutMs?: number } {
  const { signal, timeoutMs } = options;
  return timeoutMs === undefined ? { signal } : { signal, timeoutMs };
}

function formatCreatePath(kind: ResourceKind, ref: ObjectRef): string {
  if (kind.namespaced && ref.namespace === undefined) throw badName(`${kind.kind} ${ref.name} has no namespace`);
  return formatListPath(kind, ref.namespace);
}

function refOf(object: KubeObject): ObjectRef {
  return { name: object.metadata?.name ?? '', namespace: object.metadata?.namespace };
}

function ignoreNotFound(error: unknown): undefined {
  if (error instanceof ApiError && error.class === 'notFound') return undefined;
  throw error;
}

function asObject<T>(answer: unknown, kind: ResourceKind): T {
  if (typeof answer === 'object' && answer !== null) return answer as T;
  throw new ApiError({ status: 0, reason: 'NotAnObject', message: `${kind.kind}: no object`, class: 'retry' });
}

async function listPage<T extends KubeObject>(
  transport: Transport,
  kind: ResourceKind,
  options: ListOptions,
): Promise<ListPage<T>> {
  const { namespace, signal, ...query } = options;
  const answer = await transport.request({
    path: formatListPath(kind, namespace),
    query,
    signal,
    timeoutMs: 60_000,
  });
  return parseList<T>(answer, kind);
}

type RawList = { items?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } };

/** A list's answer; every item gets `apiVersion` and `kind`, which servers leave out of typed lists. */
function parseList<T extends KubeObject>(answer: unknown, kind: ResourceKind): ListPage<T> {
  const { items, metadata } = asObject<RawList>(answer, kind);
  if (!Array.isArray(items) && items !== null && items !== undefined) {
    throw new ApiError({ status: 0, reason: 'NotAList', message: `${kind.plural}: no list`, class: 'retry' });
  }
  const header = { apiVersion: formatApiVersion(kind), kind: kind.kind };
  return {
    items: (items ?? []).map((item: object) => ({ ...header, ...item }) as unknown as T),
    resourceVersion: typeof metadata?.resourceVersion === 'string' ? metadata.resourceVersion : '',
    continue: typeof metadata?.continue === 'string' && metadata.continue !== '' ? metadata.continue : undefined,
  };
}

async function deleteObject(
  transport: Transport,
  path: string,
  options: DeleteOptions = {},
  signal?: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion, ...rest } = options;
  const guarded = uid !== undefined || resourceVersion !== undefined;
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...rest,
    ...(guarded && { preconditions: { uid, resourceVersion } }),
  };
  await transport.request({ method: 'DELETE', path, body, signal }).catch(ignoreNotFound);
}
