import type { LogicalPort } from '../api/types.gen.ts';
import { type Clock, compareVersions, keyOf, type ReadonlyStore, type Resource } from '../kube/index.ts';
import { getPortKey } from './keys.ts';

/**
 * What we wrote about LogicalPorts and the cache does not show yet. A turn that does not see the work of the one before
 * would do it again: a creation that is refused, a status that is written twice.
 */
export type OwnWrites = {
  /** The same calls; what they answer is remembered until the cache shows it. */
  follow(resource: Resource<LogicalPort>): Resource<LogicalPort>;
  /** True while the cache is behind our own writes for the ports of this key; for a second at most. */
  isBehind(key: string): boolean;
};

/** One port as the API server answered it: at this version, or gone. */
type Expected = { readonly uid: string; readonly version: string | undefined; readonly until: number };

/** The watch may be away: then the turn goes on with what is there, as it would after a restart. */
const PATIENCE_MS = 1000;

export function createOwnWrites(store: ReadonlyStore<LogicalPort>, clock: Clock): OwnWrites {
  const expected = new Map<string, Map<string, Expected>>();
  const remember = (port: LogicalPort): LogicalPort => {
    const { uid = '', resourceVersion } = port.metadata;
    const version = isGone(port) ? undefined : resourceVersion;
    const key = getPortKey(port);
    const ports = expected.get(key) ?? new Map<string, Expected>();
    expected.set(key, ports.set(keyOf(port), { uid, version, until: clock.now() + PATIENCE_MS }));
    return port;
  };
  return {
    follow: (resource) => ({
      ...resource,
      create: async (...call) => remember(await resource.create(...call)),
      update: async (...call) => remember(await resource.update(...call)),
      updateStatus: async (...call) => remember(await resource.updateStatus(...call)),
      patch: async (...call) => remember(await resource.patch(...call)),
      patchStatus: async (...call) => remember(await resource.patchStatus(...call)),
    }),
    isBehind: (key) => {
      const ports = expected.get(key);
      if (ports === undefined) return false;
      for (const [name, port] of ports) {
        if (port.until <= clock.now() || isShown(store.get(name), port)) ports.delete(name);
      }
      if (ports.size === 0) expected.delete(key);
      return ports.size > 0;
    },
  };
}

/** The answer to the write that took the last finalizer off an object that is being deleted. */
function isGone({ metadata }: LogicalPort): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}

/** Another UID under the name is later than all that we wrote about this one. */
function isShown(cached: LogicalPort | undefined, { uid, version }: Expected): boolean {
  if (version === undefined) return cached?.metadata.uid !== uid;
  if (cached === undefined) return false;
  const order = compareVersions(cached.metadata.resourceVersion, version);
  return cached.metadata.uid !== uid || order === undefined || order >= 0;
}
