import { formatHostInterface } from '../../api/names.ts';
import type { Context } from './context.ts';
import { CniError } from './errors.ts';
import type { AttachmentKey } from './request.ts';

/**
 * Removes what was made for one interface of one sandbox: its ports in OVS, its veth, its journal entry, in this order.
 * Whatever is not there is fine. Ports are matched by sandbox and interface only: another sandbox's port is never
 * touched, whoever's iface-id it has. Throws when OVS or the kernel cannot be asked, and NoteLeft when all is gone but the
 * entry; then call again.
 */
export async function release(context: Context, key: AttachmentKey, signal?: AbortSignal): Promise<void> {
  const { ports, links, journal } = context;
  if (journal.find(key)?.ipam === true) return forget(context, key);
  const hostInterface = formatHostInterface(key.containerId, key.ifname);
  const names = ports
    .list()
    .filter((port) => port.containerId === key.containerId && port.ifname === key.ifname)
    .map((port) => port.name);
  if (names.length > 0 || !ports.isLive()) await ports.remove(names.length > 0 ? names : [hostInterface], signal);
  await links.run({ kind: 'detachVeth', hostName: hostInterface });
  await forget(context, key);
}

/** Everything of the attachment is gone, only the disk does not take that its entry is. */
export class NoteLeft extends CniError {}

async function forget({ journal }: Context, key: AttachmentKey): Promise<void> {
  try {
    await journal.delete(key);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new NoteLeft('io', `the journal entry cannot be removed: ${words}`, { cause });
  }
}
