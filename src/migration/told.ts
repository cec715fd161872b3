import type { MigrationInput, VmiMigrationState, VmimRecord, VmiRecord } from './input.ts';

/** The last migration that a VMI tells of, as far as it can be believed. */
export type Told = Pick<VmiMigrationState, 'sourceNode' | 'targetNode' | 'sourcePod' | 'targetPod'> & {
  readonly uid: string;
  /** The guest is on the target. */
  readonly moved: boolean;
  /** It has ended, one way or the other. */
  readonly over: boolean;
};

const FINAL: readonly string[] = ['Succeeded', 'Failed'];

export const isActive = ({ phase }: VmimRecord): boolean => !FINAL.includes(phase);
export const isFinal = ({ phase }: VmiRecord): boolean => FINAL.includes(phase);
const isOver = (state: VmiMigrationState): boolean => state.failed === true || state.completed === true;

/** Undefined for a migration between two VMIs, which is refused, and for one that cannot be told from others by its UID. */
export function readTold({ vmims }: MigrationInput, vmi: VmiRecord): Told | undefined {
  const state = vmi.migrationState;
  if (state?.migrationUid === undefined || state.foreign === true) return undefined;
  const uid = state.migrationUid;
  if (vmims.some((vmim) => vmim.uid === uid && vmim.decentralized === true && isActive(vmim))) return undefined;
  const moved = state.targetNode !== undefined && (hasLanded(state) || vmi.nodeName === state.targetNode);
  return { ...state, uid, moved, over: isOver(state) };
}

/**
 * True once the guest runs on the target: nodeName follows later (from 1.6 on the target writes it at the end, before
 * that the source). A failed migration leaves the guest at nodeName, but in post-copy what has begun to run on the target
 * can only be there, or be lost.
 */
function hasLanded({ domainReady, completed, failed, postCopy }: VmiMigrationState): boolean {
  if (failed === true) return postCopy === true && domainReady === true;
  return domainReady === true || completed === true;
}

/** A migration across namespaces or clusters goes on. */
export function isUnsupported({ vmi, vmims }: MigrationInput): boolean {
  const state = vmi?.migrationState;
  if (vmi?.receiver === true || vmims.some((vmim) => vmim.decentralized === true && isActive(vmim))) return true;
  return state?.foreign === true && !isOver(state);
}
