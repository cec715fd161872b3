import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

/** vitest's global setup of the lab tests: the lab is up when they begin, and stays up after them. Throws when `up` fails. */
export function setup(): void {
  execFileSync(process.execPath, [resolve(import.meta.dirname, 'lab.ts'), 'up'], { stdio: 'inherit' });
}
