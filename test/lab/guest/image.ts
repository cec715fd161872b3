import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CpioEntry, formatCpio } from './cpio.ts';

const run = promisify(execFile);
const SOURCES = join(import.meta.dirname, 'rootfs');
const BUSYBOX = '/bin/busybox';
const KERNEL_PACKAGE = 'linux-image-cloud-amd64';

/** Paths of what QEMU boots: kernel, initial RAM file system, and the kernel's release. */
export type GuestImage = { kernel: string; initrd: string; release: string };

/** Kernel modules in the order in which they are inserted; the last two make the ACPI power button work. */
export const MODULES = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci',
  'net/core/failover',
  'drivers/net/net_failover',
  'drivers/net/virtio_net',
  'drivers/input/evdev',
  'drivers/acpi/button',
] as const;

/** Those that a disk with cloud-init's data needs, inserted only where there is one. */
export const SEED_MODULES = ['drivers/block/virtio_blk', 'drivers/cdrom/cdrom', 'fs/isofs/isofs'] as const;

/**
 * Kernel (Debian's cloud kernel, unpacked and not installed) and initramfs of the lab's guests, built once and kept
 * in `cacheDir`. Needs apt's package lists, dpkg-deb, gcc and busybox-static.
 */
export async function ensureGuestImage(cacheDir: string): Promise<GuestImage> {
  const base = join(cacheDir, 'guest');
  await mkdir(base, { recursive: true });
  const tree = await ensureKernelTree(base);
  const release = await findOnly(join(tree, 'lib/modules'), () => true);
  const initrd = await ensureInitrd(base, join(tree, 'lib/modules', release, 'kernel'));
  return { kernel: join(tree, 'boot', `vmlinuz-${release}`), initrd, release };
}

async function ensureKernelTree(base: string): Promise<string> {
  const tree = join(base, 'kernel');
  if (await exists(tree)) return tree;
  const work = await mkdtemp(join(base, 'work-'));
  const { stdout } = await run('apt-cache', ['depends', KERNEL_PACKAGE]);
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (name === undefined) throw new Error(`apt knows no kernel behind ${KERNEL_PACKAGE}; run apt-get update`);
  await run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', name], { cwd: work });
  await run('dpkg-deb', ['-x', join(work, await findOnly(work, (file) => file.endsWith('.deb'))), join(work, 'tree')]);
  await rename(join(work, 'tree'), tree);
  await rm(work, { recursive: true });
  return tree;
}

async function ensureInitrd(base: string, modules: string): Promise<string> {
  const sources = await readSources();
  const digest = createHash('sha256');
  for (const [name, text] of sources) digest.update(name).update(text);
  digest.update(MODULES.join()).update(SEED_MODULES.join());
  const target = join(base, `initrd-${digest.digest('hex').slice(0, 12)}.cpio`);
  if (await exists(target)) return target;
  const work = await mkdtemp(join(base, 'work-'));
  await writeFile(join(work, 'initrd'), formatCpio(await deriveEntries(work, sources, modules)));
  await rename(join(work, 'initrd'), target);
  await rm(work, { recursive: true });
  return target;
}

async function readSources(): Promise<[string, Buffer][]> {
  const names = (await readdir(SOURCES)).sort();
  return Promise.all(names.map(async (name): Promise<[string, Buffer]> => [name, await readFile(join(SOURCES, name))]));
}

async function deriveEntries(work: string, sources: [string, Buffer][], modules: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [
    'bin',
    'proc',
    'sys',
    'dev',
    'etc',
    'run',
    'tmp',
    'modules',
    'seed',
    'etc/acpi',
    'etc/acpi/PWRF',
  ].map((path) => ({ kind: 'dir', path, mode: 0o755 }));
  const file = (path: string, content: Uint8Array): number =>
    entries.push({ kind: 'file', path, mode: 0o755, content });
  file('bin/busybox', await readFile(BUSYBOX));
  const { stdout } = await run(BUSYBOX, ['--list']);
  for (const applet of stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    entries.push({ kind: 'link', path: `bin/${applet}`, target: 'busybox' });
  }
  for (const [name, content] of sources) {
    if (name.endsWith('.c')) file(`bin/${name === 'echo.c' ? 'echod' : name.slice(0, -2)}`, await compile(work, name));
    else file(name === 'init' ? 'init' : `bin/${name}`, content);
  }
  for (const path of [...MODULES, ...SEED_MODULES]) {
    file(`modules/${nameOf(path)}`, await readFile(join(modules, `${path}.ko`)));
  }
  file('modules/order', Buffer.from(`${MODULES.map(nameOf).join('\n')}\n`));
  file('modules/seed', Buffer.from(`${SEED_MODULES.map(nameOf).join('\n')}\n`));
  file('etc/acpi/PWRF/00000080', Buffer.from('#!/bin/sh\npoweroff -f\n'));
  return entries;
}

async function compile(work: string, source: string): Promise<Buffer> {
  const out = join(work, 'program');
  await run('gcc', ['-static', '-Os', '-Wall', '-Wextra', '-Werror', '-s', '-o', out, join(SOURCES, source)]);
  return readFile(out);
}

function nameOf(path: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)}.ko`;
}

async function findOnly(dir: string, wanted: (name: string) => boolean): Promise<string> {
  const [name] = (await readdir(dir)).filter(wanted);
  if (name === undefined) throw new Error(`nothing usable in ${dir}`);
  return name;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
