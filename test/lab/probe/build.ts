import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../command.ts';

/** The programs of this folder: `probe` sends, `tap` watches a guest's own link, `flow` measures a path from end to end. */
export type ProbeProgram = 'probe' | 'tap' | 'flow';

/** Path of a program, built once per source text and kept in `cacheDir`. Needs gcc; throws CommandError. */
export async function ensureProgram(cacheDir: string, program: ProbeProgram): Promise<string> {
  const source = join(import.meta.dirname, `${program}.c`);
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const dir = join(cacheDir, 'probe');
  const target = join(dir, `${program}-${digest}`);
  if (existsSync(target)) return target;
  mkdirSync(dir, { recursive: true });
  const work = `${target}.${process.pid}`;
  await runCommand(['gcc', '-static', '-O2', '-Wall', '-Wextra', '-Werror', '-s', '-o', work, source]);
  renameSync(work, target);
  return target;
}
