import { retryConflicts } from './conflicts.ts';
import { deriveMergePatch } from './diff.ts';
import { ApiError, isNotFound } from './errors.ts';
import type { CallOptions, Resource } from './resource.ts';
import type { KubeObject, ObjectRef } from './types.ts';

/** What `ensureObject` did: it completes the sentence "the object was …". */
export type Ensured<T> = { result: 'created' | 'updated' | 'unchanged'; object: T };

/** Options: who writes, and the object as a cache knows it, which saves the read (a stale one costs one conflict). */
export type EnsureOptions<T> = CallOptions & { known?: T | undefined };

/**
 * Makes the object exist with everything that `desired` says; writes nothing when it does already. Fields that
 * `desired` leaves out stay as they are, a null asks for absence (`diff.ts`). A status in `desired` is not written:
 * use `ensureStatus`. Throws `ApiError`, `conflict` after five lost races.
 */
export async function ensureObject<T extends KubeObject>(
  resource: Resource<T>,
  desired: T,
  options: EnsureOptions<T> = {},
): Promise<Ensured<T>> {
  const { status: _, ...wanted } = desired as KubeObject & { status?: unknown };
  const { known, ...call } = options;
  const ref = refOf(desired);
  let cached = known;
  return retryConflicts(async () => {
    const actual = cached ?? (await resource.find(ref, call));
    cached = undefined;
    return writeDifference(resource, { actual, wanted: wanted as T }, call);
  });
}

/** Makes the status hold what `status` says; no write when it does. The object must exist (`ApiError`, `notFound`). */
export async function ensureStatus<T extends KubeObject>(
  resource: Resource<T>,
  actual: T,
  status: object,
  options?: CallOptions,
): Promise<Ensured<T>> {
  const found = (actual as { status?: unknown }).status;
  const patch = deriveMergePatch(found, status);
  if (patch === undefined) return { result: 'unchanged', object: actual };
  // The UID keeps the patch off a namesake that was created meanwhile.
  const body = { metadata: { uid: actual.metadata?.uid }, status: patch };
  return { result: 'updated', object: await resource.patchStatus(refOf(actual), body, options) };
}

type Difference<T> = { actual: T | undefined; wanted: T };

async function writeDifference<T extends KubeObject>(
  resource: Resource<T>,
  { actual, wanted }: Difference<T>,
  call: CallOptions,
): Promise<Ensured<T>> {
  if (actual === undefined) return { result: 'created', object: await resource.create(wanted, call) };
  const { apiVersion: _, kind: __, ...fields } = wanted;
  const patch = deriveMergePatch(actual, fields);
  if (patch === undefined) return { result: 'unchanged', object: actual };
  const metadata = {
    ...(patch.metadata as object | undefined),
    resourceVersion: actual.metadata?.resourceVersion,
    uid: actual.metadata?.uid,
  };
  const object = await resource.patch(refOf(wanted), { ...patch, metadata }, call).catch(takeDeletionAsLostRace);
  return { result: 'updated', object };
}

function takeDeletionAsLostRace(error: unknown): never {
  if (!isNotFound(error)) throw error;
  const message = 'the object was deleted meanwhile';
  throw new ApiError({ status: 409, reason: 'Conflict', message, class: 'conflict', cause: error });
}

function refOf(object: KubeObject): ObjectRef {
  return { name: object.metadata?.name ?? '', namespace: object.metadata?.namespace };
}
