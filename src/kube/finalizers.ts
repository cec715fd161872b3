import { retryConflicts } from './conflicts.ts';
import { isNotFound } from './errors.ts';
import type { Resource } from './resource.ts';
import type { KubeObject, ObjectRef } from './types.ts';

/** The object to change; with `uid` only that very object, never a namesake made later. */
export type FinalizerTarget = ObjectRef & { uid?: string | undefined };

/**
 * Adds a finalizer unless it is there or the object is being deleted (the API server forbids it then). Gives the
 * object, or undefined when it is gone. Throws `ApiError` (`conflict`) after five lost races.
 */
export function ensureFinalizer<T extends KubeObject>(
  resource: Resource<T>,
  target: FinalizerTarget,
  finalizer: string,
): Promise<T | undefined> {
  return changeFinalizers(resource, target, (object, present) => {
    const skip = present.includes(finalizer) || object.metadata?.deletionTimestamp !== undefined;
    return skip ? undefined : [...present, finalizer];
  });
}

/** Removes a finalizer. An object that is gone, or was replaced by a namesake, is success (undefined). */
export function removeFinalizer<T extends KubeObject>(
  resource: Resource<T>,
  target: FinalizerTarget,
  finalizer: string,
): Promise<T | undefined> {
  return changeFinalizers(resource, target, (_, present) =>
    present.includes(finalizer) ? present.filter((name) => name !== finalizer) : undefined,
  );
}

type Plan<T> = (object: T, present: readonly string[]) => readonly string[] | undefined;

/** Merge patches replace a whole list, so the patch carries the resourceVersion that the list was read at. */
function changeFinalizers<T extends KubeObject>(
  resource: Resource<T>,
  target: FinalizerTarget,
  plan: Plan<T>,
): Promise<T | undefined> {
  return retryConflicts(async () => {
    const object = await resource.find(target);
    if (object === undefined || !isTarget(object, target)) return undefined;
    const finalizers = plan(object, object.metadata?.finalizers ?? []);
    if (finalizers === undefined) return object;
    const { uid, resourceVersion } = object.metadata ?? {};
    return resource.patch(target, { metadata: { finalizers, resourceVersion, uid } }).catch(ignoreNotFound);
  });
}

function isTarget(object: KubeObject, target: FinalizerTarget): boolean {
  return target.uid === undefined || object.metadata?.uid === target.uid;
}

function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
