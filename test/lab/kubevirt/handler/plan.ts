import { findCurrentPod } from '../controller/plan-vmi.ts';
import { isDeleting, isDown, isFinal, LABEL, type MigrationState, type Pod, type Vmi } from '../objects.ts';
import type { GuestRecord } from './record.ts';

/** One guest of this node as the node knows it: its record and what QEMU says now. */
export type Guest = {
  record: GuestRecord;
  pod: Pod | undefined;
  alive: boolean;
  /** QEMU's run state (`query-status`), undefined when it does not answer. */
  run: string | undefined;
  /** State of the last outgoing migration (`query-migrate`). */
  migrate: string | undefined;
};

/** All that the handler of one node knows about one VMI name. */
export type NodeView = {
  node: string;
  vmi: Vmi | undefined;
  /** Launchers of the VMI on this node. */
  pods: readonly Pod[];
  guests: readonly Guest[];
};

type Stamp = 'startTimestamp' | 'endTimestamp' | 'targetNodeDomainReadyTimestamp';

/** What the handler does next. `note` and `move` write the VMI's migrationState; `stamps` get the present time. */
export type Action =
  | { do: 'boot' | 'receive'; pod: Pod }
  | { do: 'shutdown' | 'reap' | 'forget' | 'give-up' | 'publish' | 'settle-in' | 'report' | 'cancel'; guest: Guest }
  | { do: 'send'; guest: Guest; state: MigrationState }
  | { do: 'end'; phase: 'Succeeded' | 'Failed' }
  | { do: 'note'; change: Partial<MigrationState>; stamps?: readonly Stamp[] }
  | { do: 'move' | 'drop-label' };

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
  return planSource(view, vmi, guest) ?? { do: 'report', guest };
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
  return guest?.record.qemu === undefined ? { do: 'receive', pod } : planIncoming(state, guest);
}

function planIncoming(state: MigrationState, guest: Guest): Action | undefined {
  if (guest.alive) return planReception(state, guest);
  // Once the copy has begun, the source learns by itself that its peer is gone, or has asked for it by an abort.
  const waits = state.startTimestamp !== undefined || guest.record.released === true;
  return waits ? undefined : { do: 'give-up', guest };
}

function planReception(state: MigrationState, guest: Guest): Action | undefined {
  if (state.targetNodeAddress === undefined) return { do: 'publish', guest };
  if (state.startTimestamp === undefined) return undefined;
  if (state.targetNodeDomainDetected !== true) return { do: 'note', change: { targetNodeDomainDetected: true } };
  if (guest.run !== 'running') return undefined;
  if (state.targetNodeDomainReadyTimestamp !== undefined) return { do: 'move' };
  return { do: 'note', change: {}, stamps: ['targetNodeDomainReadyTimestamp'] };
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
  if (state.failed === true || state.endTimestamp !== undefined) return undefined;
  if (guest.record.migrationUid !== state.migrationUid) {
    return state.abortRequested === true ? aborted() : { do: 'send', guest, state };
  }
  if (state.startTimestamp === undefined) {
    return { do: 'note', change: { mode: 'PreCopy' }, stamps: ['startTimestamp'] };
  }
  return planCopy(state, guest);
}

function planCopy(state: MigrationState, guest: Guest): Action | undefined {
  if (guest.migrate === 'cancelled') return aborted();
  if (guest.migrate === 'failed') {
    return { do: 'note', change: { failed: true, failureReason: '' }, stamps: ['endTimestamp'] };
  }
  if (state.abortRequested !== true) return undefined;
  if (guest.migrate === 'completed') {
    return state.abortStatus === 'Failed' ? undefined : { do: 'note', change: { abortStatus: 'Failed' } };
  }
  return state.abortStatus === undefined
    ? { do: 'note', change: { abortStatus: 'Aborting' } }
    : { do: 'cancel', guest };
}

function aborted(): Action {
  const change = { abortStatus: 'Succeeded', failed: true, failureReason: 'Live migration aborted ' };
  return { do: 'note', change, stamps: ['endTimestamp'] };
}
