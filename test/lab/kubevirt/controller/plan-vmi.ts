import { formatPodInterface } from '../names.ts';
import {
  areContainersReady,
  type Condition,
  findCondition,
  identityOf,
  isDeleting,
  isDown,
  isFinal,
  LABEL,
  NETWORK_STATUS,
  type Pod,
  UNPAUSED,
  type Vmi,
  type VmiInterface,
  type VmiStatus,
} from '../objects.ts';
import { parseNadName } from './annotations.ts';
import { isSame, withCondition } from './conditions.ts';
import { initialStatus, VM_FINALIZER, VMI_FINALIZER, withDefaults } from './defaults.ts';
import type { Context, Observed, Write } from './plan.ts';
import { parseList, planNetworks, refreshInterfaces, withMigrationRequired } from './plan-nics.ts';
import { isStorageOnly, planProvisioning, planStorageOnly } from './plan-volumes.ts';
import { renderLauncher } from './render.ts';

const KIND = 'VirtualMachineInstance';

/** The launcher that holds the guest now: the source until the VMI's node moves, then the target. */
export function findCurrentPod(vmi: Vmi, all: readonly Pod[]): Pod | undefined {
  const pods = all.filter((pod) => !isStorageOnly(pod));
  const { nodeName, migrationState } = vmi.status ?? {};
  const moved = migrationState?.endTimestamp !== undefined && nodeName === migrationState.targetNode;
  const name = moved && migrationState.failed !== true ? migrationState.targetPod : migrationState?.sourcePod;
  const named = pods.find((pod) => pod.metadata.name === name);
  if (named !== undefined) return named;
  const own = pods.filter((pod) => pod.metadata.labels?.[LABEL.migrationUid] === undefined || isOn(pod, nodeName));
  return own.toSorted((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1))[0];
}

function isOn(pod: Pod, node: string | undefined): boolean {
  return node !== undefined && pod.spec.nodeName === node;
}

function createdAt(pod: Pod): string {
  return pod.metadata.creationTimestamp ?? '';
}

/** The next write that a VMI and its launchers need. */
export function planVmi(observed: Observed, context: Context): Write | undefined {
  const { vmi, pods } = observed;
  if (vmi === undefined) return undefined;
  if (isDeleting(vmi)) return planVmiEnd(vmi, pods, context);
  if (vmi.status?.phase === undefined) return admit(vmi, context);
  const current = findCurrentPod(vmi, pods);
  if (vmi.status.phase === 'Pending' && pods.every(isStorageOnly)) return planFirstPod(vmi, observed, context);
  return planPresent(vmi, current, observed, context);
}

function planPresent(vmi: Vmi, current: Pod | undefined, observed: Observed, context: Context): Write | undefined {
  const { pods } = observed;
  const marked = planStorageOnly(pods) ?? planGate(vmi, current, context) ?? planNetworks(vmi, current, context);
  return marked ?? planVmiUpdate(vmi, observed, context) ?? planMarks(vmi, pods, current);
}

function planFirstPod(vmi: Vmi, observed: Observed, context: Context): Write | undefined {
  const provisioning = planProvisioning(vmi, observed.pods, context) ?? planLauncher(vmi, observed, context);
  return provisioning === 'wait' ? undefined : provisioning;
}

function planMarks(vmi: Vmi, pods: readonly Pod[], current: Pod | undefined): Write | undefined {
  return planPodLabel(vmi, current) ?? planReadyMark(vmi, pods);
}

/** What virt-api's webhook does to a VMI that nobody's VM made. */
function admit(vmi: Vmi, { now }: Context): Write {
  const { name, namespace, finalizers = [], annotations } = vmi.metadata;
  const spec = withDefaults(vmi.spec, `${namespace}/${name}`);
  const metadata = {
    ...vmi.metadata,
    annotations: { 'kubevirt.io/pci-topology-version': 'v3', ...annotations },
    finalizers: finalizers.includes(VMI_FINALIZER) ? finalizers : [...finalizers, VMI_FINALIZER],
  };
  return { verb: 'update', kind: KIND, object: { ...vmi, metadata, spec, status: initialStatus(spec, now) } };
}

