import { isGone } from './errors.ts';
import type { Resource, Selection } from './resource.ts';
import type { KubeObject } from './types.ts';

/** A whole collection and the version to watch it from. */
export type WholeList<T> = { items: T[]; resourceVersion: string };

/** What to list; `pageSize` bounds how much the server sends at once. */
export type WholeListOptions = Selection & { pageSize: number; signal?: AbortSignal | undefined };

/**
 * Lists page by page. When the server compacts the snapshot between two pages (410) the list starts over in one piece,
 * which cannot expire: otherwise a big list on a busy server might never end.
 */
export async function listEverything<T extends KubeObject>(
  resource: Resource<T>,
  options: WholeListOptions,
): Promise<WholeList<T>> {
  const { pageSize, ...rest } = options;
  try {
    return await listPages(resource, options);
  } catch (error) {
    if (!isGone(error)) throw error;
    const { items, resourceVersion } = await resource.list(rest);
    return { items, resourceVersion };
  }
}

async function listPages<T extends KubeObject>(
  resource: Resource<T>,
  options: WholeListOptions,
): Promise<WholeList<T>> {
  const { pageSize: limit, ...rest } = options;
  const first = await resource.list({ ...rest, limit });
  const pages = [first.items];
  for (let next = first.continue; next !== undefined; ) {
    const page = await resource.list({ ...rest, limit, continue: next });
    pages.push(page.items);
    next = page.continue;
  }
  return { items: pages.flat(), resourceVersion: first.resourceVersion };
}
