import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QmpEvent } from '../../guest/qmp.ts';
import type { GuestRecord } from './record.ts';

/**
 * Measured times of one migration in ms. `qemuDowntimeMs` is QEMU's own figure (`query-migrate`, downtime);
 * `guestPausedMs` is from the source's STOP event (`stoppedAt`) to the target's RESUME event (`resumedAt`), by QEMU's
 * own timestamps: ms since the epoch with microseconds as fractions, all of one clock. `transferredBytes` is all that
 * QEMU sent; it went from the source virt-handler's `fromAddress` to the target's `address`. `status` is QEMU's last
 * word (`completed`, `failed`, `cancelled`).
 */
export type MigrationFigures = {
  uid: string;
  namespace: string;
  vmi: string;
  qemuDowntimeMs?: number;
  totalMs?: number;
  setupMs?: number;
  transferredBytes?: number;
  status?: string;
  address?: string;
  fromAddress?: string;
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

const ENDS = ['completed', 'failed', 'cancelled'];

/**
 * Notes an event of QEMU that tells of a migration: STOP and the end of the copy at its source while it lasts, RESUME at
 * its target. A guest that its user pauses before or after is no migration's.
 */
export function recordEvent(labDir: string, record: GuestRecord, { event, data, at }: QmpEvent): void {
  const { migrationUid: uid, namespace, vmi, stage } = record;
  if (uid === undefined) return;
  const identity = { uid, namespace, vmi };
  if (stage === 'incoming') {
    if (event === 'RESUME') saveFigures(labDir, { ...identity, resumedAt: at });
    return;
  }
  if (findFigures(labDir, uid)?.status !== undefined) return;
  if (event === 'STOP') saveFigures(labDir, { ...identity, stoppedAt: at });
  const status = String(data.status);
  if (event === 'MIGRATION' && ENDS.includes(status)) saveFigures(labDir, { ...identity, status });
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
