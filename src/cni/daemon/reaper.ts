import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRequest, type WireRequest } from '../protocol.ts';
import type { Context } from './context.ts';
import { del } from './del.ts';
import { formatKey, type JournalEntry } from './journal.ts';
import { planReap } from './plan-reap.ts';
import { release } from './release.ts';
import { parseKey } from './request.ts';

/** Removes what no DEL will come for any more. Level-triggered: each round looks at everything. */
export type Reaper = {
  /** One round. Says how many attachments were removed and whether some are only suspected yet. */
  round(): Promise<{ readonly removed: number; readonly suspected: number }>;
  /** Repeats the DELs that came while no agent was there. */
  replaySpool(): Promise<number>;
};

/** `folder` is where the shim puts what it could not deliver. */
export function createReaper(context: Context, folder: string): Reaper {
  let suspects: ReadonlySet<string> = new Set();
  return {
    round: async () => {
      const plan = planReap({ ...(await observe(context)), suspects });
      suspects = plan.suspects;
      for (const key of plan.remove) {
        await context.calls.run(key, () => release(context, key));
        context.log.info({ ...key }, 'an attachment without sandbox or pod was removed');
        context.metrics.count('reaped');
      }
      return { removed: plan.remove.length, suspected: suspects.size };
    },
    replaySpool: () => replaySpool(context, folder),
  };
}

async function observe(context: Context) {
  const entries = context.journal.list();
  const lost = new Set<string>();
  for (const entry of entries) if (await isLost(entry)) lost.add(formatKey(entry));
  const { cluster, ports, calls } = context;
  const uids = () => new Set(cluster.listPods().map((pod) => pod.metadata?.uid ?? ''));
  // Ports are listed before pods: a pod that is scheduled in between must not look like one that is gone.
  const list = ports.list();
  return { entries, ports: list, lost, busy: calls.isBusy, podUids: cluster.hasSynced() ? uids() : undefined };
}

const NSFS_MAGIC = 0x6e736673;

/** The sandbox's namespace is not mounted any more, or another one is mounted in its place. */
async function isLost(entry: JournalEntry): Promise<boolean> {
  if (entry.netns === '' || entry.netnsId === '') return false;
  try {
    if ((await statfs(entry.netns)).type !== NSFS_MAGIC) return true;
    const { dev, ino } = await stat(entry.netns, { bigint: true });
    return `${dev}:${ino}` !== entry.netnsId;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

async function replaySpool(context: Context, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = (await readdir(folder)).filter((name) => name.endsWith('.del')).sort();
  for (const name of names) {
    const path = join(folder, name);
    const request = await readSpooled(context, folder, name);
    if (request !== undefined) {
      await del(context, parseKey(request.env));
      await rm(path, { force: true });
    }
  }
  return names.length;
}

/** A file that is no DEL of ours is put aside; it must not stop the others. */
async function readSpooled(context: Context, folder: string, name: string): Promise<WireRequest | undefined> {
  try {
    const request = parseRequest(await readFile(join(folder, name)));
    parseKey(request.env);
    if (request.env.get('CNI_COMMAND') === 'DEL') return request;
    throw new Error('it is no DEL');
  } catch (error) {
    context.log.warn({ err: error, file: name }, 'a spooled call cannot be understood; it is put aside');
    await rename(join(folder, name), join(folder, `${name}.bad`));
    return undefined;
  }
}
