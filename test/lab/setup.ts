import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { installChart } from './demo/install.ts';
import { findWorld } from './scenarios/world.ts';

/**
 * vitest's global setup of the lab tests: the lab is up with this checkout's chart when they begin, and stays up after
 * them. Throws when either fails.
 */
export async function setup(): Promise<void> {
  execFileSync(process.execPath, [resolve(import.meta.dirname, 'lab.ts'), 'up'], { stdio: 'inherit' });
  await installChart(findWorld());
}
