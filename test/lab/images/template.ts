import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, tryCommand, waitFor } from '../command.ts';
import { formatContainerd } from '../config.ts';
import { isAlive, type ProcessRecord, startProcess, stopProcess } from '../process.ts';
import { LabError, type Progress } from '../progress.ts';
import type { LabState } from '../state.ts';
import { ctr, formatFullName } from './load.ts';
import { type Image, writeArchive } from './oci.ts';

const NAME = 'containerd-template';

/** The template's name: what containerd keeps depends on the layers and on its own version. */
export function deriveTemplateKey(version: string, layers: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([version, layers]))
    .digest('hex')
    .slice(0, 16);
}

/**
 * A directory with containerd's content of all images, made once by a containerd of its own. Nodes start from copies of
 * it, which costs a second, where importing the images into three nodes takes fifteen. `layers` are the layers that
 * seldom change; the others are imported over the copy.
 */
export async function ensureTemplate(
  lab: LabState,
  images: { readonly all: readonly Image[]; readonly layers: readonly string[]; readonly store: string },
  progress: Progress,
): Promise<string> {
  const version = (await runCommand(['containerd', '--version'])).trim();
  const parent = join(lab.cache, 'containerd');
  const template = join(parent, deriveTemplateKey(version, images.layers));
  if (existsSync(template)) return template;
  progress.say("making the nodes' image store");
  const root = `${template}.new`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  await fill(lab, root, images);
  for (const old of readdirSync(parent)) if (join(parent, old) !== root) remove(join(parent, old));
  renameSync(root, template);
  return template;
}

const remove = (path: string) => rmSync(path, { recursive: true, force: true });

async function fill(
  lab: LabState,
  root: string,
  images: { readonly all: readonly Image[]; readonly store: string },
): Promise<void> {
  const work = join(lab.dir, 'template');
  mkdirSync(work, { recursive: true });
  const config = join(work, 'containerd.toml');
  const archive = join(work, 'images.tar');
  const socket = join(work, 'containerd.sock');
  writeFileSync(config, formatContainerd());
  const places = ['--root', root, '--state', join(work, 'state'), '--address', socket];
  // A mount namespace of its own, so that no mount of an interrupted run is left.
  const argv = ['unshare', '--mount', '--', 'containerd', '--log-level', 'warn', '-c', config, ...places];
  const record = await startProcess(lab, { name: NAME, argv });
  const named = images.all.map((image) => ({ ...image, name: formatFullName(image.name) }));
  await writeArchive(images.store, named, { path: archive, known: new Set() });
  await waitForContainerd(record, socket);
  await ctr(socket, 'images', 'import', archive);
  await stopProcess(lab, NAME, 10_000);
  remove(work);
}

/** Awaits the answer of a containerd that was just started; throws LabError with its log when it ends or stays silent. */
export async function waitForContainerd(record: ProcessRecord, socket: string): Promise<void> {
  const answer = await waitFor(async () => {
    if (!isAlive(record)) return 'ended';
    const result = await tryCommand(['ctr', '-a', socket, 'version'], { timeoutMs: 5000 });
    return result.code === 0 ? 'answers' : undefined;
  }, 30_000);
  if (answer === 'answers') return;
  throw new LabError(record.name, answer ?? 'does not answer', { log: record.log });
}

/**
 * Copies the template into a node's containerd directory, which may be mounted already. Files are hard links, as containerd never changes one in place,
 * except its databases, which are copied; on another file system everything is.
 */
export async function copyTemplate(template: string, target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  const linked = await tryCommand(['cp', '-al', `${template}/.`, target]);
  if (linked.code !== 0) await runCommand(['cp', '-a', '--remove-destination', `${template}/.`, target]);
  for (const file of globSync('**/*.db', { cwd: target })) {
    const from = join(template, file);
    await runCommand(['cp', '-a', '--remove-destination', from, join(target, file)]);
  }
}
