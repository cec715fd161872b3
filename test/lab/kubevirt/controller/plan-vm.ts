import {
  type Condition,
  findCondition,
  identityOf,
  isDeleting,
  isFinal,
  isOwnedBy,
  type Vm,
  type Vmi,
  type VmStatus,
} from '../objects.ts';
import { isSame, withCondition } from './conditions.ts';
import { deriveVmi, generationOf, VM_FINALIZER, vmOwner, withGeneration } from './defaults.ts';
import type { Context, Note, Observed, Write } from './plan.ts';

type Strategy = 'Always' | 'Halted' | 'RerunOnFailure' | 'Manual' | 'Once';
const COPIED = [
  'LiveMigratable',
  'StorageLiveMigratable',
  'PodScheduled',
  'Paused',
  'MigrationRequired',
  'EvictionRequested',
];
const BACKOFF_SECONDS = [10, 20, 40, 80, 160, 300];

/** What the VM's owner wants, in its new or its old form. */
export function strategyOf(vm: Vm): Strategy {
  return (vm.spec.runStrategy as Strategy | undefined) ?? (vm.spec.running === true ? 'Always' : 'Halted');
}

/** The next write that the VM itself asks for: its finalizer, the making and the deletion of its VMI, its own end. */
export function planVm({ vm, vmi }: Observed, context: Context): Write | undefined {
  if (vm === undefined) return undefined;
  if (isDeleting(vm)) return planVmEnd(vm, vmi);
  const { finalizers = [] } = vm.metadata;
  if (!finalizers.includes(VM_FINALIZER)) {
    return updateVm(vm, { ...vm.metadata, finalizers: [...finalizers, VM_FINALIZER] });
  }
  if (vmi === undefined) return wantsStart(vm, context) ? createVmi(vm, context) : undefined;
  return planPresent(vm, vmi);
}

function planPresent(vm: Vm, vmi: Vmi): Write | undefined {
  if (!isOwnedBy(vmi, vm)) return isOrphan(vmi) ? adopt(vm, vmi) : undefined;
  return !isDeleting(vmi) && mustStop(vm, vmi) ? stop(vm, vmi) : undefined;
}

/** With the garbage collector's `orphan` on the VM its VMI goes on, also before that one has taken the owner off it. */
function planVmEnd(vm: Vm, vmi: Vmi | undefined): Write | undefined {
  const orphans = (vm.metadata.finalizers ?? []).includes('orphan');
  if (vmi !== undefined && !orphans && isOwnedBy(vmi, vm)) {
    return vmi.metadata.deletionTimestamp === undefined ? deleteVmi(vm, vmi) : undefined;
  }
  const finalizers = (vm.metadata.finalizers ?? []).filter((name) => name !== VM_FINALIZER);
  if (finalizers.length === (vm.metadata.finalizers ?? []).length) return undefined;
  return updateVm(vm, { ...vm.metadata, finalizers });
}

function wantsStart(vm: Vm, { now }: Context): boolean {
  const retry = vm.status?.startFailure?.retryAfterTimestamp;
  const waits = retry !== undefined && retry > now;
  return !waits && (wasAskedToStart(vm) || startsByItself(vm));
}

function wasAskedToStart(vm: Vm): boolean {
  return vm.status?.stateChangeRequests?.[0]?.action === 'Start';
}

/** After a guest has shut itself down, RerunOnFailure and Once start no other. */
function startsByItself(vm: Vm): boolean {
  const strategy = strategyOf(vm);
  if (strategy === 'Always') return true;
  if (strategy !== 'RerunOnFailure' && strategy !== 'Once') return false;
  const { startFailure, runStrategy } = vm.status ?? {};
  return startFailure !== undefined || runStrategy !== strategy;
}

function mustStop(vm: Vm, vmi: Vmi): boolean {
  const [request] = vm.status?.stateChangeRequests ?? [];
  if (request?.action === 'Stop' && request.uid === vmi.metadata.uid) return true;
  const strategy = strategyOf(vm);
  if (strategy === 'Halted') return true;
  return isFinal(vmi) && (strategy === 'Always' || strategy === 'RerunOnFailure');
}

