import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { waitFor } from './command.ts';
import { findStartTime } from './process.ts';
import { LabError } from './progress.ts';

/**
 * Runs `work` while no other lab command of this machine does. A lock whose holder is gone is taken over.
 * Waits up to `waitMs` for a living one, then throws LabError.
 */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid} ${findStartTime(process.pid) ?? ''}`);
  try {
    const taken = await waitFor(async () => (tryLock(own, path) ? true : undefined), waitMs, 200);
    if (taken === undefined) {
      throw new LabError('lab', `process ${findHolder(path)} is working on the lab`, { todo: 'wait for it' });
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryLock(own: string, path: string): boolean {
  if (isStale(path)) rmSync(path, { force: true });
  try {
    linkSync(own, path);
    return true;
  } catch {
    return false; // somebody holds it
  }
}

function isStale(path: string): boolean {
  try {
    const [pid, startTime] = readFileSync(path, 'utf8').split(' ');
    return startTime === undefined || findStartTime(Number(pid)) !== startTime;
  } catch {
    return false; // no lock, or gone this moment
  }
}

function findHolder(path: string): string {
  try {
    return readFileSync(path, 'utf8').split(' ')[0] ?? '';
  } catch {
    return 'that has just ended'; // let go after our last try
  }
}
