import { pino } from 'pino';
import {
  createReflector,
  createResource,
  createTransport,
  type KubeObject,
  keyOf,
  type Logger,
  loadEndpoint,
  type Reflector,
  type Resource,
  type ResourceKind,
  systemClock,
  type Transport,
} from '../../../src/kube/index.ts';

/** The stand-in's way to the API server, over the project's own client. */
export type Client = {
  transport: Transport;
  log: Logger;
  resource<T extends KubeObject>(kind: ResourceKind): Resource<T>;
};

export async function createClient(kubeconfig: string, name: string): Promise<Client> {
  const endpoint = await loadEndpoint({ source: { kind: 'kubeconfig', path: kubeconfig } });
  const transport = createTransport({ endpoint, clock: systemClock, userAgent: name });
  const log = pino({ name, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  return { transport, log, resource: (kind) => createResource(transport, kind) };
}

/** A cache of one kind that a writer can wait for, so that the next turn sees the last turn's writes. */
export type Cache<T extends KubeObject> = Reflector<T> & {
  /** Waits until the cache holds `object` or a newer version of it, or until it is gone; at most two seconds. */
  settle(object: T): Promise<void>;
  settleGone(key: string, uid: string): Promise<void>;
};

const SETTLE_MS = 2000;

export function createCache<T extends KubeObject>(
  client: Client,
  kind: ResourceKind,
  labelSelector?: string,
): Cache<T> {
  const { transport, log } = client;
  const reflector = createReflector<T>({
    transport,
    kind,
    log,
    clock: systemClock,
    random: Math.random,
    backoff: { baseMs: 200, maxMs: 2000 },
    ...(labelSelector === undefined ? {} : { labelSelector }),
  });
  const untilTrue = (check: () => boolean): Promise<void> => {
    if (check()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = reflector.onChange(() => check() && resolve());
    const timer = setTimeout(resolve, SETTLE_MS);
    return promise.finally(() => {
      end();
      clearTimeout(timer);
    });
  };
  return {
    ...reflector,
    settle: (object) => {
      const wanted = versionOf(object);
      return untilTrue(() => versionOf(reflector.store.get(keyOf(object))) >= wanted);
    },
    settleGone: (key, uid) =>
      untilTrue(() => {
        const meta = reflector.store.get(key)?.metadata;
        return meta?.uid !== uid || meta.deletionTimestamp !== undefined;
      }),
  };
}

/** etcd revisions are one growing sequence in the lab's API server. */
function versionOf(object: KubeObject | undefined): bigint {
  return BigInt(object?.metadata?.resourceVersion ?? 0);
}