function planLauncher(vmi: Vmi, { nads }: Observed, context: Context): Write | undefined {
  const absent = (vmi.spec.networks ?? [])
    .flatMap(({ multus }) =>
      multus === undefined ? [] : [parseNadName(multus.networkName, vmi.metadata.namespace ?? '')],
    )
    .find(({ namespace, name }) => !nads.has(`${namespace}/${name}`));
  if (absent !== undefined) return reportMissingNad(vmi, `${absent.namespace}/${absent.name}`, context);
  const pod = renderLauncher(vmi, context);
  const message = `Created virtual machine pod ${pod.metadata.generateName ?? ''}`;
  return {
    verb: 'create',
    kind: 'Pod',
    object: pod,
    note: { on: KIND, name: vmi.metadata.name ?? '', type: 'Normal', reason: 'SuccessfulCreate', message },
  };
}

function reportMissingNad(vmi: Vmi, nad: string, { now }: Context): Write | undefined {
  const message = `failed to render launch manifest: failed to locate network attachment definition ${nad}`;
  const condition: Condition = { type: 'Synchronized', status: 'False', reason: 'FailedCreate', message };
  const conditions = withCondition(vmi.status?.conditions ?? [], condition, now);
  if (isSame(conditions, vmi.status?.conditions)) return undefined;
  return { verb: 'update', kind: KIND, object: { ...vmi, status: { ...vmi.status, conditions } } };
}

/** The readiness gate is set only on the pod of the VMI's present node, and says whether the guest is paused. */
function planGate(vmi: Vmi, pod: Pod | undefined, { now }: Context): Write | undefined {
  if (pod === undefined || isDown(pod)) return undefined;
  const conditions = pod.status?.conditions ?? [];
  const gate = deriveGate(findCondition(vmi.status?.conditions, 'Paused')?.status === 'True');
  if (findCondition(conditions, UNPAUSED)?.status === gate.status) return undefined;
  const others = conditions.filter(({ type }) => type !== UNPAUSED);
  const times = { lastProbeTime: now, lastTransitionTime: now };
  const status = { ...pod.status, conditions: [...others, { ...gate, ...times }] };
  return { verb: 'status', kind: 'Pod', object: { ...pod, status } };
}

function deriveGate(paused: boolean): Condition {
  if (paused) return { type: UNPAUSED, status: 'False', reason: 'Paused', message: 'the virtual machine is paused' };
  return { type: UNPAUSED, status: 'True', reason: 'NotPaused', message: 'the virtual machine is not paused' };
}

function planPodLabel(vmi: Vmi, pod: Pod | undefined): Write | undefined {
  const node = vmi.status?.nodeName;
  if (pod === undefined || node === undefined || pod.metadata.labels?.[LABEL.node] === node) return undefined;
  const metadata = { ...pod.metadata, labels: { ...pod.metadata.labels, [LABEL.node]: node } };
  return { verb: 'update', kind: 'Pod', object: { ...pod, metadata } };
}

/** The switch-over signal on the target pod; Go's `Time.String()`, not RFC 3339. */
function planReadyMark(vmi: Vmi, pods: readonly Pod[]): Write | undefined {
  const state = vmi.status?.migrationState;
  const pod = pods.find((one) => one.metadata.name === state?.targetPod);
  const at = state?.targetNodeDomainReadyTimestamp;
  const key = 'kubevirt.io/migration-target-ready-timestamp';
  if (pod === undefined || at === undefined || pod.metadata.annotations?.[key] !== undefined) return undefined;
  const value = `${at.slice(0, 10)} ${at.slice(11, 19)} +0000 UTC`;
  const metadata = { ...pod.metadata, annotations: { ...pod.metadata.annotations, [key]: value } };
  return { verb: 'update', kind: 'Pod', object: { ...pod, metadata } };
}

function planVmiUpdate(vmi: Vmi, observed: Observed, context: Context): Write | undefined {
  const { pods } = observed;
  const status = deriveStatus(vmi, pods, context);
  const node = vmi.status?.nodeName ?? status.nodeName;
  const labels =
    node === undefined || status.phase !== 'Scheduled'
      ? vmi.metadata.labels
      : { ...vmi.metadata.labels, [LABEL.node]: node };
  const next = { ...vmi, metadata: { ...vmi.metadata, ...(labels === undefined ? {} : { labels }) }, status };
  return isSame(next, vmi) ? undefined : { verb: 'update', kind: KIND, object: next };
}

