import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatDigest } from '../../api/names.ts';
import type { Logger } from '../../kube/index.ts';
import type { AttachmentKey, PodIdentity } from './request.ts';
import { ASIDE_FOLDER, readSmall, setAside } from './unreadable.ts';

/**
 * What the node remembers of one attachment. `wiring`: an ADD was begun; `attached`: it succeeded; `releasing`: a DEL was
 * taken but could not be finished. Truth about ports is OVS; this says what OVS cannot: the netns, and what has no port yet.
 */
export type JournalEntry = AttachmentKey & {
  readonly state: 'wiring' | 'attached' | 'releasing';
  /** Name of the network configuration; GC is per network. */
  readonly network: string;
  readonly netns: string;
  readonly hostInterface: string;
  readonly ifaceId: string;
  readonly pod: PodIdentity;
  /** The gate that was put in and has not been removed. */
  readonly gate: boolean;
  /** Another plugin's interface: we gave it an address and have nothing on the node. Names of ours are empty. */
  readonly ipam?: true | undefined;
  /** The link was made without address, as OVN's DHCP serves the guest behind it. */
  readonly bare?: true | undefined;
};

/** One small file per attachment, read once, kept in memory. Every write is whole or not at all. */
export type Journal = {
  /** Reads the folder. A file that cannot be understood is put aside and logged, never in the way. */
  load(): Promise<void>;
  find(key: AttachmentKey): JournalEntry | undefined;
  list(): readonly JournalEntry[];
  /** Throws the system's error when the disk does not take it. */
  put(entry: JournalEntry): Promise<void>;
  delete(key: AttachmentKey): Promise<void>;
};

/** `containerId/ifname`: neither may hold a slash. */
export function formatKey(key: AttachmentKey): string {
  return `${key.containerId}/${key.ifname}`;
}

export function createJournal(folder: string, log: Logger): Journal {
  const entries = new Map<string, JournalEntry>();
  const files = join(folder, 'attachments');
  return {
    load: async () => {
      await mkdir(files, { recursive: true, mode: 0o700 });
      for (const name of await readdir(files)) {
        const entry = name.endsWith('.json') ? await readEntry(folder, name, log) : undefined;
        if (entry !== undefined) entries.set(formatKey(entry), entry);
        else if (!name.endsWith('.json')) await sweep(join(files, name), log);
      }
    },
    find: (key) => entries.get(formatKey(key)),
    list: () => [...entries.values()],
    put: async (entry) => {
      await writeWhole(join(files, fileName(entry)), formatEntry(entry));
      entries.set(formatKey(entry), entry);
    },
    delete: async (key) => {
      await rm(join(files, fileName(key)), { force: true });
      entries.delete(formatKey(key));
    },
  };
}

function fileName(key: AttachmentKey): string {
  return `${formatDigest(formatKey(key))}.json`;
}

/** One line: the entry and a digest over it, so that a file cut or changed at any byte is known to be broken. */
export function formatEntry(entry: JournalEntry): string {
  const text = JSON.stringify(entry);
  return `${formatDigest(text)} ${text}\n`;
}

const entrySchema = z.object({
  containerId: z.string(),
  ifname: z.string(),
  state: z.enum(['wiring', 'attached', 'releasing']),
  network: z.string(),
  netns: z.string(),
  hostInterface: z.string(),
  ifaceId: z.string(),
  pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  gate: z.boolean(),
  ipam: z.literal(true).optional(),
  bare: z.literal(true).optional(),
});

/** The inverse of formatEntry; undefined when the text is not what was written. */
export function parseEntry(text: string): JournalEntry | undefined {
  const match = /^([0-9a-f]{16}) (.*)\n$/s.exec(text);
  const [, digest, body = ''] = match ?? [];
  if (digest === undefined || formatDigest(body) !== digest) return undefined;
  return entrySchema.safeParse(parseJson(body)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An entry has some hundred bytes. */
const MAX_ENTRY = 64 * 1024;

/** What was unreadable is not lost: OVS still knows the port. */
async function readEntry(folder: string, name: string, log: Logger): Promise<JournalEntry | undefined> {
  const path = join(folder, 'attachments', name);
  let why: unknown = 'it is not what was written';
  try {
    const entry = parseEntry((await readSmall(path, MAX_ENTRY)).toString('utf8'));
    if (entry !== undefined && fileName(entry) === name) return entry;
  } catch (error) {
    why = error;
  }
  await setAside(join(folder, ASIDE_FOLDER), { kind: 'attachments', path, why }, log);
  return undefined;
}

/** What an interrupted write has left. A disk that takes no change keeps it, and harms nobody by that. */
async function sweep(path: string, log: Logger): Promise<void> {
  await rm(path, { force: true }).catch((err: unknown) =>
    log.warn({ err }, 'what a write has left cannot be swept now'),
  );
}

/**
 * Another name first, then rename. Not synced to disk: after a crash of the machine there is no netns and no port left
 * that the journal would have to tell of, and a torn file is recognised.
 */
export async function writeWhole(path: string, text: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(text);
    await file.chmod(mode);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
