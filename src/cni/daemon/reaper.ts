import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRequest, type WireRequest } from '../protocol.ts';
import type { Context } from './context.ts';
import { del } from './del.ts';
import { planReap, type ReapInput } from './plan-reap.ts';
import { release } from './release.ts';
import { parseKey } from './request.ts';
import { ALIAS_PREFIX } from './wire.ts';

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
        if (context.calls.isBusy(key)) continue;
        await context.calls.run(key, () => release(context, key));
        context.log.info({ ...key }, 'an attachment without sandbox or pod was removed');
        context.metrics.count('reaped');
      }
      for (const hostName of plan.strays) {
        await context.links.run({ kind: 'detachVeth', hostName });
        context.log.info({ hostName }, 'a host end that belongs to nothing was removed');
      }
      return { removed: plan.remove.length + plan.strays.length, suspected: suspects.size };
    },
    replaySpool: () => replaySpool(context, folder),
  };
}

const HOST_END = /^m[0-9a-f]{14}$/;

async function observe({ cluster, ports, calls, journal, links }: Context): Promise<Omit<ReapInput, 'suspects'>> {
  // What is made last is read first: an attachment that comes into being meanwhile must not look like half of one.
  const { links: found } = await links.run({ kind: 'listLinks', prefix: 'm' });
  const ours = found.filter(({ name, alias }) => HOST_END.test(name) && alias?.startsWith(ALIAS_PREFIX) === true);
  const list = ports.list();
  const podUids = new Set(cluster.listPods().map((pod) => pod.metadata?.uid ?? ''));
  return {
    links: new Set(ours.map(({ name }) => name)),
    ports: list,
    entries: journal.list(),
    podUids: cluster.hasSynced() ? podUids : undefined,
    busy: calls.isBusy,
  };
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