/** A stop by the VM's spec first shows the new generation on the VMI. */
function stop(vm: Vm, vmi: Vmi): Write {
  const generation = vm.metadata.generation ?? 1;
  if (strategyOf(vm) === 'Halted' && generationOf(vmi) !== String(generation)) {
    return { verb: 'update', kind: 'VirtualMachineInstance', object: withGeneration(vmi, generation) };
  }
  return deleteVmi(vm, vmi);
}

function createVmi(vm: Vm, { now }: Context): Write {
  const name = vm.metadata.name ?? '';
  const message = `Started the virtual machine by creating the new virtual machine instance ${name}`;
  const note: Note = { on: 'VirtualMachine', name, type: 'Normal', reason: 'SuccessfulCreate', message };
  return { verb: 'create', kind: 'VirtualMachineInstance', object: deriveVmi(vm, now), note };
}

function deleteVmi(vm: Vm, vmi: Vmi): Write {
  const { name = '', namespace = '', uid = '' } = vmi.metadata;
  const message = `Stopped the virtual machine by deleting the virtual machine instance ${uid}`;
  const on = { on: 'VirtualMachine', name: vm.metadata.name ?? '' } as const;
  const note: Note = { ...on, type: 'Normal', reason: 'SuccessfulDelete', message };
  return { verb: 'delete', kind: 'VirtualMachineInstance', name, namespace, uid, note };
}

function adopt(vm: Vm, vmi: Vmi): Write {
  const ownerReferences = [...(vmi.metadata.ownerReferences ?? []), vmOwner(vm)];
  const object = { ...vmi, metadata: { ...vmi.metadata, ownerReferences } };
  return { verb: 'update', kind: 'VirtualMachineInstance', object };
}

function updateVm(vm: Vm, metadata: Vm['metadata']): Write {
  return { verb: 'update', kind: 'VirtualMachine', object: { ...vm, metadata } };
}

function isOrphan(vmi: Vmi): boolean {
  return !(vmi.metadata.ownerReferences ?? []).some((owner) => owner.controller === true);
}

/** The write that makes the VM's status say how its VMI is. */
export function planVmStatus(observed: Observed, context: Context): Write | undefined {
  const { vm } = observed;
  if (vm === undefined) return undefined;
  const status = deriveVmStatus(vm, observed.vmi, context);
  if (isSame(status, vm.status ?? {})) return undefined;
  return { verb: 'status', kind: 'VirtualMachine', object: { ...vm, status } };
}

function deriveVmStatus(vm: Vm, found: Vmi | undefined, context: Context): VmStatus {
  const vmi = found !== undefined && isOwnedBy(found, vm) ? found : undefined;
  const { created: _, ready: __, stateChangeRequests: ___, startFailure: ____, ...kept } = vm.status ?? {};
  const { generation = 1 } = vm.metadata;
  return {
    ...kept,
    conditions: deriveConditions(vm, vmi, context.now),
    ...deriveFlags(vmi),
    printableStatus: derivePrintable(vm, vmi, context),
    runStrategy: strategyOf(vm),
    desiredGeneration: generation,
    ...(isDeleting(vm) ? {} : { observedGeneration: generation }),
    ...pendingRequests(vm, vmi),
    ...deriveStartFailure(vm, vmi, context),
  };
}

function deriveFlags(vmi: Vmi | undefined): Pick<VmStatus, 'created' | 'ready'> {
  if (vmi === undefined) return {};
  const ready = findCondition(vmi.status?.conditions, 'Ready')?.status === 'True';
  return { created: true, ...(ready ? { ready } : {}) };
}

function pendingRequests(vm: Vm, vmi: Vmi | undefined): Pick<VmStatus, 'stateChangeRequests'> {
  const requests = vm.status?.stateChangeRequests ?? [];
  const pending = requests.filter(({ action, uid }) =>
    action === 'Stop'
      ? uid === vmi?.metadata.uid
      : vmi === undefined || isLeaving(vmi) || requests[0]?.action === 'Stop',
  );
  return pending.length === 0 ? {} : { stateChangeRequests: pending };
}

function isLeaving(vmi: Vmi): boolean {
  return isDeleting(vmi) || isFinal(vmi);
}

/** A VMI that failed before its guest ran makes the VM wait, longer each time. */
function deriveStartFailure(vm: Vm, vmi: Vmi | undefined, context: Context): Pick<VmStatus, 'startFailure'> {
  const { startFailure } = vm.status ?? {};
  if (strategyOf(vm) === 'Halted' || (vmi !== undefined && hasRun(vmi))) return {};
  if (vmi !== undefined && isNewFailure(vmi, startFailure)) {
    return { startFailure: countFailure(startFailure, identityOf(vmi).uid, context) };
  }
  return startFailure === undefined ? {} : { startFailure };
}

