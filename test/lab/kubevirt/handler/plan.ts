import { findCurrentPod } from '../controller/plan-vmi.ts';
import { isDeleting, isDown, isFinal, LABEL, type MigrationState, type Pod, type Vmi } from '../objects.ts';
import { isPauseWanted, planPause } from './pause.ts';
import { aborted, deriveTerms, planCopy } from './plan-copy.ts';
import { planLink, planPlug } from './plan-plug.ts';
import type { GuestRecord } from './record.ts';
import type { Action, Guest, NodeView } from './view.ts';

/** How long a launcher lives on without its QEMU. */
const LAUNCHER_END_MS = 3000;

/** The next thing to do on a node for one VMI, or undefined while something else must happen first. */
export function planNode(view: NodeView): Action | undefined {
  return planEnds(view) ?? planLive(view);
}

/** Guests that nobody wants any more. */
function planEnds(view: NodeView): Action | undefined {
  const guest = view.guests.find((one) => !isWanted(one, view) && !isWaiting(one));
  if (guest === undefined) return undefined;
  return isOver(guest.pod) ? { do: 'forget', guest } : { do: 'reap', guest };
}

function planLive(view: NodeView): Action | undefined {
  const { vmi, node } = view;
  if (vmi === undefined || isFinal(vmi)) return undefined;
  const { migrationState: state, nodeName } = vmi.status ?? {};
  if (nodeName === node) return planArrival(view, vmi, state) ?? planOwner(view, vmi);
  return state?.targetNode === node ? planTarget(view, vmi, state) : undefined;
}

function isOver(pod: Pod | undefined): boolean {
  return pod === undefined || isDown(pod);
}

/** Reaped, and its launcher has yet to end. */
function isWaiting({ record, pod }: Guest): boolean {
  return record.released === true && !isOver(pod);
}

/** A guest is wanted while its launcher lives and it holds the VMI now, or a migration still needs it. */
function isWanted({ record, pod }: Guest, { node, vmi, pods }: NodeView): boolean {
  if (isOver(pod) || vmi === undefined || isFinal(vmi) || vmi.metadata.uid !== record.vmiUid) return false;
  const asked = isPartOfMigration(record, vmi);
  if (asked !== undefined) return asked;
  return vmi.status?.nodeName === node && findCurrentPod(vmi, pods)?.metadata.uid === record.podUid;
}

/** What the VMI's migration says about a guest; undefined when it does not decide. */
function isPartOfMigration(record: GuestRecord, vmi: Vmi): boolean | undefined {
  const state = vmi.status?.migrationState;
  if (state?.targetPod === record.podName) return state.failed !== true && !isLeaving(vmi, record);
  return state?.sourcePod === record.podName && state.completed !== true ? true : undefined;
}

/** A target whose VMI is deleted before the guest has come is not waited for. */
function isLeaving(vmi: Vmi, record: GuestRecord): boolean {
  return record.stage === 'incoming' && isDeleting(vmi) && vmi.status?.nodeName !== record.node;
}

function planOwner(view: NodeView, vmi: Vmi): Action | undefined {
  const pod = findCurrentPod(vmi, view.pods);
  const guest = view.guests.find((one) => one.record.podUid === pod?.metadata.uid);
  if (pod === undefined || isDown(pod)) return planLoss(vmi, pod);
  const deleted = isDeleting(vmi) || isDeleting(pod);
  if (guest?.record.qemu === undefined) return planBirth(vmi, pod, deleted);
  if (!guest.alive) return planDeath(vmi, guest, deleted);
  if (deleted) return { do: 'shutdown', guest };
  if (guest.record.stage === 'incoming') return { do: 'settle-in', guest };
  return planGuest(view, vmi, guest);
}

function planGuest(view: NodeView, vmi: Vmi, guest: Guest): Action {
  if (hasLeft(vmi, guest)) return { do: 'end', phase: 'Failed' };
  const change = planPause(vmi, guest) ?? planPlug(vmi, guest) ?? planLink(vmi, guest);
  return planSource(view, vmi, guest) ?? change ?? { do: 'report', guest };
}

/** The guest ran on the target, and the target is lost: it exists nowhere any more. */
function hasLeft(vmi: Vmi, guest: Guest): boolean {
  return guest.run === 'postmigrate' && vmi.status?.migrationState?.failed === true;
}

/** A launcher that ended under a running guest: the VMI failed. */
function planLoss(vmi: Vmi, pod: Pod | undefined): Action | undefined {
  return pod !== undefined && vmi.status?.phase === 'Running' ? { do: 'end', phase: 'Failed' } : undefined;
}

function planBirth(vmi: Vmi, pod: Pod, deleted: boolean): Action | undefined {
  if (vmi.status?.phase === 'Running') return { do: 'end', phase: 'Failed' };
  if (vmi.status?.phase !== 'Scheduled') return undefined;
  return deleted ? { do: 'end', phase: 'Failed' } : { do: 'boot', pod };
}

