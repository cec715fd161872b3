import { ApiError, parseApiError } from './errors.ts';
import type { KubeObject } from './types.ts';

/** One line of a watch (API concepts, "Efficient detection of changes"). */
export type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject }
  | { type: 'BOOKMARK'; version: string }
  | { type: 'ERROR'; error: ApiError };

function badEvent(message: string): ApiError {
  return new ApiError({ status: 0, reason: 'BadEvent', message, class: 'retry' });
}

/** Reads one line. Throws `ApiError` with reason `BadEvent` for what is not a watch event: the stream cannot be trusted. */
export function parseWatchEvent(line: string): WatchEvent {
  const { type, object } = parseRecord(line);
  if (type === 'ERROR') return { type, error: parseErrorEvent(object) };
  if (typeof object !== 'object' || object === null) throw badEvent('a watch event has no object');
  const found = object as KubeObject;
  if (type === 'BOOKMARK') return { type, version: parseBookmark(found) };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') return { type, object: found };
  throw badEvent(`a watch event has type '${String(type).slice(0, 40)}'`);
}

function parseRecord(line: string): { type?: unknown; object?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Reported below, as any other value that is not an object.
  }
  throw badEvent('a line of the watch is no JSON object');
}

function parseBookmark(object: KubeObject): string {
  const version: unknown = object.metadata?.resourceVersion;
  if (typeof version === 'string' && version !== '') return version;
  throw badEvent('a bookmark has no resourceVersion');
}

function parseErrorEvent(object: unknown): ApiError {
  const code: unknown = typeof object === 'object' && object !== null && 'code' in object ? object.code : 500;
  return parseApiError(typeof code === 'number' && code >= 400 && code < 600 ? code : 500, object);
}
