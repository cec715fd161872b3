import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from '../command.ts';

/** A blob of an OCI store (image-spec, descriptor.md). Layers are plain tars, so digest and diff id are one. */
export type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

/** The part of an image's configuration that the lab sets (image-spec, config.md). */
export type ImageConfig = {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
};

export type Image = {
  /** Full name: `lab.local/busybox:1`. */
  readonly name: string;
  readonly manifest: Descriptor;
  /** Digests of all its blobs, manifest included. */
  readonly blobs: readonly string[];
};

const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Path of a blob relative to the store: `blobs/sha256/<hex>`. */
export function formatBlobPath(digest: string): string {
  return join('blobs', digest.replace(':', '/'));
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha256:${hash.digest('hex')}`;
}

/** Moves a tar into the store and describes it as a layer. */
export async function addLayer(store: string, tar: string): Promise<Descriptor> {
  const digest = await digestFile(tar);
  const size = statSync(tar).size;
  mkdirSync(join(store, 'blobs/sha256'), { recursive: true });
  renameSync(tar, join(store, formatBlobPath(digest)));
  return { mediaType: LAYER, digest, size };
}

function addJson(store: string, mediaType: string, value: unknown): Descriptor {
  const text = JSON.stringify(value);
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const path = join(store, formatBlobPath(digest));
  mkdirSync(join(path, '..'), { recursive: true });
  if (!existsSync(path)) {
    writeFileSync(`${path}.new-${process.pid}`, text);
    renameSync(`${path}.new-${process.pid}`, path);
  }
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

/** Writes configuration and manifest of an image made of `layers`; the same input gives the same digest. */
export function addImage(
  store: string,
  image: { readonly name: string; readonly layers: readonly Descriptor[]; readonly config: ImageConfig },
): Image {
  const config = addJson(store, CONFIG, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.digest) },
  });
  const manifest = addJson(store, MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers: image.layers });
  const blobs = [manifest, config, ...image.layers].map((blob) => blob.digest);
  return { name: image.name, manifest, blobs };
}

/** The index of an archive (image-spec, image-layout.md); containerd takes the names from the annotation. */
export function formatIndex(images: readonly Image[]): string {
  const manifests = images.map((image) => ({
    ...image.manifest,
    annotations: { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': image.name },
  }));
  return JSON.stringify({ schemaVersion: 2, manifests });
}

/** Packs a directory tree the same way every time: order, owners and times are fixed. */
export async function packTree(dir: string, tar: string): Promise<void> {
  const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  await runCommand(['tar', ...fixed, '-C', dir, '-cf', tar, '.']);
}

/** Writes an OCI archive with `images`, leaving out the blobs of `known`, which the reader has. */
export async function writeArchive(
  store: string,
  images: readonly Image[],
  archive: { readonly path: string; readonly known: ReadonlySet<string> },
): Promise<void> {
  const stage = `${archive.path}.d`;
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  writeFileSync(join(stage, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(stage, 'index.json'), formatIndex(images));
  const blobs = new Set(images.flatMap((image) => image.blobs).filter((digest) => !archive.known.has(digest)));
  const paths = [...blobs].map(formatBlobPath);
  await runCommand(['tar', '-cf', archive.path, '-C', stage, 'oci-layout', 'index.json', '-C', store, ...paths]);
  rmSync(stage, { recursive: true, force: true });
}

/** The layer for `key`, made by `build` (which writes the tar it is given) when the store has none. */
export async function ensureLayer(
  store: string,
  key: string,
  build: (tar: string) => Promise<void>,
): Promise<Descriptor> {
  const note = join(store, 'layers', `${key}.json`);
  if (existsSync(note)) {
    const known = JSON.parse(readFileSync(note, 'utf8')) as Descriptor;
    if (existsSync(join(store, formatBlobPath(known.digest)))) return known;
  }
  mkdirSync(join(store, 'layers'), { recursive: true });
  const tar = join(store, `${key}.tar.new-${process.pid}`);
  try {
    await build(tar);
    const layer = await addLayer(store, tar);
    writeFileSync(note, JSON.stringify(layer));
    return layer;
  } finally {
    rmSync(tar, { force: true });
  }
}

/** Deletes blobs that no kept layer and none of `images` needs and that were written before `before` (ms since 1970). */
export function pruneStore(store: string, images: readonly Image[], before: number): void {
  const notes = join(store, 'layers');
  const kept = existsSync(notes)
    ? readdirSync(notes).map((file) => (JSON.parse(readFileSync(join(notes, file), 'utf8')) as Descriptor).digest)
    : [];
  const needed = new Set([...kept, ...images.flatMap((image) => image.blobs)]);
  const blobs = join(store, 'blobs/sha256');
  for (const hex of existsSync(blobs) ? readdirSync(blobs) : []) {
    const old = statSync(join(blobs, hex)).mtimeMs < before;
    if (old && !needed.has(`sha256:${hex}`)) rmSync(join(blobs, hex), { force: true });
  }
}
