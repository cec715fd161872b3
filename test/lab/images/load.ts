import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import { LabError } from '../progress.ts';
import type { LabNode, LabState } from '../state.ts';
import { type Image, writeArchive } from './oci.ts';

/** Runs containerd's client in the namespace of Kubernetes' images. */
export function ctr(socket: string, ...args: readonly string[]): Promise<string> {
  return runCommand(['ctr', '-a', socket, '-n', 'k8s.io', ...args], { timeoutMs: 300_000 });
}

/** Names and manifest digests out of `ctr images ls`: columns REF, TYPE, DIGEST, ... */
export function parseImageList(text: string): Map<string, string> {
  const rows = text.split('\n').slice(1);
  return new Map(
    rows.flatMap((row): [string, string][] => {
      const [name, , digest] = row.split(/\s+/);
      return name === undefined || name === '' || digest === undefined ? [] : [[name, digest]];
    }),
  );
}

/** Images that a node has under another digest or not at all. Names are compared as containerd writes them. */
export function listStale(images: readonly Image[], loaded: ReadonlyMap<string, string>): Image[] {
  return images.filter((image) => loaded.get(formatFullName(image.name)) !== image.manifest.digest);
}

/** containerd's full form of a name: one whose first part is no host belongs to docker.io, as with `docker pull`. */
export function formatFullName(name: string): string {
  const [first = ''] = name.split('/');
  return /[.:]/.test(first) || first === 'localhost' ? name : `docker.io/${name}`;
}

/** Brings `images` into every node's containerd. Only what differs is sent. Returns the names that changed somewhere. */
export async function loadImages(
  lab: LabState,
  nodes: readonly LabNode[],
  images: readonly Image[],
  store: string,
): Promise<string[]> {
  const plans = await Promise.all(
    nodes.map(async (node) => {
      const stale = listStale(images, parseImageList(await ctr(node.containerdSocket, 'images', 'ls')));
      const known =
        stale.length === 0 ? [] : (await ctr(node.containerdSocket, 'content', 'ls', '-q')).split('\n').filter(Boolean);
      return { node, stale, known: new Set(known) };
    }),
  );
  const changed = new Set(plans.flatMap((plan) => plan.stale));
  if (changed.size === 0) return [];
  const known = plans.map((plan) => plan.known).reduce((all, some) => all.intersection(some));
  const named = [...changed].map((image) => ({ ...image, name: formatFullName(image.name) }));
  const path = join(lab.dir, 'images.tar');
  mkdirSync(lab.dir, { recursive: true });
  await writeArchive(store, named, { path, known });
  await Promise.all(plans.filter((plan) => plan.stale.length > 0).map((plan) => importArchive(plan.node, path)));
  rmSync(path, { force: true });
  return named.map((image) => image.name);
}

async function importArchive(node: LabNode, path: string): Promise<void> {
  try {
    await ctr(node.containerdSocket, 'images', 'import', path);
  } catch (error) {
    const log = join(node.dir, '../../log', `containerd-${node.name}.log`);
    throw new LabError(node.name, `images cannot be loaded: ${String(error)}`, { log });
  }
}