function planDeath(vmi: Vmi, { record }: Guest, deleted: boolean): Action | undefined {
  if (vmi.status?.phase !== 'Running' && vmi.status?.phase !== 'Scheduled') return undefined;
  return { do: 'end', phase: deleted ? 'Succeeded' : (record.ended ?? 'Failed') };
}

/** The target's side until the VMI's node is this one. */
function planTarget(view: NodeView, vmi: Vmi, state: MigrationState): Action | undefined {
  if (state.failed === true) {
    return vmi.metadata.labels?.[LABEL.targetNode] === view.node ? { do: 'drop-label' } : undefined;
  }
  const pod = view.pods.find((one) => one.metadata.name === state.targetPod);
  if (pod === undefined || isDown(pod) || isDeleting(vmi)) return undefined;
  const guest = view.guests.find((one) => one.record.podName === state.targetPod);
  return guest?.record.qemu === undefined ? { do: 'receive', pod } : planIncoming(view, vmi, state, guest);
}

function planIncoming({ now }: NodeView, vmi: Vmi, state: MigrationState, guest: Guest): Action | undefined {
  if (guest.alive) return planReception(vmi, state, guest);
  const { released, missedAt } = guest.record;
  if (released === true) return undefined;
  // Once the copy has begun, the source learns by itself that its peer is gone, or has asked for it by an abort. A
  // launcher without QEMU ends all the same.
  if (state.startTimestamp === undefined) return { do: 'give-up', guest };
  if (missedAt === undefined) return { do: 'miss', guest };
  return now - missedAt > LAUNCHER_END_MS ? { do: 'give-up', guest } : undefined;
}

function planReception(vmi: Vmi, state: MigrationState, guest: Guest): Action | undefined {
  if (state.targetNodeAddress === undefined || hasLostRelay(state, guest)) return { do: 'publish', guest };
  if (state.startTimestamp === undefined) return undefined;
  if (state.targetNodeDomainDetected !== true) return { do: 'note', change: { targetNodeDomainDetected: true } };
  return planTakeover(vmi, state, guest);
}

/** A virt-handler that was started anew before the source came tells its new port. */
function hasLostRelay(state: MigrationState, { relay, run, migrate }: Guest): boolean {
  return !relay && state.startTimestamp === undefined && run === 'inmigrate' && migrate === undefined;
}

/** In post-copy the guest runs here before its memory has come. */
function planTakeover(vmi: Vmi, state: MigrationState, guest: Guest): Action | undefined {
  if (guest.run === 'running') return planOwnership(state, guest);
  const still = guest.run === 'paused' && guest.migrate === 'completed';
  if (!still) return undefined;
  return isPauseWanted(vmi) ? planOwnership(state, guest) : { do: 'resume', guest };
}

function planOwnership(state: MigrationState, guest: Guest): Action | undefined {
  if (state.targetNodeDomainReadyTimestamp === undefined) {
    return { do: 'note', change: {}, stamps: ['targetNodeDomainReadyTimestamp'] };
  }
  return guest.migrate === 'postcopy-active' ? undefined : { do: 'move' };
}

/** The target's side once the VMI is here. */
function planArrival(view: NodeView, vmi: Vmi, state: MigrationState | undefined): Action | undefined {
  if (state?.targetNode !== view.node || state.endTimestamp === undefined || state.failed === true) return undefined;
  if (state.completed !== true) return { do: 'note', change: { completed: true } };
  return vmi.metadata.labels?.[LABEL.targetNode] === undefined ? undefined : { do: 'drop-label' };
}

/** The source's side. */
function planSource(view: NodeView, vmi: Vmi, guest: Guest): Action | undefined {
  const state = vmi.status?.migrationState;
  if (state?.sourceNode !== view.node || state.targetNodeAddress === undefined) return undefined;
  const begun = guest.record.migrationUid === state.migrationUid;
  if (state.failed === true) return begun && isCopying(guest) ? { do: 'cancel', guest } : undefined;
  if (state.endTimestamp !== undefined) return undefined;
  return begun ? planBegun(view, vmi, state, guest) : planStart(vmi, state, guest);
}

function planStart(vmi: Vmi, state: MigrationState, guest: Guest): Action {
  return state.abortRequested === true ? aborted(state, deriveTerms(vmi)) : { do: 'send', guest, state };
}

function planBegun(view: NodeView, vmi: Vmi, state: MigrationState, guest: Guest): Action | undefined {
  if (state.startTimestamp !== undefined) return planCopy(vmi, state, guest, view.now);
  return { do: 'note', change: { mode: 'PreCopy' }, stamps: ['startTimestamp'] };
}

/** Somebody else has declared the migration failed while QEMU still copies. */
function isCopying({ migrate }: Guest): boolean {
  return migrate === 'active' || migrate === 'setup';
}
