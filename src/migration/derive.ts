import { NO_CHASSIS } from '../api/names.ts';
import { restrictToCarriers } from './carriers.ts';
import { isPlaced, listHolders, listTargets, makeHolds, type Placed, type Scene } from './holds.ts';
import type { MigrationInput, MigrationState, VmimRecord } from './input.ts';
import { isActive, isFinal, isUnsupported, readTold, type Told } from './told.ts';

type Move = { readonly uid: string; readonly source: string; readonly target: string; readonly landed: boolean };
type Outcome = Omit<MigrationState, 'unsupported'>;

const UNATTACHED: Outcome = { phase: 'unattached', requestedChassis: [NO_CHASSIS], holds: [] };
const WAITING: readonly string[] = ['', 'Pending'];

/**
 * Says where a VM's ports belong now (DESIGN.md section 8), for KubeVirt 1.4 to 1.9. Total: any input gives a state. The
 * VMI is the authority on where the guest runs; VMIMs and labels only tell that a target is being made ready before the
 * VMI knows of it. Neither pod ages, readiness, VMIMs that are over nor the deletion of other pods count.
 */
export function deriveMigration(input: MigrationInput): MigrationState {
  const outcome = deriveOutcome(input);
  const requestedChassis = deriveHandOver(outcome, input);
  const landed = findLanded(outcome, input);
  return restrictToCarriers({ ...outcome, ...landed, requestedChassis, unsupported: isUnsupported(input) }, input);
}

function deriveOutcome(input: MigrationInput): Outcome {
  const { vmi } = input;
  const living = input.launchers.filter(isPlaced).toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  if (vmi === undefined) return deriveWithoutVmi(living, input);
  const own = living.filter((launcher) => launcher.vmiUid === vmi.uid);
  const scene = { input, vmi, own, told: readTold(input, vmi) };
  const guest = findGuest(scene);
  if (guest === undefined) return UNATTACHED;
  const move = findHandedOver(scene, guest) ?? findPrepared(scene, guest);
  return move === undefined ? deriveAtRest(scene, guest) : deriveMoving(scene, move);
}

/** The VMI is gone, or not seen yet: a launcher that still runs may hold a guest, so its node keeps the port. */
function deriveWithoutVmi(living: readonly Placed[], input: MigrationInput): Outcome {
  const node = findOrigin(living, input);
  if (node === undefined) return UNATTACHED;
  const holders = living.filter((launcher) => launcher.node === node);
  return { phase: 'settled', node, requestedChassis: [node], holds: makeHolds(holders, []) };
}

/** Nobody names a node: where the port is already, else with the launcher that was not made for a migration. */
function findOrigin(launchers: readonly Placed[], { binding }: MigrationInput): string | undefined {
  const bound = launchers.find((launcher) => launcher.node === binding?.chassis);
  return (bound ?? launchers.find((launcher) => launcher.migrationJobUid === undefined) ?? launchers[0])?.node;
}

/** The node where the guest is, or will start. A VMI that has ended is believed only where a launcher still lives. */
function findGuest({ input, vmi, told, own }: Scene): string | undefined {
  const named = told?.moved ? [told.targetNode, vmi.nodeName] : [vmi.nodeName];
  const node = named.find((name) => name && (!isFinal(vmi) || own.some((launcher) => launcher.node === name)));
  return node ?? findOrigin(own, input);
}

/** The migration that the VMI itself tells of, until it is over or its target is known to be dead. */
function findHandedOver(scene: Scene, guest: string): Move | undefined {
  const { told, vmi } = scene;
  if (told?.targetNode === undefined || told.over) return undefined;
  const { uid, targetNode: target } = told;
  const landed = told.moved && guest === target;
  if (!landed && !mayStillLand(scene, told)) return undefined;
  return { uid, source: guest === target ? (told.sourceNode ?? vmi.nodeName ?? guest) : guest, target, landed };
}

