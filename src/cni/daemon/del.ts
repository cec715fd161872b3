import { formatHostInterface } from '../../api/names.ts';
import type { Context } from './context.ts';
import { withDeadline } from './deadline.ts';
import { NoteLeft, release } from './release.ts';
import type { AttachmentKey } from './request.ts';

/**
 * DEL: everything of this sandbox's interface goes, and nothing else. Succeeds when there is nothing. When OVS does not
 * answer, the wish is written down for the reaper and the runtime may go on: a pod must not hang in Terminating because
 * of us, and the netns takes the veth with it. Throws only when that cannot be written either; an entry that the disk
 * keeps of something that is gone does no harm, and the reaper removes it when it can.
 */
export async function del(context: Context, key: AttachmentKey): Promise<void> {
  const { clock, deadlines, metrics, log } = context;
  const startedAt = clock.now();
  const outcome = await context.calls.overtake(key, (overtaken) =>
    withDeadline(clock, deadlines.otherMs, [overtaken], async (signal) => {
      try {
        await release(context, key, signal);
        return 'ok';
      } catch (error) {
        log.warn({ err: error, ...key }, 'DEL cannot be finished now; the reaper will');
        await defer(context, key).catch((unwritten: unknown) => {
          if (!(error instanceof NoteLeft)) throw unwritten;
        });
        return 'deferred';
      }
    }),
  );
  const ms = Math.round((clock.now() - startedAt) * 100) / 100;
  metrics.observe('del', ms, { outcome });
  log.info({ verb: 'DEL', outcome, ...key, ms }, 'del');
}

/** Writes the wish down for the reaper; an ADD for the same interface that comes before it starts from nothing. */
export async function defer(context: Context, key: AttachmentKey): Promise<void> {
  await context.journal.put(describeRest(context, key));
}

function describeRest(context: Context, key: AttachmentKey) {
  const hostInterface = formatHostInterface(key.containerId, key.ifname);
  const unknown = { netns: '', network: '', ifaceId: '', gate: false };
  const entry = { ...unknown, pod: { namespace: '', name: '', uid: '' }, hostInterface, ...context.journal.find(key) };
  return { ...entry, ...key, state: 'releasing' as const };
}
