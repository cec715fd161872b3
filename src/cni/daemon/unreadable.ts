import { mkdir, open, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from '../../kube/index.ts';

/** Where files that cannot be read are put, in the folder of the agent's state. */
export const ASIDE_FOLDER = 'quarantine';

/**
 * The whole of a small file. Throws for what is larger than `max` bytes or no file, before any of it is in memory, and
 * the system's error.
 */
export async function readSmall(path: string, max: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > max) throw new Error(`it has ${size} bytes, more than ${max}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

const PASSING: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'];

/** A want of the system's that says nothing of the file: it is read another time. */
export const isPassing = (error: unknown): boolean => PASSING.includes((error as NodeJS.ErrnoException)?.code);

/** `kind` says whose file it was. */
export type Unreadable = { readonly kind: 'attachments' | 'spool'; readonly path: string; readonly why: unknown };

/**
 * Puts a file of ours that cannot be read aside as `<kind>-<name>.bad`, for a person to look at. Never throws: where the
 * disk takes no change it stays where it is, and the rest is read all the same.
 */
export async function setAside(folder: string, file: Unreadable, log: Logger): Promise<void> {
  const { kind, path, why } = file;
  const to = join(folder, `${kind}-${basename(path)}.bad`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(path, to);
    log.warn({ err: why, file: path, to }, 'a file of ours cannot be read; it is put aside');
  } catch (error) {
    log.warn(
      { err: error, why: String(why), file: path },
      'a file of ours cannot be read, and not be put aside either',
    );
  }
}
