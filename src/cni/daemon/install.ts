import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { doEach } from './each.ts';
import { writeWhole } from './journal.ts';

/** The file that makes the runtime use us, and the node Ready. containerd 1.6 refuses results of 1.1.0. */
export const CONFLIST_NAME = '10-mooring.conflist';

/** Name of the network in that file. */
export const CLUSTER_NETWORK = 'mooring';

/** The reference plugin that serves `hostPort`; it costs a process for each ADD and DEL, of every pod. */
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };

export function formatConflist(withHostPorts = false): string {
  const plugins = [{ type: 'mooring' }, ...(withHostPorts ? [PORTMAP] : [])];
  return `${JSON.stringify({ cniVersion: '1.0.0', name: CLUSTER_NETWORK, plugins }, undefined, 2)}\n`;
}

export type InstallOptions = {
  /** The shim as the image brings it. */
  readonly shim: string;
  readonly binDir: string;
  readonly confDir: string;
  /** What configurations may call the plugin; `mooring` alone when absent. */
  readonly names?: readonly string[];
  /** Whether the plugin portmap is to come after ours, where it is there. */
  readonly hostPorts?: boolean;
  /** Whether all of this goes when the agent is told to end. */
  readonly removeAtEnd?: boolean;
};

/** Why pods' `hostPort` does nothing on this node, with the way out; undefined when it works. */
export async function findHostPortObstacle(options: Pick<InstallOptions, 'binDir' | 'hostPorts'>) {
  const { binDir, hostPorts } = options;
  if (hostPorts !== true) return `set the chart value agent.hostPorts, with the plugin portmap in ${binDir}`;
  const isThere = await access(join(binDir, PORTMAP.type)).then(
    () => true,
    () => false,
  );
  return isThere ? undefined : `the plugin portmap is not in ${binDir} of this node`;
}

/**
 * Puts the shim into place under each name where it differs; by rename, as a runtime may be executing the old one. Says
 * whether one did.
 */
export async function installShim({ shim, binDir, names = ['mooring'] }: InstallOptions): Promise<boolean> {
  const wanted = await readFile(shim);
  const changed = await Promise.all(names.map((name) => ensureFile(join(binDir, name), wanted, 0o755)));
  return changed.includes(true);
}

/** Writes the conflist if it differs. It names no plugin that is not there: no pod could start then. */
export async function installConflist(options: InstallOptions): Promise<boolean> {
  const text = formatConflist((await findHostPortObstacle(options)) === undefined);
  return ensureFile(join(options.confDir, CONFLIST_NAME), Buffer.from(text), 0o644);
}

/** Takes the conflist away that was written while we made the pods' first interfaces. */
export async function removeConflist({ confDir }: InstallOptions): Promise<void> {
  await rm(join(confDir, CONFLIST_NAME), { force: true });
}

/** Takes away what was installed: the conflist first, and each shim that is still ours and not another plugin's of its name. */
export async function uninstall(options: InstallOptions): Promise<void> {
  const { shim, binDir, names = ['mooring'] } = options;
  await removeConflist(options);
  const own = await readFile(shim);
  await doEach(names, async (name) => {
    const path = join(binDir, name);
    if ((await readIfThere(path))?.equals(own) === true) await rm(path, { force: true });
  });
}

function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function ensureFile(path: string, wanted: Buffer, mode: number): Promise<boolean> {
  await mkdir(join(path, '..'), { recursive: true });
  if ((await readIfThere(path))?.equals(wanted) === true) return false;
  await writeWhole(path, wanted, mode);
  return true;
}
