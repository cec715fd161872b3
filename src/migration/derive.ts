import { NO_CHASSIS } from '../api/names.ts';
import { restrictToCarriers } from './carriers.ts';
import type {
  Hold,
  LauncherRecord,
  MigrationInput,
  MigrationState,
  VmiMigrationState,
  VmimRecord,
  VmiRecord,
} from './input.ts';

type Placed = LauncherRecord & { readonly node: string };
type Move = { readonly uid: string; readonly source: string; readonly target: string; readonly launcher: Placed };

const FINAL_VMI: readonly string[] = ['Succeeded', 'Failed'];
const FINAL_VMIM: readonly string[] = ['Succeeded', 'Failed'];

/**
 * Says where a VM's ports belong now (DESIGN.md section 8). Total: any input gives a state. The VMI is the authority
 * on where the guest runs; VMIMs and labels only tell that a target is being made ready before the VMI knows of it.
 * Neither pod ages, readiness nor the deletion of other pods count.
 */
export function deriveMigration(input: MigrationInput): MigrationState {
  return restrictToCarriers(deriveWhole(input), input);
}

function deriveWhole(input: MigrationInput): MigrationState {
  const unsupported = isUnsupported(input);
  const launchers = input.launchers.filter(isHolder);
  const { vmi } = input;
  if (vmi === undefined) return deriveWithoutVmi(launchers, unsupported);
  const own = launchers.filter((launcher) => launcher.vmiUid === vmi.uid);
  const home = findHome(vmi, own);
  if (home === undefined) return unattached(unsupported);
  const handedOver = findHandedOver(vmi, own, home);
  const move = unsupported ? undefined : (handedOver ?? findPrepared(input, own, home));
  const state = move === undefined ? deriveAtRest(vmi, own, home) : deriveMoving(vmi, input, own, move);
  return { ...state, requestedChassis: deriveHandOver(state, input) ?? state.requestedChassis, unsupported };
}

/**
 * The step before the source lets go: the target first, the source beside it, until the target's chassis has the port.
 * An ovn-controller of OVN 25.03 that releases two ports of one switch after another chassis has claimed them forgets the
 * way to one of them (docs/decisions/0015).
 */
function deriveHandOver(
  { node, source, target }: Omit<MigrationState, 'unsupported'>,
  { binding }: MigrationInput,
): MigrationState['requestedChassis'] | undefined {
  if (source === undefined || target === undefined || source === target || node !== target) return undefined;
  return binding?.chassis === source ? [target, source] : undefined;
}

function isHolder(launcher: LauncherRecord): launcher is Placed {
  return launcher.node !== undefined && launcher.node !== '' && !launcher.final && launcher.ephemeral !== true;
}

function isUnsupported(input: MigrationInput): boolean {
  return input.vmi?.receiver === true || input.vmims.some((vmim) => vmim.decentralized && !isOver(vmim));
}

const isOver = (vmim: VmimRecord): boolean => FINAL_VMIM.includes(vmim.phase);

function unattached(unsupported: boolean): MigrationState {
  return { phase: 'unattached', requestedChassis: [NO_CHASSIS], holds: [], unsupported };
}

/** The VMI is gone, or not seen yet: a launcher that still runs may hold a guest, so its node keeps the port. */
function deriveWithoutVmi(launchers: readonly Placed[], unsupported: boolean): MigrationState {
  const node = findOrigin(launchers)?.node;
  return node === undefined ? unattached(unsupported) : { ...settledOn(node, launchers), unsupported };
}

function settledOn(node: string, launchers: readonly Placed[]): Omit<MigrationState, 'unsupported'> {
  return { phase: 'settled', node, requestedChassis: [node], holds: holdsOn(node, launchers, []) };
}

/**
 * The node where the guest is, or will start. `status.nodeName` says it from phase Scheduled on; a migration whose
 * target says "domain ready" has moved it already, although nodeName follows later (post-copy: much later).
 */
function findHome(vmi: VmiRecord, own: readonly Placed[]): string | undefined {
  const isFinal = FINAL_VMI.includes(vmi.phase);
  const node = vmi.nodeName;
  if (node !== undefined && node !== '' && (!isFinal || own.some((launcher) => launcher.node === node))) return node;
  return findOrigin(own)?.node;
}

/** The launcher that was not made for a migration; among equals the choice only has to be the same every time. */
function findOrigin(launchers: readonly Placed[]): Placed | undefined {
  const sorted = launchers.toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  return sorted.find((launcher) => launcher.migrationJobUid === undefined) ?? sorted[0];
}

