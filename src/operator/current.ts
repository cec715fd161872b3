import { LEADER_MARK } from '../api/annotations.ts';
import { isNotFound, keyOf } from '../kube/index.ts';
import type { Context } from './context.ts';

/** The event of a write takes some milliseconds; a watch that needs longer is cut off or dead. */
const PATIENCE_MS = 1000;
/** After that another process may have a better connection. */
const MOST_MS = 15_000;

type Means = Pick<Context, 'api' | 'world' | 'log'>;

/**
 * Resolves when the cache of LogicalPorts shows all that was written before the call: an address that an earlier leader
 * gave just before its end must not look free. A list's version is of no use, as a quiet watch may tell it only with the
 * next bookmark. So one LogicalPort gets a mark, and whoever has seen its event has seen all earlier ones of the kind: one
 * write in a term, and none where there is no port. When the event does not come, everything is listed anew;
 * when that does not come either, it throws, which ends the term.
 */
export async function ensureCurrent(means: Means, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { items, resourceVersion } = await means.api.ports.list({ limit: 1, signal });
    const [port] = items;
    if (port === undefined) return;
    const { name, namespace } = port.metadata;
    const patch = { metadata: { annotations: { [LEADER_MARK]: resourceVersion } } };
    const marked = await means.api.ports.patch({ name, namespace }, patch, { signal }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    if (marked === undefined) continue;
    return whenShown(means, { key: keyOf(port), version: marked.metadata.resourceVersion ?? '' }, signal);
  }
}

type Mark = { readonly key: string; readonly version: string };

async function whenShown({ world, log }: Means, { key, version }: Mark, signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  await world.ports.whenAt(version, patience).catch(() => {
    signal.throwIfAborted();
    log.warn({ port: key, version }, 'the cache of LogicalPorts is behind; listing them anew');
    world.ports.refresh();
    return world.ports.whenAt(version, AbortSignal.any([signal, AbortSignal.timeout(MOST_MS)]));
  });
}