function isNewFailure(vmi: Vmi, known: VmStatus['startFailure']): boolean {
  return vmi.status?.phase === 'Failed' && known?.lastFailedVMIUID !== vmi.metadata.uid;
}

function hasRun(vmi: Vmi): boolean {
  return (vmi.status?.phaseTransitionTimestamps ?? []).some(({ phase }) => phase === 'Running');
}

function countFailure(
  known: VmStatus['startFailure'],
  lastFailedVMIUID: string,
  { now }: Context,
): NonNullable<VmStatus['startFailure']> {
  const consecutiveFailCount = (known?.consecutiveFailCount ?? 0) + 1;
  const seconds = BACKOFF_SECONDS[Math.min(consecutiveFailCount, BACKOFF_SECONDS.length) - 1] ?? 300;
  const retryAfterTimestamp = formatSeconds(Date.parse(now) + seconds * 1000);
  return { consecutiveFailCount, lastFailedVMIUID, retryAfterTimestamp };
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export function formatSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function derivePrintable(vm: Vm, vmi: Vmi | undefined, context: Context): string {
  if (isDeleting(vm)) return 'Terminating';
  return vmi === undefined ? printStopped(vm, vmi, context) : printPresent(vm, vmi, context);
}

function printStopped(vm: Vm, vmi: Vmi | undefined, context: Context): string {
  return deriveStartFailure(vm, vmi, context).startFailure === undefined ? 'Stopped' : 'CrashLoopBackOff';
}

/** A migration that never ended is still shown of a VMI that has. */
function printPresent(vm: Vm, vmi: Vmi, context: Context): string {
  if (isFinal(vmi)) return isMigrating(vmi) ? 'Migrating' : printStopped(vm, vmi, context);
  if (isDeleting(vmi)) return 'Stopping';
  return vmi.status?.phase === 'Running' ? printRunning(vmi) : printStarting(vmi);
}

function printStarting(vmi: Vmi): string {
  return isUnschedulable(vmi) ? 'ErrorUnschedulable' : 'Starting';
}

function printRunning(vmi: Vmi): string {
  if (findCondition(vmi.status?.conditions, 'Paused')?.status === 'True') return 'Paused';
  return isMigrating(vmi) ? 'Migrating' : 'Running';
}

function isUnschedulable(vmi: Vmi): boolean {
  const condition = findCondition(vmi.status?.conditions, 'PodScheduled');
  return condition?.status === 'False' && condition.reason === 'Unschedulable';
}

function isMigrating(vmi: Vmi): boolean {
  const state = vmi.status?.migrationState;
  return state?.startTimestamp !== undefined && state.endTimestamp === undefined && state.failed !== true;
}

function deriveConditions(vm: Vm, vmi: Vmi | undefined, now: string): Condition[] {
  const present = (vm.status?.conditions ?? []).filter(
    ({ type }) => type === 'Ready' || !COPIED.includes(type) || vmi === undefined,
  );
  const ready = vmi === undefined ? missing('VMI does not exist', 'VMINotExists') : readyOf(vmi);
  const copied = COPIED.flatMap((type) => findCondition(vmi?.status?.conditions, type) ?? []);
  const kept = vmi === undefined ? present : present.filter((one) => !COPIED.includes(one.type) && !isOld(one, vmi));
  return [...withCondition(kept, { ...ready, type: 'Ready' }, now), ...copied];
}

/** A VMI that was made after RestartRequired has what the template says. */
function isOld({ type, lastTransitionTime }: Condition, { metadata }: Vmi): boolean {
  return type === 'RestartRequired' && (metadata.creationTimestamp ?? '') > (lastTransitionTime ?? '');
}

function readyOf(vmi: Vmi): Condition {
  const known = findCondition(vmi.status?.conditions, 'Ready');
  if (known === undefined) return missing('VMI is missing the Ready condition', 'VMIConditionMissing');
  const { lastProbeTime: _, lastTransitionTime: __, ...rest } = known;
  return rest;
}

function missing(message: string, reason: string): Condition {
  return { type: 'Ready', status: 'False', message, reason };
}
