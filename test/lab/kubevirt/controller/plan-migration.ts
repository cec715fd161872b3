import {
  areContainersReady,
  findCondition,
  identityOf,
  isDeleting,
  isDown,
  isFinal,
  LABEL,
  type MigrationState,
  type Pod,
  type Vmi,
  type Vmim,
  type VmimStatus,
} from '../objects.ts';
import { isSame } from './conditions.ts';
import type { Context, Note, Observed, Write } from './plan.ts';
import { mustWait } from './plan-automatic.ts';
import { findCurrentPod, withPhaseTime } from './plan-vmi.ts';
import { isStorageOnly, planAttachment } from './plan-volumes.ts';
import { renderTarget } from './render.ts';

const KIND = 'VirtualMachineInstanceMigration';
const FINALIZER = 'kubevirt.io/migrationJobFinalize';
const NON_ROOT = 'kubevirt.io/nonroot';
const UNSCHEDULABLE_TIMEOUT = 'kubevirt.io/migrationUnschedulablePodTimeoutSeconds';
const UNSCHEDULABLE_SECONDS = 300;
const BEFORE_HAND_OFF = ['Pending', 'Scheduling', 'Scheduled'];

/** One migration with what surrounds it. */
type Job = { migration: Vmim; vmi: Vmi; observed: Observed; context: Context; target: Pod | undefined };

