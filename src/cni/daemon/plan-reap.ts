import { formatKey, type JournalEntry } from './journal.ts';
import type { OvsPort } from './ports.ts';
import type { AttachmentKey } from './request.ts';

/** All that the reaper looks at. Keys are `containerId/ifname`. */
export type ReapInput = {
  readonly entries: readonly JournalEntry[];
  readonly ports: readonly OvsPort[];
  /** UIDs of the pods of this node; undefined until the API has been read: then nobody is missing. */
  readonly podUids: ReadonlySet<string> | undefined;
  /** Attachments whose netns is gone, or is another one by now. */
  readonly lost: ReadonlySet<string>;
  readonly busy: (key: AttachmentKey) => boolean;
  /** What the round before suspected. */
  readonly suspects: ReadonlySet<string>;
};

export type ReapPlan = { readonly remove: readonly AttachmentKey[]; readonly suspects: ReadonlySet<string> };

/**
 * What has to go. At once: what a DEL could not finish, and what an ADD began that no call is working on any more. After
 * two rounds in a row: attachments whose sandbox or pod is gone without a DEL. What a call works on is left to it.
 */
export function planReap(input: ReapInput): ReapPlan {
  const remove = new Map<string, AttachmentKey>();
  const suspects = new Set<string>();
  for (const [name, { key, uid, state }] of collect(input)) {
    if (input.busy(key)) continue;
    const orphan = state === 'attached' && (input.lost.has(name) || input.podUids?.has(uid) === false);
    if (state !== 'attached' || (orphan && input.suspects.has(name))) remove.set(name, key);
    else if (orphan) suspects.add(name);
  }
  return { remove: [...remove.values()], suspects };
}

type Found = { readonly key: AttachmentKey; readonly uid: string; readonly state: JournalEntry['state'] };

/** Journal and OVS together; a port that the journal does not know counts as attached. */
function collect({ entries, ports }: ReapInput): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const { containerId, ifname, pod } of ports) {
    const key = { containerId, ifname };
    found.set(formatKey(key), { key, uid: pod.uid, state: 'attached' });
  }
  for (const { containerId, ifname, pod, state } of entries) {
    const key = { containerId, ifname };
    found.set(formatKey(key), { key, uid: pod.uid, state });
  }
  return found;
}
