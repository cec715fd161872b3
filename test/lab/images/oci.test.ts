import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import {
  addImage,
  addLayer,
  ensureLayer,
  formatBlobPath,
  formatIndex,
  packTree,
  pruneStore,
  writeArchive,
} from './oci.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-oci-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function createLayer(content: string, time: number) {
  const tree = join(dir, 'tree');
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, 'file'), content);
  utimesSync(join(tree, 'file'), time, time);
  const tar = join(dir, 'layer.tar');
  await packTree(tree, tar);
  return addLayer(join(dir, 'store'), tar);
}

describe('layers', () => {
  it('have the same digest for the same content, whenever it was written', async () => {
    expect(await createLayer('a', 1000)).toEqual(await createLayer('a', 2000));
  });
  it('have another digest for other content', async () => {
    expect((await createLayer('a', 1)).digest).not.toBe((await createLayer('b', 1)).digest);
  });
  it('are made once per key', async () => {
    let made = 0;
    const build = async (tar: string) => {
      made++;
      writeFileSync(tar, 'content');
    };
    const first = await ensureLayer(dir, 'k', build);
    expect(await ensureLayer(dir, 'k', build)).toEqual(first);
    expect(made).toBe(1);
  });
  it('are made again when their blob was deleted', async () => {
    const build = async (tar: string) => writeFileSync(tar, 'content');
    const first = await ensureLayer(dir, 'k', build);
    rmSync(join(dir, formatBlobPath(first.digest)));
    await ensureLayer(dir, 'k', build);
    expect(existsSync(join(dir, formatBlobPath(first.digest)))).toBe(true);
  });
  it('leave nothing behind when making them fails', async () => {
    const failing = ensureLayer(dir, 'k', async (tar) => {
      writeFileSync(tar, 'half');
      throw new Error('no mirror');
    });
    await expect(failing).rejects.toThrow('no mirror');
    expect(existsSync(join(dir, 'layers/k.json'))).toBe(false);
    expect((await runCommand(['find', dir, '-name', '*.tar*'])).trim()).toBe('');
  });
});

describe('images', () => {
  it('refer to configuration and layers that are in the store', async () => {
    const store = join(dir, 'store');
    const image = addImage(store, { name: 'x/y:1', layers: [await createLayer('a', 1)], config: { Cmd: ['/a'] } });
    const manifest = JSON.parse(readFileSync(join(store, formatBlobPath(image.manifest.digest)), 'utf8'));
    const config = JSON.parse(readFileSync(join(store, formatBlobPath(manifest.config.digest)), 'utf8'));
    expect(config.rootfs.diff_ids).toEqual([manifest.layers[0].digest]);
    expect(config.config).toEqual({ Cmd: ['/a'] });
    expect(image.blobs).toEqual([image.manifest.digest, manifest.config.digest, manifest.layers[0].digest]);
  });
  it('are named in the index', () => {
    const manifest = { mediaType: 'm', digest: 'sha256:a', size: 1 };
    const index = JSON.parse(formatIndex([{ name: 'x/y:1', manifest, blobs: [] }]));
    expect(index.manifests[0]).toMatchObject({
      digest: 'sha256:a',
      annotations: { 'io.containerd.image.name': 'x/y:1' },
    });
  });
  it('are archived without the blobs that the reader has', async () => {
    const store = join(dir, 'store');
    const layer = await createLayer('a', 1);
    const image = addImage(store, { name: 'x/y:1', layers: [layer], config: {} });
    const path = join(dir, 'out.tar');
    await writeArchive(store, [image], { path, known: new Set([layer.digest]) });
    const names = (await runCommand(['tar', '-tf', path])).trim().split('\n');
    const blobs = image.blobs.filter((digest) => digest !== layer.digest).map(formatBlobPath);
    expect(names.toSorted()).toEqual(['index.json', 'oci-layout', ...blobs].toSorted());
  });
});

describe('pruneStore', () => {
  const soon = () => Date.now() + 60_000;

  it('deletes what nothing needs, and only that', async () => {
    const store = join(dir, 'store');
    const kept = await ensureLayer(store, 'k', async (tar) => writeFileSync(tar, 'kept'));
    const used = await createLayer('used', 1);
    const unused = await createLayer('unused', 1);
    const image = addImage(store, { name: 'x/y:1', layers: [used], config: {} });
    pruneStore(store, [image], soon());
    const left = [kept, used, image.manifest, unused].map((blob) =>
      existsSync(join(store, formatBlobPath(blob.digest))),
    );
    expect(left).toEqual([true, true, true, false]);
  });
  it('leaves young blobs, which another checkout may be using', async () => {
    const young = await createLayer('a', 1);
    const path = join(dir, 'store', formatBlobPath(young.digest));
    utimesSync(path, Date.now() / 1000, Date.now() / 1000);
    pruneStore(join(dir, 'store'), [], Date.now() - 60_000);
    expect(existsSync(path)).toBe(true);
  });
  it('has nothing to do in an empty store', () => {
    expect(() => pruneStore(join(dir, 'none'), [], soon())).not.toThrow();
  });
});
