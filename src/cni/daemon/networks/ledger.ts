import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatDigest } from '../../../api/names.ts';
import type { Logger } from '../../../kube/index.ts';
import { formatKey, writeWhole } from '../journal.ts';
import type { AttachmentKey } from '../request.ts';

/**
 * Form of an entry on disk. A later version of the agent must go on reading every form that an earlier one wrote, as
 * the entries outlive the program; add a number and a reading for it, never change the meaning of one.
 */
export const LEDGER_VERSION = 1;

const jsonSchema = z.record(z.string(), z.unknown());

const recordSchema = z.object({
  version: z.literal(1),
  containerId: z.string(),
  ifname: z.string(),
  state: z.enum(['attaching', 'attached', 'detaching']),
  /** The pod's first interface: all other entries of the sandbox go with it. */
  first: z.boolean(),
  /** As network-status names it: `namespace/name` of a NAD, or the cluster's own network. */
  network: z.string(),
  /** Name of the CNI network that the first interface belongs to; GC is per network. */
  cniName: z.string(),
  /** `namespace/name`. */
  nad: z.string().optional(),
  netns: z.string(),
  /** Device and inode of the namespace: a path may be taken by another pod's. */
  netnsId: z.string(),
  pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  cniArgs: z.string(),
  /** Each plugin with the whole configuration that it was called with; none when somebody else made the interface. */
  plugins: z.array(jsonSchema),
  /** What the last plugin answered; absent until it has. */
  result: jsonSchema.optional(),
  /** It has drawn the pod's default route to itself. */
  wayOut: z.literal(true).optional(),
  /** Place in the pod's list of networks when it was attached. */
  order: z.number(),
});

/** What the node remembers of one interface that it attached for a pod, enough to take it back without the API. */
export type LedgerEntry = z.infer<typeof recordSchema>;

/** One file per attachment with mode 0600, as a NAD's configuration may hold a secret; read once, kept in memory. */
export type Ledger = {
  /** Reads the folder; what cannot be understood goes to `quarantine/` and is logged. */
  load(): Promise<void>;
  list(): readonly LedgerEntry[];
  /** All of one sandbox, in the order in which they were to be attached. */
  listSandbox(containerId: string): readonly LedgerEntry[];
  find(key: AttachmentKey): LedgerEntry | undefined;
  put(entry: LedgerEntry): Promise<void>;
  delete(key: AttachmentKey): Promise<void>;
};

export function createLedger(folder: string, log: Logger): Ledger {
  const entries = new Map<string, LedgerEntry>();
  const files = join(folder, 'networks');
  const pathOf = (key: AttachmentKey) => join(files, `${formatDigest(formatKey(key))}.json`);
  return {
    load: async () => {
      await mkdir(files, { recursive: true, mode: 0o700 });
      for (const name of await readdir(files)) {
        const path = join(files, name);
        const entry = name.endsWith('.json') ? parseRecord(await readFile(path, 'utf8')) : undefined;
        if (entry !== undefined && pathOf(entry) === path) entries.set(formatKey(entry), entry);
        else if (name.endsWith('.json')) await quarantine(folder, name, log);
        else await rm(path, { force: true });
      }
    },
    list: () => [...entries.values()],
    listSandbox: (containerId) =>
      [...entries.values()].filter((entry) => entry.containerId === containerId).sort((a, b) => a.order - b.order),
    find: (key) => entries.get(formatKey(key)),
    put: async (entry) => {
      await mkdir(files, { recursive: true, mode: 0o700 });
      await writeWhole(pathOf(entry), formatRecord(entry));
      entries.set(formatKey(entry), entry);
    },
    delete: async (key) => {
      await rm(pathOf(key), { force: true });
      entries.delete(formatKey(key));
    },
  };
}

/** One line: a digest and the entry, so that a file cut or changed anywhere is known to be broken. */
export function formatRecord(entry: LedgerEntry): string {
  const text = JSON.stringify(entry);
  return `${formatDigest(text)} ${text}\n`;
}

/** The inverse of formatRecord; undefined when the text is not what was written. */
export function parseRecord(text: string): LedgerEntry | undefined {
  const [, digest, body = ''] = /^([0-9a-f]{16}) (.*)\n$/s.exec(text) ?? [];
  if (digest === undefined || formatDigest(body) !== digest) return undefined;
  return recordSchema.safeParse(JSON.parse(body)).data;
}

async function quarantine(folder: string, name: string, log: Logger): Promise<void> {
  const place = join(folder, 'quarantine');
  await mkdir(place, { recursive: true, mode: 0o700 });
  await rename(join(folder, 'networks', name), join(place, `networks-${name}`));
  log.warn({ file: name }, 'the record of an attached network was unreadable and is in quarantine now');
}
