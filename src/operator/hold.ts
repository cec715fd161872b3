import { FINALIZER } from '../api/names.ts';
import type { ObjectMeta } from '../api/types.gen.ts';
import {
  ensureFinalizer,
  ensureStatus,
  isNotFound,
  type KubeObject,
  type Resource,
  removeFinalizer,
} from '../kube/index.ts';
import type { Turn } from './context.ts';

type Held = KubeObject & { readonly metadata: ObjectMeta };

/** Keeps an object from going away before we let it. Nothing for one that is being deleted already. */
export async function holdObject<T extends Held>(resource: Resource<T>, { metadata }: T): Promise<void> {
  if (metadata.finalizers?.includes(FINALIZER) || metadata.deletionTimestamp !== undefined) return;
  await ensureFinalizer(resource, { name: metadata.name, uid: metadata.uid }, FINALIZER);
}

/** Lets an object go that is being deleted. */
export async function letGo<T extends Held>(resource: Resource<T>, { metadata }: T): Promise<void> {
  await removeFinalizer(resource, { name: metadata.name, uid: metadata.uid }, FINALIZER);
}

/** Writes a status if it differs; one whose object has gone meanwhile is of no interest. */
export async function tellStatus<T extends Held>(
  { signal }: Pick<Turn, 'signal'>,
  resource: Resource<T>,
  object: T,
  status: object,
): Promise<void> {
  await ensureStatus(resource, object, status, { signal }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** What the Ready condition of an object says at present. */
export function getReadyReason(object: { status?: { conditions?: { type: string; reason: string }[] } }) {
  return object.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
}
