import type { LedgerEntry } from './ledger.ts';

export type SandboxInput = {
  readonly entries: readonly LedgerEntry[];
  /** UIDs of the pods of this node as runtimes name them; undefined until the API has been read. */
  readonly podUids: ReadonlySet<string> | undefined;
  /** The namespace of the ADD is still there. */
  readonly hasNetns: (entry: LedgerEntry) => boolean;
  readonly isBusy: (containerId: string) => boolean;
  /** Sandboxes that the round before suspected. */
  readonly suspects: ReadonlySet<string>;
};

export type SandboxPlan = {
  /** Sandboxes of which everything has to go. */
  readonly remove: readonly string[];
  /** Single interfaces of a living sandbox that were cut off half-way. */
  readonly repair: readonly LedgerEntry[];
  readonly suspects: ReadonlySet<string>;
};

/**
 * What has to go without a DEL. At once: a sandbox whose first interface was never finished or is being taken back, and
 * single interfaces in that state. After two rounds in a row: a sandbox whose namespace or pod is gone. What a call works
 * on is left to it.
 */
export function planSandboxes(input: SandboxInput): SandboxPlan {
  const remove: string[] = [];
  const repair: LedgerEntry[] = [];
  const suspects = new Set<string>();
  for (const [containerId, entries] of group(input.entries)) {
    if (input.isBusy(containerId)) continue;
    const first = entries.find((entry) => entry.first);
    const isOrphan = entries.some((entry) => !input.hasNetns(entry) || input.podUids?.has(entry.pod.uid) === false);
    const isBroken = first !== undefined && first.state !== 'attached';
    if (isBroken || (isOrphan && input.suspects.has(containerId))) remove.push(containerId);
    else if (isOrphan) suspects.add(containerId);
    else repair.push(...entries.filter(({ state }) => state !== 'attached'));
  }
  return { remove, repair, suspects };
}

function group(entries: readonly LedgerEntry[]): ReadonlyMap<string, LedgerEntry[]> {
  const found = new Map<string, LedgerEntry[]>();
  for (const entry of entries) found.set(entry.containerId, [...(found.get(entry.containerId) ?? []), entry]);
  return found;
}
