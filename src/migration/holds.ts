import type { Hold, LauncherRecord, MigrationInput, Role, VmiRecord } from './input.ts';
import { isFinal, type Told } from './told.ts';

/** A launcher that may hold a guest: it has a node, has not ended, and is no stand-in for storage. */
export type Placed = LauncherRecord & { readonly node: string };

/** A VMI and what may be believed about it. */
export type Scene = {
  readonly input: MigrationInput;
  readonly vmi: VmiRecord;
  readonly told: Told | undefined;
  /** Living launchers of this VMI that have a node, in the order of their UIDs. */
  readonly own: readonly Placed[];
};

export function isPlaced(launcher: LauncherRecord): launcher is Placed {
  return launcher.node !== undefined && launcher.node !== '' && !launcher.final && launcher.ephemeral !== true;
}

export function makeHolds(sources: readonly Placed[], targets: readonly Placed[]): Hold[] {
  const holdAs = (role: Role) => (launcher: Placed) => ({ launcher, role });
  return [...sources.map(holdAs('Source')), ...targets.map(holdAs('Target'))];
}

/**
 * The launchers that hold the port on the guest's node. Of several there, the one that the last migration made when it
 * brought the guest, and when it did not, the one from which it was to take it: failed targets and old sources linger.
 * Without a name, those that have the port already: a launcher cannot have started without it.
 */
export function listHolders(scene: Scene, node: string): Placed[] {
  const { told, own, input } = scene;
  const there = own.filter((launcher) => launcher.node === node);
  const isHeld = ({ uid }: Placed) => input.held?.some((held) => held.uid === uid) === true;
  const others = there.filter(({ migrationJobUid }) => told === undefined || migrationJobUid !== told.uid);
  const named = there.filter((launcher) => told !== undefined && isTold(told, launcher));
  const choices = [named, others.filter(isHeld), others, there];
  return choices.find((choice) => choice.length > 0) ?? listUnseen(scene, node);
}

/** The launcher that the last migration has on this node by its own words. */
const isTold = ({ uid, targetNode, sourcePod }: Told, { migrationJobUid, name, node }: Placed): boolean =>
  node === targetNode ? migrationJobUid === uid : name === sourcePod;

/** The launchers that wait for the guest. */
export function listTargets(scene: Scene, node: string, uid: string): Placed[] {
  const made = scene.own.filter((launcher) => launcher.node === node && launcher.migrationJobUid === uid);
  return made.length > 0 ? made : listUnseen(scene, node);
}

/**
 * Who held the port on this node when we last wrote, and is not in our cache: pods and VMIs come by different watches.
 * While the VMI names the node and goes on, its holder is not taken away on the strength of a pod that is not seen.
 */
function listUnseen({ input, vmi }: Scene, node: string): Placed[] {
  if (isFinal(vmi)) return [];
  const unseen = (input.held ?? []).filter(
    (held) => held.node === node && !input.launchers.some((launcher) => launcher.uid === held.uid),
  );
  return unseen
    .map(({ uid, name }) => ({ uid, name, node, vmiUid: vmi.uid, deleting: false, final: false }))
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
}