/** A target that is not known (yet) counts by the VMI's word, as long as the VMI itself goes on. */
function mayStillLand({ vmi, own, input }: Scene, { uid, targetNode, targetPod }: Told): boolean {
  if (own.some((pod) => pod.migrationJobUid === uid && pod.node === targetNode)) return true;
  const isDead = input.launchers.some((pod) => pod.final && (pod.migrationJobUid === uid || pod.name === targetPod));
  return !isFinal(vmi) && !isDead;
}

/**
 * A target launcher with a node whose migration goes on, before the VMI names its node (before the hand-off). KubeVirt
 * lets migrations of one VMI go on one after the other: while the one that the VMI has told of is not over by its own
 * VMIM, another one is left from before.
 */
function findPrepared({ input, vmi, told, own }: Scene, guest: string): Move | undefined {
  const isTold = ({ uid }: VmimRecord) => uid === told?.uid && (told.targetNode !== undefined || told.over);
  const active = input.vmims.filter((vmim) => isActive(vmim) && vmim.decentralized !== true);
  if (isFinal(vmi) || active.some(isTold)) return undefined;
  const moves = own.flatMap(({ node, deleting, migrationJobUid }) => {
    const vmim = active.find(({ uid }) => uid === migrationJobUid);
    if (vmim === undefined || deleting || node === guest) return [];
    return [{ uid: vmim.uid, source: guest, target: node, landed: false, waits: WAITING.includes(vmim.phase) }];
  });
  // Of two, the one that KubeVirt has begun with; a VMIM with hot-plugged volumes waits although its target has a node.
  return moves.find(({ waits }) => !waits) ?? moves[0];
}

/** No migration goes on: the guest is at home; the last migration, if any, is told for the record. */
function deriveAtRest(scene: Scene, guest: string): Outcome {
  const { told } = scene;
  const holds = makeHolds(listHolders(scene, guest), []);
  const settled: Outcome = { phase: 'settled', node: guest, requestedChassis: [guest], holds };
  if (told === undefined || (told.targetNode === undefined && !told.over)) return settled;
  const { uid, sourceNode: source, targetNode: target } = told;
  return {
    ...settled,
    phase: guest === target ? 'settled' : 'rolledBack',
    uid,
    ...(source === undefined ? {} : { source }),
    ...(target === undefined ? {} : { target }),
  };
}

function deriveMoving(scene: Scene, { uid, source, target, landed }: Move): Outcome {
  if (landed) {
    const holds = makeHolds(listHolders(scene, target), []);
    return { phase: 'activated', uid, source, target, node: target, requestedChassis: [target], holds };
  }
  const announced = scene.input.binding?.activated?.includes(target) === true;
  return {
    phase: announced ? 'activated' : 'prepared',
    uid,
    source,
    target,
    node: source,
    requestedChassis: source === target ? [source] : [source, target],
    holds: makeHolds(listHolders(scene, source), listTargets(scene, target, uid)),
  };
}

/**
 * The step before the other side lets go: where the guest is first, where the port still is beside it, until the guest's
 * chassis has the port. An ovn-controller of OVN 25.03 that releases two ports of one switch after another chassis has
 * claimed them forgets the way to one of them (docs/decisions/0015). The same holds for the way back.
 */
function deriveHandOver(outcome: Outcome, { binding }: MigrationInput): MigrationState['requestedChassis'] {
  const { node, source, target, requestedChassis } = outcome;
  const chassis = binding?.chassis;
  if (node === undefined || chassis === undefined || chassis === node) return requestedChassis;
  return chassis === source || chassis === target ? [node, chassis] : requestedChassis;
}

/** Of a migration that is over: whether every trace of the other side has gone from the port's binding. */
function findLanded({ phase, uid, node }: Outcome, { binding }: MigrationInput): Pick<MigrationState, 'landed'> {
  if (uid === undefined || (phase !== 'settled' && phase !== 'rolledBack')) return {};
  const isAlone = binding?.chassis === node && (binding?.additional ?? []).length === 0;
  return isAlone ? { landed: uid } : {};
}