function deriveStatus(vmi: Vmi, pods: readonly Pod[], context: Context): VmiStatus {
  const { now, image } = context;
  const current = findCurrentPod(vmi, pods);
  const phase = derivePhase(vmi, current);
  const { activePods: _, ...kept } = vmi.status ?? {};
  const active = pods.map((pod) => [pod.metadata.uid ?? '', pod.spec.nodeName ?? '']);
  const status: VmiStatus = {
    ...kept,
    phase,
    ...(active.length === 0 ? {} : { activePods: Object.fromEntries(active) }),
    conditions: deriveConditions(vmi, current, phase, context),
    ...describePod(current, image),
    ...(phase === 'Scheduled' && kept.phase === 'Scheduling' ? describePlace(vmi, current) : {}),
    ...(phase === 'Running' ? describeNics(vmi, current) : {}),
  };
  return withPhaseTime(status, kept.phase, now);
}

function describePod(pod: Pod | undefined, image: string): Partial<VmiStatus> {
  if (pod === undefined) return {};
  const qosClass = pod.status?.qosClass;
  return { launcherContainerImageVersion: image, ...(qosClass === undefined ? {} : { qosClass }) };
}

/** What a VMI learns when its launcher is ready. */
function describePlace(vmi: Vmi, pod: Pod | undefined): Partial<VmiStatus> {
  const nodeName = pod?.spec.nodeName;
  if (pod === undefined || nodeName === undefined) return {};
  return { interfaces: deriveInterfaces(vmi, pod), migrationTransport: 'Unix', nodeName };
}

function describeNics(vmi: Vmi, pod: Pod | undefined): Partial<VmiStatus> {
  if (pod === undefined || vmi.status?.interfaces === undefined) return {};
  return { interfaces: refreshInterfaces(vmi, pod, NETWORK_STATUS) };
}

export function withPhaseTime<
  S extends { phase?: string; phaseTransitionTimestamps?: VmiStatus['phaseTransitionTimestamps'] },
>(status: S, before: string | undefined, now: string): S {
  if (status.phase === undefined || status.phase === before) return status;
  const entry = { phase: status.phase, phaseTransitionTimestamp: now };
  return { ...status, phaseTransitionTimestamps: [...(status.phaseTransitionTimestamps ?? []), entry] };
}

/** Phases up to Scheduled, and Failed for a launcher that is lost, are the controller's; the others the handler's. */
function derivePhase(vmi: Vmi, pod: Pod | undefined): string {
  const phase = vmi.status?.phase ?? 'Pending';
  if (isFinal(vmi)) return phase;
  if (pod === undefined) return phase === 'Pending' ? phase : 'Failed';
  return phase === 'Running' ? phase : deriveEarlyPhase(phase, pod);
}

function deriveEarlyPhase(phase: string, pod: Pod): string {
  if (isDown(pod)) return 'Failed';
  if (phase === 'Pending') return 'Scheduling';
  if (isDeleting(pod)) return 'Failed';
  return phase === 'Scheduling' && areContainersReady(pod) ? 'Scheduled' : phase;
}

function deriveConditions(vmi: Vmi, pod: Pod | undefined, phase: string, context: Context): Condition[] {
  const { now } = context;
  const present = (vmi.status?.conditions ?? []).filter(
    ({ type }) => type !== 'PodScheduled' && type !== 'Synchronized',
  );
  const scheduled = findCondition(pod?.status?.conditions, 'PodScheduled');
  const unscheduled = scheduled?.status === 'False' ? [copyCondition(scheduled)] : [];
  const ready = withCondition(present, { type: 'Ready', ...deriveReady(pod, phase) }, now);
  const evicted = withEvictionRequested(ready, vmi, now);
  return [...withMigrationRequired(evicted, vmi, pod, context), ...unscheduled];
}

