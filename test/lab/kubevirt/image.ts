import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, 'launcher/launcher.c');

/**
 * Fills the root file system of the launcher image: static programs that answer to the commands of a rendered
 * launcher (`/usr/bin/virt-launcher-monitor …`, `/usr/bin/virt-tail …`). Needs gcc.
 */
export async function fillLauncher(rootfs: string): Promise<void> {
  const bin = join(rootfs, 'usr/bin');
  await mkdir(bin, { recursive: true });
  const monitor = join(bin, 'virt-launcher-monitor');
  await run('gcc', ['-static', '-Os', '-Wall', '-Wextra', '-Werror', '-s', '-o', monitor, SOURCE]);
  await copyFile(monitor, join(bin, 'virt-tail'));
  await Promise.all(['virt-launcher-monitor', 'virt-tail'].map((name) => chmod(join(bin, name), 0o755)));
}
