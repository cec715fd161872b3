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
 * brought the guest, and not that one when it did not: failed targets linger for minutes.
 */
export function listHolders(scene: Scene, node: string): Placed[] {
  const { told, own } = scene;
  const there = own.filter((launcher) => launcher.node === node);
  const brought = told?.target === node;
  const right = told && there.filter((launcher) => (launcher.migrationJobUid === told.uid) === brought);
  if (right !== undefined && right.length > 0) return right;
  return there.length > 0 ? there : listUnseen(scene, node);
}

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