/** The next write that a VMI's migrations need; the oldest comes first. */
export function planMigrations(observed: Observed, context: Context): Write | undefined {
  const { vmi, pods } = observed;
  const ordered = observed.migrations.toSorted((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
  for (const migration of ordered) {
    if (vmi === undefined) return dissolve(migration);
    const target = pods.find((pod) => pod.metadata.labels?.[LABEL.migrationUid] === migration.metadata.uid);
    const write = planMigration({ migration, vmi, observed, context, target });
    if (write !== undefined) return write;
  }
  return undefined;
}

function createdAt(migration: Vmim): string {
  return `${migration.metadata.creationTimestamp ?? ''} ${migration.metadata.name ?? ''}`;
}

/** Migrations go with their VMI. */
function dissolve(migration: Vmim): Write {
  const { name = '', namespace = '', uid = '', finalizers = [] } = migration.metadata;
  if (migration.metadata.deletionTimestamp === undefined) return { verb: 'delete', kind: KIND, name, namespace, uid };
  return updateMeta(migration, { finalizers: finalizers.filter((one) => one !== FINALIZER) });
}

export function isFinalMigration(migration: Vmim): boolean {
  return migration.status?.phase === 'Succeeded' || migration.status?.phase === 'Failed';
}

function planMigration(job: Job): Write | undefined {
  const { migration } = job;
  if (isFinalMigration(migration)) return planEnd(job);
  return planAdmission(job) ?? planAbort(job) ?? planLoss(job) ?? planForward(job);
}

/** What virt-api's webhook does: label and finalizer. */
function planAdmission({ migration }: Job): Write | undefined {
  const { finalizers = [], labels, deletionTimestamp } = migration.metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(FINALIZER)) return undefined;
  return updateMeta(migration, {
    labels: { ...labels, [LABEL.vmiName]: migration.spec.vmiName },
    finalizers: [...finalizers, FINALIZER],
  });
}

/** The deletion of a migration ends it before hand-off, asks the handler in Running, and only waits between the two. */
function planAbort(job: Job): Write | undefined {
  const { migration, vmi, target, context } = job;
  if (!isDeleting(migration)) return undefined;
  const { phase = 'Pending', conditions = [] } = migration.status ?? {};
  if (BEFORE_HAND_OFF.includes(phase)) return cancelBeforeHandOff(migration, target, context);
  const state = ownState(vmi, migration);
  if (phase === 'Running' && state !== undefined && mayAbort(state)) {
    const note = noteOn(migration, 'SuccessfulAbortMigration', 'Migration is ready to be canceled by virt-handler.');
    return { ...updateState(vmi, { ...state, abortRequested: true }), note };
  }
  if (findCondition(conditions, 'migrationAbortRequested') !== undefined) return undefined;
  const times = { lastProbeTime: context.now, lastTransitionTime: null };
  const asked = { type: 'migrationAbortRequested', status: 'True', ...times };
  return updateStatus(migration, { ...migration.status, conditions: [...conditions, asked] }, context);
}

function mayAbort(state: MigrationState): boolean {
  return state.abortRequested !== true && state.endTimestamp === undefined;
}

function cancelBeforeHandOff(migration: Vmim, target: Pod | undefined, context: Context): Write {
  if (target !== undefined && target.metadata.deletionTimestamp === undefined && !isDown(target))
    return deletePod(target);
  return updateStatus(migration, { ...migration.status, phase: 'Failed' }, context);
}

/** Failure because the VMI or the target launcher is lost. */
function planLoss(job: Job): Write | undefined {
  const { migration, vmi, target, context } = job;
  if (isFinal(vmi)) return fail(job, 'Migration failed because vmi shutdown during migration.');
  const state = ownState(vmi, migration);
  if (!isTargetNeeded(migration, state)) return undefined;
  if (target !== undefined && !isDown(target)) return undefined;
  if (state !== undefined && state.failed !== true) {
    const { now } = context;
    const startTimestamp = state.startTimestamp ?? now;
    return updateState(vmi, { ...state, startTimestamp, endTimestamp: now, failed: true, completed: true });
  }
  const gone = 'Migration target pod was removed during active migration.';
  return fail(job, target === undefined ? gone : 'Migration failed because target pod shutdown during migration');
}

/** From the making of the target until the guest has moved for good. */
function isTargetNeeded(migration: Vmim, state: MigrationState | undefined): boolean {
  const phase = migration.status?.phase ?? 'Pending';
  const moved = state?.endTimestamp !== undefined && state.failed !== true;
  return phase !== 'Pending' && !moved;
}

function fail({ migration, context }: Job, message: string): Write {
  const note = { ...noteOn(migration, 'FailedMigration', message), type: 'Warning' } as const;
  return { ...updateStatus(migration, { ...migration.status, phase: 'Failed' }, context), note };
}

function planForward(job: Job): Write | undefined {
  const { migration, vmi } = job;
  switch (migration.status?.phase) {
    case undefined:
      return planFirstPhase(job);
    case 'Pending':
      return planTarget(job);
    case 'Scheduling':
      return planScheduling(job);
    case 'Scheduled':
      return planHandOff(job);
    default:
      return planByState(job, ownState(vmi, migration));
  }
}

function planScheduling(job: Job): Write | undefined {
  const { target, vmi, observed, context } = job;
  if (target === undefined) return undefined;
  if (!areContainersReady(target)) return planUnschedulable(job, target);
  const attachment = planAttachment(vmi, target, observed.attachments, context);
  return attachment === 'ready' ? toPhase(job, 'Scheduled') : attachment;
}

function planFirstPhase(job: Job): Write {
  const { migration, vmi, observed, context } = job;
  const other = observed.migrations.find(
    (one) => one !== migration && one.status?.phase !== undefined && !isFinalMigration(one),
  );
  if (other !== undefined) return fail(job, `in-flight migration detected: ${other.metadata.name ?? ''}`);
  const sourcePod = findCurrentPod(vmi, observed.pods)?.metadata.name;
  const migrationState = sourcePod === undefined ? {} : { migrationState: { sourcePod } };
  return updateStatus(migration, { phase: 'Pending', ...migrationState }, context);
}

/** A target is made only while the VMI runs and no other launcher of it lives. */
function planTarget(job: Job): Write | undefined {
  const { migration, vmi, observed, context, target } = job;
  if (target !== undefined) return toPhase(job, 'Scheduling');
  if (vmi.status?.phase !== 'Running' || isDeleting(vmi)) return undefined;
  if (findCondition(vmi.status.conditions, 'LiveMigratable')?.status !== 'True') {
    return fail(job, 'VMI is not live-migratable');
  }
  if (isBlocked(job)) return undefined;
  const marked = planNonRootMark(vmi);
  const source = observed.nodes.find((node) => node.metadata.name === vmi.status?.nodeName);
  if (marked !== undefined || source === undefined) return marked;
  const pod = renderTarget(vmi, migration, source, context);
  const message = `Created migration target pod ${pod.metadata.generateName}`;
  return { verb: 'create', kind: 'Pod', object: pod, note: noteOn(migration, 'SuccessfulCreate', message) };
}

function isBlocked({ migration, vmi, observed, context }: Job): boolean {
  if (observed.pods.filter((pod) => !isDown(pod) && !isStorageOnly(pod)).length !== 1) return true;
  return mustWait(migration, vmi.status?.nodeName ?? '', observed, context);
}

/** virt-controller marks a VMI at its first migration; only targets show it. */
function planNonRootMark(vmi: Vmi): Write | undefined {
  if (vmi.metadata.annotations?.[NON_ROOT] !== undefined) return undefined;
  const annotations = { ...vmi.metadata.annotations, [NON_ROOT]: 'true' };
  const object = { ...vmi, metadata: { ...vmi.metadata, annotations } };
  return { verb: 'update', kind: 'VirtualMachineInstance', object };
}

function planUnschedulable({ migration, context }: Job, target: Pod): Write | undefined {
  const condition = findCondition(target.status?.conditions, 'PodScheduled');
  if (condition?.reason !== 'Unschedulable' || target.metadata.deletionTimestamp !== undefined) return undefined;
  const limit = Number(migration.metadata.annotations?.[UNSCHEDULABLE_TIMEOUT] ?? UNSCHEDULABLE_SECONDS);
  const age = (Date.parse(context.now) - Date.parse(target.metadata.creationTimestamp ?? context.now)) / 1000;
  return age > limit ? deletePod(target) : undefined;
}

/** Hand-off to the target's handler: the VMI gets a fresh migrationState, whatever the last one held. */
function planHandOff(job: Job): Write | undefined {
  const { migration, vmi } = job;
  if (ownState(vmi, migration) !== undefined) return toPhase(job, 'PreparingTarget');
  const state = deriveState(job);
  if (state?.targetNode === undefined) return undefined;
  const labels = { ...vmi.metadata.labels, [LABEL.targetNode]: state.targetNode };
  const object = { ...vmi, metadata: { ...vmi.metadata, labels }, status: { ...vmi.status, migrationState: state } };
  const message = 'Migration target pod is ready for preparation by virt-handler.';
  const note = noteOn(migration, 'SuccessfulHandOver', message);
  return { verb: 'update', kind: 'VirtualMachineInstance', object, note };
}

function deriveState({ migration, vmi, observed, context, target }: Job): MigrationState | undefined {
  const source = findCurrentPod(vmi, observed.pods);
  const targetNode = target?.spec.nodeName;
  if (source === undefined || target === undefined || targetNode === undefined) return undefined;
  return {
    migrationUid: identityOf(migration).uid,
    migrationConfiguration: context.settings.migrations,
    sourceNode: vmi.status?.nodeName ?? '',
    sourcePod: identityOf(source).name,
    targetNode,
    targetPod: identityOf(target).name,
  };
}

function planByState(job: Job, state: MigrationState | undefined): Write | undefined {
  const phase = job.migration.status?.phase;
  if (state === undefined) return undefined;
  if (state.failed === true) return fail(job, 'source node reported migration failed');
  if (state.completed === true) {
    const note = noteOn(job.migration, 'SuccessfulMigration', 'Source node reported migration succeeded');
    return { ...toPhase(job, 'Succeeded'), note };
  }
  if (state.startTimestamp !== undefined) return phase === 'Running' ? undefined : toPhase(job, 'Running');
  const ready = state.targetNodeAddress !== undefined && phase === 'PreparingTarget';
  return ready ? toPhase(job, 'TargetReady') : undefined;
}

/** An ended migration keeps a copy of the VMI's migrationState and loses its finalizer. */
function planEnd({ migration, vmi, context }: Job): Write | undefined {
  const finalizers = migration.metadata.finalizers ?? [];
  if (!finalizers.includes(FINALIZER)) return undefined;
  const state = ownState(vmi, migration);
  const migrationState = state === undefined ? migration.status?.migrationState : state;
  if (!isSame(migrationState, migration.status?.migrationState) && migrationState !== undefined) {
    return updateStatus(migration, { ...migration.status, migrationState }, context);
  }
  return updateMeta(migration, { finalizers: finalizers.filter((one) => one !== FINALIZER) });
}

/** The VMI's migrationState when it is about this migration: the last one's stays until the next hand-off. */
function ownState(vmi: Vmi, migration: Vmim): MigrationState | undefined {
  const state = vmi.status?.migrationState;
  return state?.migrationUid === migration.metadata.uid ? state : undefined;
}

function toPhase({ migration, context }: Job, phase: string): Write {
  return updateStatus(migration, { ...migration.status, phase }, context);
}

function updateStatus(migration: Vmim, status: VmimStatus, { now }: Context): Write {
  const object = { ...migration, status: withPhaseTime(status, migration.status?.phase, now) };
  return { verb: 'status', kind: KIND, object };
}

function updateMeta(migration: Vmim, metadata: Partial<Vmim['metadata']>): Write {
  return { verb: 'update', kind: KIND, object: { ...migration, metadata: { ...migration.metadata, ...metadata } } };
}

function updateState(vmi: Vmi, migrationState: MigrationState): Write {
  const object = { ...vmi, status: { ...vmi.status, migrationState } };
  return { verb: 'update', kind: 'VirtualMachineInstance', object };
}

function deletePod(pod: Pod): Write {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  return { verb: 'delete', kind: 'Pod', name, namespace, uid };
}

function noteOn(migration: Vmim, reason: string, message: string): Note {
  return { on: KIND, name: migration.metadata.name ?? '', type: 'Normal', reason, message };
}
