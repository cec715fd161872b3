import type { LogicalPort } from '../../api/types.gen.ts';
import { NetlinkError } from '../../netlink/errors.ts';
import type { Context, Links } from './context.ts';
import { doEach } from './each.ts';
import type { JournalEntry } from './journal.ts';

type FindPort = (podUid: string, ifname: string) => LogicalPort | undefined;

/** The attachments whose gate has served. A port that is not known keeps its gate: it is open for its guest anyway. */
export function listServedGates(entries: readonly JournalEntry[], findPort: FindPort): JournalEntry[] {
  return entries.filter((entry) => entry.gate && entry.state === 'attached' && hasServed(entry, findPort));
}

/**
 * The operator has made this pod's attachment the source: the migration was committed. Or it says that the migration to
 * this very node has settled; a settled migration to another node is an older one, and so is one beside another source.
 */
function hasServed(entry: JournalEntry, findPort: FindPort): boolean {
  const port = findPort(entry.pod.uid, entry.ifname);
  const attachments = port?.spec.attachments ?? [];
  const own = attachments.find((item) => item.podUID === entry.pod.uid && item.interface === entry.ifname);
  if (own === undefined || own.role === 'Source') return own !== undefined;
  if (attachments.some(({ role }) => role === 'Source')) return false;
  const migration = port?.status?.migration;
  return migration?.phase === 'Settled' && migration.targetNode === own.node;
}

/** Removes every gate that has served. Idempotent; one that cannot be removed is thrown after the others. A netns that is gone has taken its gate with it. */
export async function removeServedGates(context: Context): Promise<number> {
  const { cluster, journal, calls } = context;
  const served = listServedGates(journal.list(), cluster.findPort);
  await doEach(served, (entry) => calls.run(entry, () => removeGate(context, entry)));
  return served.length;
}

/** A host end dies with its netns. Without it, what is at the path of the netns is another pod's, whose gate may have to stay. */
async function hasHostEnd(links: Links, name: string): Promise<boolean> {
  const { links: found } = await links.run({ kind: 'listLinks', prefix: name });
  return found.some((link) => link.name === name);
}

async function removeGate({ journal, links, log }: Context, { containerId, ifname }: JournalEntry): Promise<void> {
  const entry = journal.find({ containerId, ifname });
  if (entry === undefined || !entry.gate) return;
  try {
    const isOwn = await hasHostEnd(links, entry.hostInterface);
    if (isOwn) await links.run({ kind: 'deleteGate', netnsPath: entry.netns, interface: ifname });
  } catch (error) {
    if (!(error instanceof NetlinkError && error.class === 'not-found')) throw error;
  }
  await journal.put({ ...entry, gate: false });
  log.info({ containerId, ifname, ifaceId: entry.ifaceId }, 'the migration gate was removed');
}