function withEvictionRequested(conditions: Condition[], vmi: Vmi, now: string): Condition[] {
  const type = 'EvictionRequested';
  if (vmi.status?.evacuationNodeName === undefined) return conditions.filter((one) => one.type !== type);
  if (findCondition(conditions, type) !== undefined) return conditions;
  const times = { lastProbeTime: now, lastTransitionTime: now };
  return [...conditions, { type, status: 'True', reason: type, message: 'VMI is marked for eviction', ...times }];
}

/** A pod's condition without the fields that a VMI's condition does not have and the API server would drop. */
function copyCondition({ type, status, reason, message, lastProbeTime, lastTransitionTime }: Condition): Condition {
  const text = { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
  return {
    type,
    status,
    ...text,
    lastProbeTime: lastProbeTime ?? null,
    lastTransitionTime: lastTransitionTime ?? null,
  };
}

function deriveReady(pod: Pod | undefined, phase: string): Omit<Condition, 'type'> {
  if (pod === undefined) {
    return { status: 'False', reason: 'PodNotExists', message: 'virt-launcher pod has not yet been scheduled' };
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    return { status: 'False', reason: 'PodTerminating', message: 'virt-launcher pod is terminating' };
  }
  if (phase !== 'Running') {
    return { status: 'False', reason: 'GuestNotRunning', message: 'Guest VM is not reported as running' };
  }
  const ready = findCondition(pod.status?.conditions, 'Ready');
  if (ready?.status === 'True') return { status: 'True' };
  const { reason, message } = ready ?? {};
  return {
    status: 'False',
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The first form of `status.interfaces`: pod interfaces, and which of them Multus reports as plugged. */
function deriveInterfaces(vmi: Vmi, pod: Pod): VmiInterface[] {
  const reported = parseList(pod.metadata.annotations?.[NETWORK_STATUS]);
  const primary = reported.find((entry) => entry.default === true)?.interface ?? 'eth0';
  const all = (vmi.spec.networks ?? []).map((network): VmiInterface => {
    const isPrimary = network.pod !== undefined || network.multus?.default === true;
    const podInterfaceName = isPrimary ? primary : formatPodInterface(network.name);
    const plugged = !isPrimary && reported.some((entry) => entry.interface === podInterfaceName);
    return { name: network.name, podInterfaceName, ...(plugged ? { infoSource: 'multus-status' } : {}) };
  });
  return all.toSorted((a, b) => Number(b.podInterfaceName === primary) - Number(a.podInterfaceName === primary));
}

/** Deletion: launchers first, then the phase, then the finalizers once no launcher is left in the API. */
function planVmiEnd(vmi: Vmi, pods: readonly Pod[], context: Context): Write | undefined {
  const pod = pods.find((one) => !isDeleting(one));
  if (pod !== undefined) return deleteLauncher(vmi, pod);
  const finalizers = remainingFinalizers(vmi, pods);
  if (finalizers.length < (vmi.metadata.finalizers ?? []).length) {
    return { verb: 'update', kind: KIND, object: { ...vmi, metadata: { ...vmi.metadata, finalizers } } };
  }
  const status = deriveStatus(vmi, pods, context);
  if (pods.length === 0 && !isFinal(vmi)) status.phase = 'Failed';
  return isSame(status, vmi.status) ? undefined : { verb: 'update', kind: KIND, object: { ...vmi, status } };
}

function deleteLauncher(vmi: Vmi, pod: Pod): Write {
  const identity = identityOf(pod);
  const message = `Deleted virtual machine pod ${identity.name}`;
  const on = { on: KIND, name: identityOf(vmi).name } as const;
  const note = { ...on, type: 'Normal', reason: 'SuccessfulDelete', message } as const;
  return { verb: 'delete', kind: 'Pod', ...identity, note };
}

function remainingFinalizers(vmi: Vmi, pods: readonly Pod[]): string[] {
  const all = vmi.metadata.finalizers ?? [];
  if (!isFinal(vmi)) return all;
  const ended = pods.length === 0 ? [VM_FINALIZER, VMI_FINALIZER] : [VM_FINALIZER];
  return all.filter((name) => !ended.includes(name));
}
