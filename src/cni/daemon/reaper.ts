import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS, parseRequest, type WireRequest } from '../protocol.ts';
import type { Context } from './context.ts';
import { defer, del } from './del.ts';
import { doEach } from './each.ts';
import type { Networks } from './networks/networks.ts';
import { planReap, type ReapInput } from './plan-reap.ts';
import { release } from './release.ts';
import { type AttachmentKey, parseKey } from './request.ts';
import { isPassing, readSmall, setAside } from './unreadable.ts';
import { ALIAS_PREFIX } from './wire.ts';

/** Removes what no DEL will come for any more. Level-triggered: each round looks at everything. */
export type Reaper = {
  /**
   * One round; none while the OVS database cannot be read, as nothing would then tell whose a host end is. Goes on after
   * what cannot be removed and throws it at the end. Says how many attachments were removed and whether some are only
   * suspected yet.
   */
  round(): Promise<{ readonly removed: number; readonly suspected: number }>;
  /** Repeats the DELs that came while no agent was there. Goes on after one that fails and throws it at the end. */
  replaySpool(): Promise<number>;
  /**
   * Takes the spool into the journal, to be called before the first call is served: an ADD for the same interface that
   * has waited for the agent came after the DEL, and must not be undone by it.
   */
  takeSpool(): Promise<number>;
};

/** `spool` is where the shim puts what it could not deliver, `aside` where that goes of it which nobody can read. */
export type SpoolPlaces = { readonly spool: string; readonly aside: string };

export function createReaper(context: Context, places: SpoolPlaces, networks?: Networks): Reaper {
  let suspects: ReadonlySet<string> = new Set();
  let halves: ReadonlySet<string> = new Set();
  return {
    round: async () => {
      const seen = await observe(context);
      const failures: unknown[] = [];
      const reaped = networks?.reap().catch((error: unknown) => void failures.push(error));
      if (!context.ports.isLive()) return { removed: (await reaped) ?? 0, suspected: suspects.size };
      const plan = planReap({ ...seen, suspects });
      suspects = plan.suspects;
      await doEach(
        [...plan.remove.map((key) => remove(context, key)), ...plan.strays.map((name) => () => cut(context, name))],
        (step) => step(),
      ).catch((error: unknown) => void failures.push(error));
      // Others' plugins may hang; what is ours has gone by then.
      const whole = (await reaped) ?? 0;
      for (const failure of failures) throw failure;
      return { removed: whole + plan.remove.length + plan.strays.length, suspected: suspects.size };
    },
    replaySpool: async () => {
      halves = await sweepHalves(places.spool, halves);
      return emptySpool(context, places, async (key) => {
        if (networks?.isWhole(key) === true) await networks.delete(key.containerId);
        await del(context, key);
      });
    },
    takeSpool: () =>
      emptySpool(context, places, async (key) => {
        if (networks?.isWhole(key) === true) await networks.defer(key.containerId);
        await defer(context, key);
      }),
  };
}

/** Remembers the attachment as it is now; when its turn comes it must still be that one, and no newer ADD's. */
function remove(context: Context, key: AttachmentKey): () => Promise<void> {
  const { calls, journal, log, metrics } = context;
  const seen = journal.find(key);
  return async () => {
    if (calls.isBusy(key) || journal.find(key) !== seen) return;
    await calls.run(key, () => release(context, key));
    log.info({ ...key }, 'an attachment without sandbox or pod was removed');
    metrics.count('reaped');
  };
}

async function cut({ links, log }: Context, hostName: string): Promise<void> {
  await links.run({ kind: 'detachVeth', hostName });
  log.info({ hostName }, 'a host end that belongs to nothing was removed');
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

type CarryOut = (key: AttachmentKey) => Promise<void>;

async function emptySpool(context: Context, places: SpoolPlaces, carryOut: CarryOut): Promise<number> {
  const { spool } = places;
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const names = (await readdir(spool)).filter((name) => name.endsWith('.del')).sort();
  await doEach(names, async (name) => {
    const request = await readSpooled(context, places, name);
    if (request === undefined) return;
    await carryOut(parseKey(request.env));
    await rm(join(spool, name), { force: true });
  });
  return names.length;
}

/** A file that is no DEL of ours is put aside; it must not stop the others. */
async function readSpooled(context: Context, places: SpoolPlaces, name: string): Promise<WireRequest | undefined> {
  const path = join(places.spool, name);
  try {
    const request = parseRequest(await readSmall(path, LIMITS.bytes));
    parseKey(request.env);
    if (request.env.get('CNI_COMMAND') === 'DEL') return request;
    throw new Error('it is no DEL');
  } catch (why) {
    if (isPassing(why)) throw why;
    await setAside(places.aside, { kind: 'spool', path, why }, context.log);
    return undefined;
  }
}

/** A shim that was killed while it wrote leaves half a file; what two rounds have seen nobody is writing any more. */
async function sweepHalves(spool: string, before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const names = await readdir(spool).catch(() => []);
  const halves = names.filter((name) => name.startsWith('.') && name.endsWith('.tmp'));
  await doEach(
    halves.filter((name) => before.has(name)),
    (name) => rm(join(spool, name), { force: true }),
  );
  return new Set(halves);
}
