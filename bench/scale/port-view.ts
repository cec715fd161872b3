import { KINDS } from '../../src/api/group.ts';
import type { LogicalPort } from '../../src/api/types.gen.ts';
import { createReflector, type KubeObject, noLogger, systemClock, type Transport } from '../../src/kube/index.ts';

/** The LogicalPorts as everybody can see them in the API. */
export type PortView = AsyncDisposable & {
  size(): number;
  /** Ports whose key, `<namespace>/<name>`, begins so. */
  countBound(): number;
  find(key: string): PortState | undefined;
  /** Resolves when the condition holds; it is asked at every change. */
  until(what: string, condition: () => boolean, timeoutMs?: number): Promise<void>;
};

export type PortState = { readonly attached: boolean; readonly bound: boolean };

type Small = KubeObject & { readonly state: PortState };

/** Follows all LogicalPorts and keeps of each only what is asked for. */
export async function createPortView(transport: Transport): Promise<PortView> {
  const reflector = createReflector<Small>({
    transport,
    kind: KINDS.logicalPort,
    clock: systemClock,
    random: Math.random,
    log: noLogger,
    decode: (raw) => ({ ...pickHeader(raw), state: readState(raw as LogicalPort) }),
  });
  let bound = 0;
  const waiters = new Set<() => void>();
  reflector.onChange((change) => {
    const before =
      change.type === 'updated' ? change.previous.state.bound : change.type === 'deleted' && change.object.state.bound;
    const after = change.type !== 'deleted' && change.object.state.bound;
    bound += Number(after) - Number(before);
    for (const look of waiters) look();
  });
  reflector.start();
  await reflector.whenSynced();
  return {
    size: () => reflector.store.size(),
    countBound: () => bound,
    find: (key) => reflector.store.get(key)?.state,
    until: (what, condition, timeoutMs = 300_000) => waitFor(waiters, { what, condition, timeoutMs }),
    [Symbol.asyncDispose]: () => reflector.stop(),
  };
}

type Wait = { readonly what: string; readonly condition: () => boolean; readonly timeoutMs: number };

function waitFor(waiters: Set<() => void>, { what, condition, timeoutMs }: Wait): Promise<void> {
  if (condition()) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => {
    if (condition()) resolve();
  };
  waiters.add(look);
  const timer = setTimeout(() => reject(new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`)), timeoutMs);
  return promise.finally(() => {
    waiters.delete(look);
    clearTimeout(timer);
  });
}

function pickHeader({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = metadata ?? {};
  return { metadata: { name, namespace, uid, resourceVersion } };
}

/** Bound as a user sees it: the status says so, whatever else it says. */
function readState({ spec, status }: LogicalPort): PortState {
  return { attached: (spec.attachments ?? []).length > 0, bound: status?.phase === 'Bound' };
}
