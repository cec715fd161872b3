import { closeSync, fstatSync, openSync, statfsSync } from 'node:fs';
import { fromCode } from './errors.ts';
import { enterNetns } from './libc.ts';

/** An open network namespace. `id` is `device:inode` of its nsfs file: equal for equal namespaces while one is open. */
export type Netns = { fd: number; id: string; path: string };

const NSFS_MAGIC = 0x6e736673;
const OWN = '/proc/thread-self/ns/net';

/**
 * Opens a namespace file (`/run/netns/x`, `/proc/<pid>/ns/net`). Throws ENOENT (class not-found) when the file is gone or
 * is no namespace any more, which is what a file under /run/netns becomes after its mount was lifted.
 */
export function openNetns(path: string): Netns {
  const fd = openSync(path, 'r');
  try {
    if (statfsSync(`/proc/self/fd/${fd}`).type !== NSFS_MAGIC) {
      throw fromCode('ENOENT', `${path} is not a network namespace (any more)`);
    }
    return { fd, id: readId(fd), path };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The namespace of the calling thread. */
export function openOwnNetns(): Netns {
  return openNetns(OWN);
}

/** Closes the handle; the namespace lives on while something else holds it. */
export function closeNetns(netns: Netns): void {
  closeSync(netns.fd);
}

/** Throws EHOSTNETNS when `netns` is the namespace of the calling thread: nothing meant for a pod may touch the host. */
export function refuseOwnNetns(netns: Netns): void {
  const own = openOwnNetns();
  closeNetns(own);
  if (own.id === netns.id)
    throw fromCode('EHOSTNETNS', `${netns.path} is the host's own network namespace`, 'terminal');
}

/**
 * Runs `action` in the namespace and comes back. It must be synchronous to its end: a promise would go on in the wrong
 * namespace. Aborts the process when the way back fails, as every later step would act on a stranger's network.
 */
export function withNetns<T>(netns: Netns, action: () => T): T {
  const own = openOwnNetns();
  try {
    enterNetns(netns.fd);
    try {
      return action();
    } finally {
      leave(own);
    }
  } finally {
    closeNetns(own);
  }
}

function leave(own: Netns): void {
  try {
    enterNetns(own.fd);
  } catch (error) {
    process.stderr.write(`cannot return to the host's network namespace: ${String(error)}\n`);
    process.abort();
  }
}

function readId(fd: number): string {
  const stat = fstatSync(fd, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}
