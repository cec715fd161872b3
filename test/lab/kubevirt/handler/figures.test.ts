import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findFigures, recordEvent, saveFigures } from './figures.ts';
import type { GuestRecord } from './record.ts';

const ID = { uid: 'm1', namespace: 'default', vmi: 'vm1' };
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'figures-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('tells how long the guest was paused once both sides have spoken, in either order', () => {
  saveFigures(dir, { ...ID, resumedAt: 1050 });
  expect(findFigures(dir, 'm1')).not.toHaveProperty('guestPausedMs');
  saveFigures(dir, { ...ID, stoppedAt: 1000, qemuDowntimeMs: 7 });
  expect(findFigures(dir, 'm1')).toMatchObject({ guestPausedMs: 50, qemuDowntimeMs: 7 });
});

it('has nothing on an unknown migration', () => expect(findFigures(dir, 'm2')).toBeUndefined());

const RECORD: GuestRecord = {
  ...{ podUid: 'p', podName: 'p', namespace: 'default', vmi: 'vm1', vmiUid: 'u', node: 'node1' },
  ...{ stage: 'booted', nics: [], migrationUid: 'm1' },
};
const record = (stage: GuestRecord['stage'], event: string, at: number, data = {}) =>
  recordEvent(dir, { ...RECORD, stage }, { event, at, data });

it('takes STOP from the source and RESUME from the target', () => {
  record('booted', 'STOP', 1000.25);
  record('incoming', 'STOP', 1001);
  record('incoming', 'RESUME', 1002.5);
  record('booted', 'MIGRATION', 1003, { status: 'completed' });
  expect(findFigures(dir, 'm1')).toMatchObject({ stoppedAt: 1000.25, resumedAt: 1002.5, status: 'completed' });
});

it('is not led astray by a pause of the user after the migration', () => {
  record('booted', 'STOP', 1000);
  record('booted', 'MIGRATION', 1003, { status: 'completed' });
  record('booted', 'STOP', 5000);
  record('booted', 'RESUME', 6000);
  expect(findFigures(dir, 'm1')).toMatchObject({ stoppedAt: 1000 });
  expect(findFigures(dir, 'm1')).not.toHaveProperty('resumedAt');
});

it('knows nothing of a guest that never migrated', () => {
  const { migrationUid: _, ...fresh } = RECORD;
  recordEvent(dir, fresh, { event: 'STOP', at: 1, data: {} });
  expect(findFigures(dir, 'm1')).toBeUndefined();
});
