import { resolve } from 'node:path';
import { runCommand } from './command.ts';

/** vitest's global setup of the lab tests: the lab is up when they begin, and stays up after them. */
export async function setup(): Promise<void> {
  const script = resolve(import.meta.dirname, 'lab.ts');
  process.stdout.write(await runCommand([process.execPath, script, 'up'], { timeoutMs: 1_800_000 }));
}
