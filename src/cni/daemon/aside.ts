import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from './context.ts';

/** What is kept at most, of all kinds together; the oldest goes first. */
export const KEPT = { files: 32, bytes: 4 * 1024 * 1024 } as const;

export type AsideFile = { readonly name: string; readonly bytes: number; readonly writtenAt: number };

/** Names of what has to go so that no more is kept than KEPT allows; the newest stay. Pure. */
export function planDrop(files: readonly AsideFile[], kept: { files: number; bytes: number } = KEPT): string[] {
  const newest = files.toSorted((a, b) => b.writtenAt - a.writtenAt || (a.name < b.name ? -1 : 1));
  let [count, bytes] = [0, 0];
  return newest.flatMap((file) => {
    const fits = count < kept.files && bytes + file.bytes <= kept.bytes;
    if (fits) [count, bytes] = [count + 1, bytes + file.bytes];
    return fits ? [] : [file.name];
  });
}

/** Whoever keeps a file of his own as `kind-name` is told of by that kind. */
const findKind = (name: string): string => /^[a-z]+(?=-)/.exec(name)?.[0] ?? 'other';

/** Looks after what was put aside: tells of it once in each life of the agent, and lets go of what is too much. */
export type Aside = { round(): Promise<void> };

type AsideContext = Pick<Context, 'cluster' | 'events' | 'log' | 'metrics'>;

const MOST_NAMES = 5;

export function createAside(context: AsideContext, folder: string): Aside {
  const told = new Set<string>();
  return {
    round: async () => {
      // The event needs the Node.
      if (!context.cluster.hasSynced()) return;
      const files = await list(folder);
      for (const name of planDrop(files)) await rm(join(folder, name), { recursive: true, force: true });
      const fresh = files.map(({ name }) => name).filter((name) => !told.has(name));
      if (fresh.length > 0) tell(context, folder, fresh.toSorted());
      told.clear();
      for (const { name } of files) told.add(name);
    },
  };
}

async function list(folder: string): Promise<readonly AsideFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return { name, bytes: size, writtenAt: mtimeMs };
    }),
  );
}

function tell({ cluster, events, log, metrics }: AsideContext, folder: string, names: readonly string[]): void {
  for (const name of names) metrics.count('unreadable_files', { kind: findKind(name) });
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  const note = `the agent could not read files of its own; look at them in ${folder} and remove them: ${names.slice(0, MOST_NAMES).join(', ')}${more}`;
  log.warn({ folder, count: names.length }, note);
  const node = cluster.findNode();
  if (node === undefined) return;
  const regarding = { ...node, apiVersion: 'v1', kind: 'Node' };
  events.record(regarding, { type: 'Warning', reason: 'StateUnreadable', action: 'Read', note });
}