/** The migration that the VMI itself tells of, while it is neither over nor failed and its target still lives. */
function findHandedOver(vmi: VmiRecord, own: readonly Placed[], home: string): Move | undefined {
  const state = vmi.migrationState;
  if (!state?.migrationUid || !state.targetNode || isSettledState(state)) return undefined;
  const launcher = own.find((pod) => pod.migrationJobUid === state.migrationUid && pod.node === state.targetNode);
  if (launcher === undefined) return undefined;
  const source = home === state.targetNode ? (state.sourceNode ?? home) : home;
  return { uid: state.migrationUid, source, target: state.targetNode, launcher };
}

const isSettledState = (state: VmiMigrationState): boolean => state.failed === true || state.completed === true;

/** A target launcher with a node whose VMIM still goes on, before the VMI names its node (before the hand-off). */
function findPrepared(input: MigrationInput, own: readonly Placed[], home: string): Move | undefined {
  const told = input.vmi?.migrationState;
  const isTold = (vmim: VmimRecord) =>
    told?.migrationUid === vmim.uid && (told.targetNode !== undefined || isSettledState(told));
  const active = input.vmims.filter((vmim) => !isOver(vmim) && !isTold(vmim));
  const targets = own.filter(
    (pod) => !pod.deleting && pod.node !== home && active.some((vmim) => vmim.uid === pod.migrationJobUid),
  );
  const [launcher] = targets.toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  if (launcher?.migrationJobUid === undefined) return undefined;
  return { uid: launcher.migrationJobUid, source: home, target: launcher.node, launcher };
}

/** No migration goes on: the guest is at home; the last migration, if any, is told for the record. */
function deriveAtRest(vmi: VmiRecord, own: readonly Placed[], home: string): Omit<MigrationState, 'unsupported'> {
  const last = vmi.migrationState;
  const node = deriveLanding(last, own) ?? home;
  const settled = settledOn(node, own);
  if (last?.migrationUid === undefined) return settled;
  return {
    ...settled,
    phase: hasMoved(last, vmi) ? 'settled' : 'rolledBack',
    uid: last.migrationUid,
    ...(last.sourceNode === undefined ? {} : { source: last.sourceNode }),
    ...(last.targetNode === undefined ? {} : { target: last.targetNode }),
  };
}

function hasMoved(last: VmiMigrationState, vmi: VmiRecord): boolean {
  return !last.failed && (last.completed === true || last.domainReady === true || vmi.nodeName === last.targetNode);
}

/** Between "completed" and a nodeName that lags behind, the guest is on the target already. */
function deriveLanding(last: VmiMigrationState | undefined, own: readonly Placed[]): string | undefined {
  if (!last?.targetNode || last.failed || !last.domainReady) return undefined;
  return own.some((pod) => pod.node === last.targetNode && pod.migrationJobUid === last.migrationUid)
    ? last.targetNode
    : undefined;
}

function deriveMoving(
  vmi: VmiRecord,
  input: MigrationInput,
  own: readonly Placed[],
  move: Move,
): Omit<MigrationState, 'unsupported'> {
  const { uid, source, target } = move;
  const told = vmi.migrationState?.migrationUid === uid;
  if (told && (vmi.migrationState?.domainReady === true || vmi.nodeName === target)) {
    const holds = holdsOn(target, own, []);
    return { phase: 'activated', uid, source, target, node: target, requestedChassis: [target], holds };
  }
  const holds = holdsOn(source, own, [move.launcher]);
  const requestedChassis: [string, ...string[]] = source === target ? [source] : [source, target];
  const announced = input.binding?.activated?.includes(target) === true;
  return { phase: announced ? 'activated' : 'prepared', uid, source, target, node: source, requestedChassis, holds };
}

/** Launchers on the guest's node and those that wait for it, in an order that does not depend on the input's. */
function holdsOn(node: string, launchers: readonly Placed[], targets: readonly Placed[]): Hold[] {
  const isTarget = (launcher: Placed) => targets.some((target) => target.uid === launcher.uid);
  const sorted = launchers.toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  const sources = sorted.filter((launcher) => launcher.node === node && !isTarget(launcher));
  return [
    ...sources.map((launcher) => ({ launcher, role: 'Source' as const })),
    ...sorted.filter(isTarget).map((launcher) => ({ launcher, role: 'Target' as const })),
  ];
}
