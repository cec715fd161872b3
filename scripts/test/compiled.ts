import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');

/**
 * Where Node keeps what it has compiled, and TypeScript without its types (NODE_COMPILE_CACHE of node(1)): tests start
 * our programs from their sources some hundred times, and read and compile the same files each time.
 */
export const COMPILED = { NODE_COMPILE_CACHE: join(root, 'out/compiled') } as const;

const PROGRAMS = ['agent', 'operator', 'hook'] as const;

/**
 * vitest's global setup of the tests that start our programs: Node writes its cache when a program ends by itself, and
 * most that tests start are killed. Throws when one of them does not even tell its usage.
 */
export async function setup(): Promise<void> {
  const run = promisify(execFile);
  const env = { ...process.env, ...COMPILED };
  await Promise.all(
    PROGRAMS.map((name) => run(process.execPath, [join(root, `src/cli/${name}.ts`), '--help'], { env })),
  );
}
