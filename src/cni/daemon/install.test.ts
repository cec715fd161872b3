import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  findHostPortObstacle,
  formatConflist,
  installConflist,
  installShim,
  removeConflist,
  uninstall,
} from './install.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'install-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = () => ({ shim: join(folder, 'image-shim'), binDir: join(folder, 'bin'), confDir: join(folder, 'net.d') });

test('the shim is executable, and written once', async () => {
  await writeFile(at().shim, 'one');
  expect(await installShim(at())).toBe(true);
  expect(await installShim(at())).toBe(false);
  expect((await stat(join(folder, 'bin/mooring'))).mode & 0o777).toBe(0o755);
});

test('an older shim is replaced by rename, so that running calls keep theirs', async () => {
  await writeFile(at().shim, 'one');
  await installShim(at());
  const before = await stat(join(folder, 'bin/mooring'));
  await writeFile(at().shim, 'two');
  expect(await installShim(at())).toBe(true);
  const after = await stat(join(folder, 'bin/mooring'));
  expect(after.ino).not.toBe(before.ino);
  expect(await readFile(join(folder, 'bin/mooring'), 'utf8')).toBe('two');
  expect(await readdir(join(folder, 'bin'))).toEqual(['mooring']);
});

test("with Kube-OVN's name the shim is there twice, and each is repaired", async () => {
  const both = { ...at(), names: ['mooring', 'kube-ovn'] };
  await writeFile(both.shim, 'one');
  expect(await installShim(both)).toBe(true);
  expect(await readdir(join(folder, 'bin'))).toEqual(['kube-ovn', 'mooring']);
  await writeFile(join(folder, 'bin/kube-ovn'), 'damaged');
  expect(await installShim(both)).toBe(true);
  expect(await readFile(join(folder, 'bin/kube-ovn'), 'utf8')).toBe('one');
  expect(await installShim(both)).toBe(false);
});

test('a shim that the image lacks is an error', async () => {
  await expect(installShim(at())).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the conflist is one that containerd 1.6 takes, first in order, and repaired when changed', async () => {
  expect(await installConflist(at())).toBe(true);
  const path = join(folder, 'net.d/10-mooring.conflist');
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    cniVersion: '1.0.0',
    name: 'mooring',
    plugins: [{ type: 'mooring' }],
  });
  expect(await installConflist(at())).toBe(false);
  await writeFile(path, '{}');
  expect(await installConflist(at())).toBe(true);
  expect(await readFile(path, 'utf8')).toBe(formatConflist());
});

test('portmap comes after ours only where it was asked for and is there: a plugin that is missing would keep every pod', async () => {
  const types = async () => {
    await installConflist({ ...at(), hostPorts: true });
    const { plugins } = JSON.parse(await readFile(join(folder, 'net.d/10-mooring.conflist'), 'utf8'));
    return (plugins as { type: string }[]).map(({ type }) => type);
  };
  expect(await findHostPortObstacle(at())).toContain('agent.hostPorts');
  expect(await types()).toEqual(['mooring']);
  expect(await findHostPortObstacle({ ...at(), hostPorts: true })).toContain('is not in');
  await mkdir(at().binDir);
  await writeFile(join(at().binDir, 'portmap'), '');
  expect(await types()).toEqual(['mooring', 'portmap']);
  expect(await findHostPortObstacle({ ...at(), hostPorts: true })).toBeUndefined();
  expect(JSON.parse(formatConflist(true)).plugins[1].capabilities).toEqual({ portMappings: true });
  await installConflist(at());
  expect(await readFile(join(folder, 'net.d/10-mooring.conflist'), 'utf8')).toBe(formatConflist());
});

test('the conflist goes when another plugin becomes the first, and an absent one is no error', async () => {
  await installConflist(at());
  await removeConflist(at());
  expect(await readdir(join(folder, 'net.d'))).toEqual([]);
  await removeConflist(at());
});

test('an uninstall takes all of ours away, and nothing of others', async () => {
  const both = { ...at(), names: ['mooring', 'kube-ovn'] };
  await writeFile(both.shim, 'one');
  await installShim(both);
  await installConflist(both);
  await writeFile(join(both.confDir, '20-other.conflist'), '{}');
  await writeFile(join(both.binDir, 'kube-ovn'), 'the plugin of Kube-OVN itself');
  await uninstall(both);
  expect(await readdir(both.binDir)).toEqual(['kube-ovn']);
  expect(await readdir(both.confDir)).toEqual(['20-other.conflist']);
  await uninstall(both);
});
