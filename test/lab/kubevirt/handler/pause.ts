import { type Condition, findCondition, type Vmi } from '../objects.ts';
import type { Action, Guest } from './view.ts';

/** Annotation of a VMI that stands for `virtctl pause` and, removed, for `virtctl unpause`: virt-api's calls are not played. */
export const PAUSED = 'lab.mooring.dev/paused';
const CONDITION = 'Paused';

export function isPauseWanted(vmi: Vmi): boolean {
  return vmi.metadata.annotations?.[PAUSED] === 'true';
}

/** Pauses a guest as its user wants it, and resumes it, also after a migration that had paused it and failed. */
export function planPause(vmi: Vmi, guest: Guest): Action | undefined {
  const wanted = isPauseWanted(vmi);
  if (wanted) return guest.run === 'running' ? { do: 'pause', guest } : undefined;
  if (guest.run !== 'paused') return undefined;
  const state = vmi.status?.migrationState;
  const byMigration = state?.mode === 'Paused' && state.failed === true;
  return byMigration || findCondition(vmi.status?.conditions, CONDITION) !== undefined
    ? { do: 'resume', guest }
    : undefined;
}

/** The VMI's conditions with what virt-handler says of a guest that its user has paused (recorded flow paused-vm). */
export function reportPaused(conditions: readonly Condition[], paused: boolean, now: string): Condition[] {
  if (paused === (findCondition(conditions, CONDITION) !== undefined)) return [...conditions];
  const others = conditions.filter(({ type }) => type !== CONDITION);
  const times = { lastProbeTime: now, lastTransitionTime: now };
  const text = { reason: 'PausedByUser', message: 'VMI was paused by user' };
  return paused ? [...others, { type: CONDITION, status: 'True', ...times, ...text }] : others;
}
