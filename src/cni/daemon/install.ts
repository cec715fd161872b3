import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from './journal.ts';

/** The file that makes the runtime use us, and the node Ready. containerd 1.6 refuses results of 1.1.0. */
export const CONFLIST_NAME = '10-mooring.conflist';

export function formatConflist(): string {
  return `${JSON.stringify({ cniVersion: '1.0.0', name: 'mooring', plugins: [{ type: 'mooring' }] }, undefined, 2)}\n`;
}

export type InstallOptions = {
  /** The shim as the image brings it. */
  readonly shim: string;
  readonly binDir: string;
  readonly confDir: string;
  /** What configurations may call the plugin; `mooring` alone when absent. */
  readonly names?: readonly string[];
};

/**
 * Puts the shim into place under each name where it differs; by rename, as a runtime may be executing the old one. Says
 * whether one did.
 */
export async function installShim({ shim, binDir, names = ['mooring'] }: InstallOptions): Promise<boolean> {
  const wanted = await readFile(shim);
  const changed = await Promise.all(names.map((name) => ensureFile(join(binDir, name), wanted, 0o755)));
  return changed.includes(true);
}

/** Writes the conflist if it differs. */
export async function installConflist({ confDir }: InstallOptions): Promise<boolean> {
  return ensureFile(join(confDir, CONFLIST_NAME), Buffer.from(formatConflist()), 0o644);
}

/** Takes the conflist away that was written while we made the pods' first interfaces. */
export async function removeConflist({ confDir }: InstallOptions): Promise<void> {
  await rm(join(confDir, CONFLIST_NAME), { force: true });
}

async function ensureFile(path: string, wanted: Buffer, mode: number): Promise<boolean> {
  await mkdir(join(path, '..'), { recursive: true });
  const present = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (present?.equals(wanted) === true) return false;
  await writeWhole(path, wanted, mode);
  return true;
}
