import { formatKey, type JournalEntry } from './journal.ts';
import type { OvsPort } from './ports.ts';
import type { AttachmentKey } from './request.ts';

/** All that the reaper looks at. Keys are `containerId/ifname`. */
export type ReapInput = {
  readonly entries: readonly JournalEntry[];
  readonly ports: readonly OvsPort[];
  /** Our host ends in the kernel. One is gone when its pod's namespace is: a veth dies with its peer. */
  readonly links: ReadonlySet<string>;
  /** UIDs of the pods of this node; undefined until the API has been read: then nobody is missing. */
  readonly podUids: ReadonlySet<string> | undefined;
  readonly busy: (key: AttachmentKey) => boolean;
  /** What the round before suspected: keys, and names of links. */
  readonly suspects: ReadonlySet<string>;
};

export type ReapPlan = {
  readonly remove: readonly AttachmentKey[];
  /** Host ends that neither the journal nor OVS knows. */
  readonly strays: readonly string[];
  readonly suspects: ReadonlySet<string>;
};

/**
 * What has to go. At once: what a DEL could not finish, and what an ADD began that no call is working on any more. After
 * two rounds in a row: attachments whose sandbox or pod is gone without a DEL, and host ends that belong to nothing. What
 * a call works on is left to it.
 */
export function planReap(input: ReapInput): ReapPlan {
  const remove = new Map<string, AttachmentKey>();
  const suspects = new Set<string>();
  const found = collect(input);
  for (const [name, attachment] of found) {
    if (input.busy(attachment.key)) continue;
    const orphan = isOrphan(attachment, input);
    if (attachment.state !== 'attached' || (orphan && input.suspects.has(name))) remove.set(name, attachment.key);
    else if (orphan) suspects.add(name);
  }
  const known = new Set([...found.values()].map(({ link }) => link));
  const unknown = [...input.links].filter((link) => !known.has(link));
  for (const link of unknown) suspects.add(link);
  return { remove: [...remove.values()], strays: unknown.filter((link) => input.suspects.has(link)), suspects };
}

type Found = {
  readonly key: AttachmentKey;
  readonly uid: string;
  readonly state: JournalEntry['state'];
  /** Empty where another plugin has made the interface. */
  readonly link: string;
};

function isOrphan({ state, uid, link }: Found, { links, podUids }: ReapInput): boolean {
  const isCut = link !== '' && !links.has(link);
  return state === 'attached' && (isCut || podUids?.has(uid) === false);
}

/** Journal and OVS together; a port that the journal does not know counts as attached. */
function collect({ entries, ports }: ReapInput): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const { containerId, ifname, pod, name } of ports) {
    const key = { containerId, ifname };
    found.set(formatKey(key), { key, uid: pod.uid, state: 'attached', link: name });
  }
  for (const { containerId, ifname, pod, state, hostInterface } of entries) {
    const key = { containerId, ifname };
    found.set(formatKey(key), { key, uid: pod.uid, state, link: hostInterface });
  }
  return found;
}
