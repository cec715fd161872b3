import type { ServerResponse } from 'node:http';
import type { FakeStorage, Happening, Stored } from './fake-storage.ts';
import type { Matcher } from './selectors.ts';

/** What a watch is about. */
export type WatchScope = { collection: string; namespace: string | undefined; matches: Matcher; after: number };

/** Changes the events on their way to one watcher: none is a loss, two a duplicate; keep some for later to reorder. */
export type Mangle = (line: string, happening: Happening) => readonly string[];

/** One open watch. */
export type FakeWatch = {
  /** Sends a line as it is. */
  send(line: string): void;
  bookmark(): void;
  /** Swallows everything from now on without closing: a half-open connection. */
  freeze(): void;
  /** Ends the stream properly, as `timeoutSeconds` does. */
  end(): void;
  reset(): void;
};

/** Answers a watch request: the past since `after`, then what happens, until closed. */
export function openFakeWatch(
  storage: FakeStorage,
  scope: WatchScope,
  link: { response: ServerResponse; mangle: () => Mangle | undefined; onClose: () => void },
): FakeWatch {
  const { response } = link;
  let frozen = false;
  const send = (line: string) => {
    if (!frozen && !response.writableEnded) response.write(`${line}\n`);
  };
  const tell = (happening: Happening) => {
    const line = formatEvent(scope, happening);
    if (line === undefined) return;
    const mangle = link.mangle();
    for (const one of mangle === undefined ? [line] : mangle(line, happening)) send(one);
  };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  if (scope.after < storage.compacted()) {
    send(
      JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }),
    );
  } else for (const happening of storage.history(scope.collection, scope.after)) tell(happening);
  const unsubscribe = storage.subscribe(tell);
  response.on('close', () => {
    unsubscribe();
    link.onClose();
  });
  return {
    send,
    bookmark: () => {
      const metadata = { resourceVersion: String(storage.version()) };
      send(JSON.stringify({ type: 'BOOKMARK', object: { metadata } }));
    },
    freeze: () => {
      frozen = true;
    },
    end: () => response.end(),
    reset: () => response.socket?.resetAndDestroy(),
  };
}

/** The event as this watcher sees it: entering the selection is ADDED, leaving it DELETED. */
function formatEvent(scope: WatchScope, { collection, type, object, previous }: Happening): string | undefined {
  if (collection !== scope.collection) return undefined;
  const before = type !== 'ADDED' && previous !== undefined && isInScope(scope, previous);
  const now = type !== 'DELETED' && isInScope(scope, object);
  if (!before && !now) return undefined;
  const seen = before ? (now ? 'MODIFIED' : 'DELETED') : 'ADDED';
  return JSON.stringify({ type: seen, object });
}

/** Whether a watch or list of this scope holds the object. */
export function isInScope(scope: Omit<WatchScope, 'after'>, object: Stored): boolean {
  const inNamespace = scope.namespace === undefined || scope.namespace === object.metadata.namespace;
  return inNamespace && scope.matches(object);
}
