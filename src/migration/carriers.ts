import { NO_CHASSIS } from '../api/names.ts';
import type { LauncherRecord, MigrationInput, MigrationState } from './input.ts';

/**
 * What of a VM's state concerns a port that only some of its launchers carry (a NIC whose network changes by migration
 * has two ports). A chassis stays as long as a launcher there carries the port, or nothing is known of the launchers
 * there; all else stays as it is.
 */
export function restrictToCarriers(state: MigrationState, { carriers, launchers }: MigrationInput): MigrationState {
  if (carriers === undefined) return state;
  const carries = ({ uid }: LauncherRecord) => carriers.includes(uid) || !launchers.some((known) => known.uid === uid);
  const [first, ...rest] = state.requestedChassis.filter((node) => isCarriedOn(node, launchers, carries));
  return {
    ...state,
    requestedChassis: first === undefined ? [NO_CHASSIS] : [first, ...rest],
    holds: state.holds.filter(({ launcher }) => carries(launcher)),
  };
}

/** Launchers that live speak for their node; where there is none, those that have ended. */
function isCarriedOn(
  node: string,
  launchers: readonly LauncherRecord[],
  carries: (launcher: LauncherRecord) => boolean,
): boolean {
  const there = launchers.filter((launcher) => launcher.node === node && launcher.ephemeral !== true);
  const living = there.filter((launcher) => !launcher.final);
  const speakers = living.length > 0 ? living : there;
  return speakers.length === 0 || speakers.some(carries);
}
