import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findFigures, saveFigures } from './figures.ts';

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
