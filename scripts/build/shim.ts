import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The compiler's command line for the CNI shim: static, as it runs on hosts whose libraries are unknown. */
export function formatCompile(sources: readonly string[], target: string): string[] {
  return ['gcc', '-static', '-O2', '-s', '-std=c11', '-Wall', '-Wextra', '-o', target, ...sources];
}

/** Compiles src/cni/shim into dist/bin/mooring-cni; nothing happens while it has no source. */
export function buildShim(root: string): void {
  const sources = globSync('src/cni/shim/*.c', { cwd: root }).map((file) => join(root, file));
  if (sources.length === 0) return;
  mkdirSync(join(root, 'dist/bin'), { recursive: true });
  const [compiler = 'gcc', ...args] = formatCompile(sources, join(root, 'dist/bin/mooring-cni'));
  execFileSync(compiler, args, { stdio: 'inherit' });
}

if (import.meta.main) buildShim(resolve(import.meta.dirname, '../..'));
