import type { MigrationConfiguration, MigrationState, Vmi } from '../objects.ts';
import { parseBytes } from '../quantity.ts';
import type { Action, Guest } from './view.ts';

/** Annotation of a VMI: `now` switches its next migration to post-copy at once, whatever the KubeVirt CR says. */
export const POST_COPY = 'lab.mooring.dev/post-copy';
const TIMEOUT_PER_GIB = 150;
const DEFAULT_MEMORY = '128Mi';
const GIGA = 1e9;

/** What a migration may do to come to an end, and after how long (virt-launcher's migration monitor, v1.8.4). */
export type Terms = { postCopy: boolean; atOnce: boolean; disruption: boolean; limitSeconds: number };

/** The terms of a VMI's migration: what virt-controller copied out of the KubeVirt CR, and the lab's own annotation. */
export function deriveTerms(vmi: Vmi): Terms {
  const settings: MigrationConfiguration = vmi.status?.migrationState?.migrationConfiguration ?? {};
  const atOnce = vmi.metadata.annotations?.[POST_COPY] === 'now';
  const gigabytes = Math.ceil(parseBytes(vmi.spec.domain.memory?.guest ?? DEFAULT_MEMORY) / GIGA);
  return {
    atOnce,
    postCopy: atOnce || settings.allowPostCopy === true,
    disruption: settings.allowWorkloadDisruption === true,
    limitSeconds: gigabytes * (settings.completionTimeoutPerGiB ?? TIMEOUT_PER_GIB),
  };
}

const FAILED: Action = { do: 'note', change: { failed: true, failureReason: '' }, stamps: ['endTimestamp'] };

/** QEMU says `failed` of a copy that it was told to cancel when it notices the closed return path first. */
function isCalledOff(state: MigrationState, terms: Terms, now: number): boolean {
  return state.abortStatus === 'Aborting' || isLate(state, terms, now);
}

/** What the source does about a copy that it has begun. `now` is ms since the epoch. */
export function planCopy(vmi: Vmi, state: MigrationState, guest: Guest, now: number): Action | undefined {
  const terms = deriveTerms(vmi);
  switch (guest.migrate) {
    case 'cancelled':
      return aborted(state, terms);
    case 'failed':
      return isCalledOff(state, terms, now) ? aborted(state, terms) : FAILED;
    case 'postcopy-paused':
      return { do: 'end', phase: 'Failed' }; // Half of the guest's memory is on the other side of a broken connection.
    case 'postcopy-active':
      return state.mode === 'PostCopy' ? planTooLate(state) : { do: 'note', change: { mode: 'PostCopy' } };
    case 'completed':
      return planTooLate(state);
    default:
      return planAbort(state, guest) ?? planHelp(state, guest, { terms, now });
  }
}

/** An abort that comes when the guest runs on the target already. */
function planTooLate(state: MigrationState): Action | undefined {
  if (state.abortRequested !== true || state.abortStatus === 'Failed') return undefined;
  return { do: 'note', change: { abortStatus: 'Failed' } };
}

function planAbort(state: MigrationState, guest: Guest): Action | undefined {
  if (state.abortRequested !== true) return undefined;
  return state.abortStatus === undefined
    ? { do: 'note', change: { abortStatus: 'Aborting' } }
    : { do: 'cancel', guest };
}

type Moment = { terms: Terms; now: number };

/** A copy that takes too long is helped to its end in one way or another, or given up. */
function planHelp(state: MigrationState, guest: Guest, { terms, now }: Moment): Action | undefined {
  if (guest.migrate !== 'active') return undefined;
  const late = isLate(state, terms, now);
  if (terms.postCopy && (terms.atOnce || late)) return { do: 'post-copy', guest };
  return late ? planLate(state, guest, terms) : undefined;
}

function isLate(state: MigrationState, terms: Terms, now: number): boolean {
  const seconds = (now - Date.parse(state.startTimestamp ?? '')) / 1000;
  return seconds > terms.limitSeconds * (state.mode === 'Paused' ? 2 : 1);
}

function planLate(state: MigrationState, guest: Guest, { disruption }: Terms): Action {
  if (!disruption || state.mode === 'Paused') return { do: 'cancel', guest };
  return guest.run === 'running' ? { do: 'pause', guest } : { do: 'note', change: { mode: 'Paused' } };
}

/** A copy that was cancelled before it began, by the user, or for its time. */
export function aborted(state: MigrationState, { limitSeconds }: Terms): Action {
  const late = `Live migration is not completed after ${limitSeconds} seconds and has been aborted`;
  const failureReason = state.abortRequested === true ? 'Live migration aborted ' : late;
  const change = { abortStatus: 'Succeeded', failed: true, failureReason };
  return { do: 'note', change, stamps: ['endTimestamp'] };
}
