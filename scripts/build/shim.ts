import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Compiles the CNI shim to `<dist>/bin/mooring-cni` by its own Makefile; the file appears in one step. */
export function buildShim(root: string, dist: string): void {
  const source = join(root, 'src/cni/shim');
  if (!existsSync(join(source, 'Makefile'))) return;
  const target = join(dist, 'bin/mooring-cni');
  const fresh = `${target}.new-${process.pid}`;
  mkdirSync(join(dist, 'bin'), { recursive: true });
  try {
    execFileSync('make', ['-s', '-C', source, `OUT=${fresh}`], { stdio: 'inherit' });
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { force: true });
  }
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '../..');
  buildShim(root, join(root, 'dist'));
}
