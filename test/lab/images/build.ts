import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, type Progress } from '../progress.ts';
import { addImage, addLayer, type Descriptor, ensureLayer, type Image, packTree, pruneStore } from './oci.ts';
import type { ImageRecipe, LayerRecipe } from './recipes.ts';

async function makeTar(layer: LayerRecipe, tar: string): Promise<void> {
  if ('tar' in layer.make) return layer.make.tar(tar);
  const dir = `${tar}.d`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    await layer.make.fill(dir);
    await packTree(dir, tar);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function makeLayer(store: string, layer: LayerRecipe, progress: Progress): Promise<Descriptor> {
  if (layer.key === undefined) {
    const tar = join(store, `${layer.title.replaceAll(' ', '-')}.tar.new-${process.pid}`);
    await makeTar(layer, tar);
    return addLayer(store, tar);
  }
  return ensureLayer(store, layer.key, (tar) => {
    progress.say(`making image layer ${layer.title}`);
    return makeTar(layer, tar);
  });
}

/** Images, and the digests of those of their layers that are kept: the ones that code changes do not touch. */
export type BuiltImages = { readonly all: readonly Image[]; readonly layers: readonly string[] };

/** Makes every image that `recipes` describe, in the OCI store `store`; layers that are there already cost nothing. */
export async function buildImages(
  store: string,
  recipes: readonly ImageRecipe[],
  progress: Progress,
): Promise<BuiltImages> {
  mkdirSync(store, { recursive: true });
  const all: Image[] = [];
  const kept: string[] = [];
  for (const recipe of recipes) {
    try {
      const layers: Descriptor[] = [];
      for (const layer of recipe.layers) layers.push(await makeLayer(store, layer, progress));
      kept.push(...layers.filter((_, index) => recipe.layers[index]?.key !== undefined).map((layer) => layer.digest));
      all.push(addImage(store, { name: recipe.name, layers, config: recipe.config }));
    } catch (error) {
      throw new LabError(`image ${recipe.name}`, error instanceof Error ? error.message : String(error));
    }
  }
  pruneStore(store, all, Date.now() - 86_400_000);
  return { all, layers: kept };
}
