import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Measured times of one migration in ms. `qemuDowntimeMs` is QEMU's own figure (`query-migrate`, downtime);
 * `guestPausedMs` is from the source's STOP event to the target's RESUME event. Times of events are since the epoch.
 */
export type MigrationFigures = {
  uid: string;
  namespace: string;
  vmi: string;
  qemuDowntimeMs?: number;
  totalMs?: number;
  setupMs?: number;
  transferredBytes?: number;
  stoppedAt?: number;
  resumedAt?: number;
  guestPausedMs?: number;
};

/** Where a migration's figures are kept: `<lab>/kubevirt/migrations/<uid>.json`. */
export function findFiguresPath(labDir: string, uid: string): string {
  return join(labDir, 'kubevirt/migrations', `${uid}.json`);
}

/** Figures of a migration, or undefined when none were taken. */
export function findFigures(labDir: string, uid: string): MigrationFigures | undefined {
  const path = findFiguresPath(labDir, uid);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as MigrationFigures) : undefined;
}

/** Adds to a migration's figures. */
export function saveFigures(labDir: string, figures: MigrationFigures): void {
  const path = findFiguresPath(labDir, figures.uid);
  mkdirSync(join(labDir, 'kubevirt/migrations'), { recursive: true });
  const all = { ...findFigures(labDir, figures.uid), ...figures };
  const { stoppedAt, resumedAt } = all;
  const paused = stoppedAt === undefined || resumedAt === undefined ? {} : { guestPausedMs: resumedAt - stoppedAt };
  writeFileSync(`${path}.new`, JSON.stringify({ ...all, ...paused }, null, 2));
  renameSync(`${path}.new`, path);
}
