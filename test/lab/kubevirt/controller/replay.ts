import type { FlowObject, FlowStep } from '../flows.ts';
import {
  type Condition,
  findCondition,
  identityOf,
  type KubeNode,
  LABEL,
  type MigrationState,
  NETWORK_STATUS,
  type Pod,
  UNPAUSED,
  type Vm,
  type Vmi,
  type Vmim,
  type VmiStatus,
} from '../objects.ts';
import { type Context, type Kind, type Observed, planNext, type Write } from './plan.ts';
import { deriveTraffic } from './plan-automatic.ts';
import { deriveSettings } from './settings.ts';

/** Replays a recorded flow against the planner: the API server, and everybody but the controllers, played from the record. */
export type World = Map<string, FlowObject>;

const IMAGE = 'registry.example/kubevirt/virt-launcher:v1.8.4';
const TURNS = 60;
export const KINDS = ['VirtualMachine', 'VirtualMachineInstance', 'VirtualMachineInstanceMigration', 'Pod'];
type Any = { metadata: Record<string, unknown> & { name?: string; uid?: string } } & Record<string, unknown>;

export const keyOf = (object: FlowObject) => `${object.kind}/${object.metadata?.uid ?? ''}`;

/** Every object as the steps so far left it. */
export function worldAfter(steps: readonly FlowStep[]): World {
  const world: World = new Map();
  for (const step of steps) {
    for (const change of step.changes.filter((one) => one.type === 'DELETED')) dropNamed(world, change);
    for (const object of step.objects.filter((one) => KINDS.includes(one.kind))) {
      if (!isGoneAgain(step, object)) world.set(keyOf(object), object);
    }
  }
  return structuredClone(world);
}

function dropNamed(world: World, { kind, name }: { kind: string; name: string }): void {
  for (const [key, object] of world) if (object.kind === kind && object.metadata?.name === name) world.delete(key);
}

function isGoneAgain(step: FlowStep, object: FlowObject): boolean {
  const last = step.changes.filter((one) => one.kind === object.kind && one.name === object.metadata?.name).at(-1);
  return last?.type === 'DELETED';
}

/** What others than the controllers did in a step: user, scheduler, kubelet, Multus, virt-handler. */
export function play(world: World, step: FlowStep): void {
  for (const recorded of step.objects.filter((one) => KINDS.includes(one.kind))) {
    const own = world.get(keyOf(recorded));
    if (own === undefined) {
      if (isMadeByOthers(step, recorded)) world.set(keyOf(recorded), asCreated(recorded));
    } else playOn(own as Any & FlowObject, recorded as Any & FlowObject, step.writer);
  }
  for (const change of step.changes.filter((one) => one.type === 'DELETED' && one.kind === 'Pod'))
    dropNamed(world, change);
  if (step.writer.startsWith('user')) playDeletions(world, step);
}

/** Migrations that the user deleted in this step and that the step's records therefore do not hold any more. */
function playDeletions(world: World, step: FlowStep): void {
  const deleted = step.changes.filter(
    (one) => one.type === 'DELETED' && one.kind === 'VirtualMachineInstanceMigration',
  );
  for (const object of world.values()) {
    if (
      object.metadata !== undefined &&
      deleted.some((one) => one.name === object.metadata?.name && one.kind === object.kind)
    ) {
      object.metadata.deletionTimestamp ??= step.time;
    }
  }
}

function isMadeByOthers(step: FlowStep, object: FlowObject): boolean {
  if (object.kind === 'Pod') return false;
  if (object.kind === 'VirtualMachineInstanceMigration') return !object.metadata?.name?.startsWith('kubevirt-');
  if (object.kind !== 'VirtualMachineInstance') return true;
  return (object.metadata?.ownerReferences ?? []).length === 0 && step.step !== '';
}

/** A user's object as virt-api's webhooks let it in. */
function asCreated(recorded: FlowObject): FlowObject {
  const { status: _, ...object } = structuredClone(recorded) as FlowObject & { status?: unknown };
  if (object.kind === 'VirtualMachine' && object.metadata !== undefined) delete object.metadata.finalizers;
  return object;
}

const HANDLER_STATE = [
  'targetNodeAddress',
  'targetDirectMigrationNodePorts',
  'targetNodeDomainDetected',
  'targetNodeDomainReadyTimestamp',
  'startTimestamp',
  'endTimestamp',
  'completed',
  'failed',
  'failureReason',
  'abortStatus',
  'mode',
];

function playOn(own: Any & FlowObject, recorded: Any & FlowObject, writer: string): void {
  const { deletionTimestamp } = recorded.metadata;
  if (deletionTimestamp !== undefined && isDeletedByUser(own)) own.metadata.deletionTimestamp = deletionTimestamp;
  if (own.kind === 'VirtualMachine') playOnVm(own, recorded, writer);
  if (own.kind === 'Pod') playOnPod(own as unknown as Pod, recorded as unknown as Pod);
  if (own.kind === 'VirtualMachineInstance') playOnVmi(own as unknown as Vmi, recorded as unknown as Vmi, writer);
}

/** A VM's spec is its owner's; what KubeVirt takes out of its template after an unplug is for the plan to do. */
function playOnVm(own: Any & FlowObject, recorded: Any & FlowObject, writer: string): void {
  const { template } = (own.spec ?? {}) as { template?: unknown };
  Object.assign(own, { spec: writer.startsWith('user') ? recorded.spec : { ...recorded.spec, template } });
  own.metadata.generation = recorded.metadata.generation;
  const { stateChangeRequests } = (recorded.status ?? {}) as { stateChangeRequests?: unknown[] };
  if (stateChangeRequests?.length === 2) Object.assign(own.status ?? {}, { stateChangeRequests });
}

/** Launchers, and the VMIs of VMs, are deleted by the controllers. */
function isDeletedByUser(own: FlowObject): boolean {
  if (own.kind === 'VirtualMachineInstance') return (own.metadata?.ownerReferences ?? []).length === 0;
  return own.kind !== 'Pod';
}

function playOnPod(own: Pod, recorded: Pod): void {
  const gate = own.status?.conditions?.filter((one) => one.type === UNPAUSED) ?? [];
  const others = recorded.status?.conditions?.filter((one) => one.type !== UNPAUSED) ?? [];
  own.spec = recorded.spec;
  const conditions = [...others, ...gate];
  own.status = { ...recorded.status, conditions };
  if (conditions.length === 0) delete own.status.conditions;
  const plugged = recorded.metadata.annotations?.[NETWORK_STATUS];
  if (plugged !== undefined) own.metadata.annotations = { ...own.metadata.annotations, [NETWORK_STATUS]: plugged };
}

const HANDLER_PHASES = ['Running', 'Succeeded'];
const HANDLED_PHASES = ['Scheduled', 'Running'];

function playOnVmi(own: Vmi, recorded: Vmi, writer: string): void {
  own.status ??= {};
  const { evacuationNodeName } = recorded.status ?? {};
  // What virt-api's webhook for evictions writes.
  if (writer.startsWith('user') && evacuationNodeName !== undefined) Object.assign(own.status, { evacuationNodeName });
  if (writer.includes('virt-handler')) playHandler(own, own.status, recorded);
}

function playHandler(own: Vmi, status: VmiStatus, recorded: Vmi): void {
  const { phase = '', migrationState, conditions = [] } = recorded.status ?? {};
  if (HANDLER_PHASES.includes(phase) && HANDLED_PHASES.includes(status.phase ?? '')) {
    status.phase = phase;
    playReport(own, recorded);
  }
  playMigration(own.status?.migrationState, migrationState);
  playEnd(own.status ?? {}, conditions);
}

/** A guest that runs on the target needs no migration any more, and once its VMI has moved it is not evacuated. */
function playEnd(own: VmiStatus, recorded: readonly Condition[]): void {
  const { targetNodeDomainReadyTimestamp: ready, endTimestamp } = own.migrationState ?? {};
  const required = 'MigrationRequired';
  if (ready !== undefined && findCondition(recorded, required) === undefined) {
    own.conditions = (own.conditions ?? []).filter((one) => one.type !== required);
  }
  if (endTimestamp !== undefined) delete own.evacuationNodeName;
}

/** What virt-handler reports of a guest: interfaces, conditions, and where it is. */
function playReport(own: Vmi, recorded: Vmi): void {
  const now = recorded.status ?? {};
  const fields = ['interfaces', 'machine', 'migrationMethod', 'selinuxContext', 'nodeName'] as const;
  const known = fields.filter((field) => now[field] !== undefined).map((field) => [field, now[field]]);
  const handlers = ['LiveMigratable', 'StorageLiveMigratable', 'Paused'];
  const rest = (own.status?.conditions ?? []).filter((one) => !handlers.includes(one.type));
  const conditions = [...rest, ...(now.conditions ?? []).filter((one) => handlers.includes(one.type))];
  own.status = { ...own.status, ...Object.fromEntries(known), conditions };
  playLabels(own, recorded.metadata.labels ?? {});
}

function playLabels(own: Vmi, recorded: Record<string, string>): void {
  const { [LABEL.targetNode]: target, ...labels } = own.metadata.labels ?? {};
  const kept = target !== undefined && recorded[LABEL.targetNode] !== undefined ? { [LABEL.targetNode]: target } : {};
  const node = recorded[LABEL.node] === undefined ? {} : { [LABEL.node]: recorded[LABEL.node] };
  Object.assign(own.metadata, { labels: { ...labels, ...kept, ...node } });
}

function playMigration(own: MigrationState | undefined, recorded: MigrationState | undefined): void {
  if (own === undefined || recorded === undefined || own.migrationUid !== recorded.migrationUid) return;
  if (isWrittenByController(own, recorded)) return;
  const fields = Object.entries(recorded).filter(([field]) => HANDLER_STATE.includes(field));
  Object.assign(own, Object.fromEntries(fields));
}

/** A lost target is written by the controller, with `completed` and `failed` at once. */
function isWrittenByController(
  before: { failed?: boolean },
  after: { failed?: boolean; completed?: boolean },
): boolean {
  return after.failed === true && after.completed === true && before.failed !== true;
}

/** Runs the planner against the world until it has nothing to do, as the API server would answer it. */
export function settle(world: World, step: FlowStep, now = step.time): void {
  for (let turn = 0; turn < TURNS; turn += 1) {
    const write = names(world)
      .map((name) => planNext(observe(world, name), contextOf(now)))
      .find((one) => one !== undefined);
    if (write === undefined) return;
    perform(world, step, write);
  }
  throw new Error('the plan does not settle');
}

function names(world: World): string[] {
  const all = [...world.values()].flatMap((one) => {
    if (one.kind === 'Pod') return [];
    return one.kind === 'VirtualMachineInstanceMigration' ? [String(one.spec?.vmiName)] : [one.metadata?.name ?? ''];
  });
  return [...new Set(all)];
}

/** Gates, strategies and limits of the KubeVirt CR under which the flows were recorded. */
const SETTINGS = deriveSettings({
  metadata: {},
  spec: {
    configuration: { developerConfiguration: { featureGates: ['LiveUpdateNADRef'] } },
    workloadUpdateStrategy: { workloadUpdateMethods: ['LiveMigrate'] },
  },
});

function contextOf(now: string): Context {
  return { now, image: IMAGE, qemuTimeout: 300, plugins: {}, settings: SETTINGS };
}

function observe(world: World, name: string): Observed {
  const all = [...world.values()];
  const find = (kind: string) => all.find((one) => one.kind === kind && one.metadata?.name === name);
  const vmi = find('VirtualMachineInstance') as unknown as Vmi | undefined;
  const pods = all.filter((one) => one.kind === 'Pod' && one.metadata?.ownerReferences?.[0]?.uid === vmi?.metadata.uid);
  const jobs = all.filter((one) => one.kind === 'VirtualMachineInstanceMigration' && one.spec?.vmiName === name);
  return {
    vm: find('VirtualMachine') as unknown as Vm | undefined,
    vmi,
    pods: pods as unknown as Pod[],
    migrations: jobs as unknown as Vmim[],
    nodes: ['node1', 'node2', 'node3', 'node4'].map((node): KubeNode => ({ metadata: { name: node, labels: {} } })),
    nads: new Set(['default/biz', 'default/biznew', 'default/hotnet']),
    attachments: [],
    traffic: deriveTraffic(jobs as unknown as Vmim[], () => vmi),
  };
}

function perform(world: World, step: FlowStep, write: Write): void {
  if (write.verb === 'create') create(world, step, { kind: write.kind, object: write.object as unknown as FlowObject });
  else if (write.verb === 'delete') remove(world, `${write.kind}/${write.uid}`, step);
  else replace(world, `${write.kind}/${identityOf(write.object).uid}`, write.object as unknown as FlowObject);
}

/** A deleted object is gone with its last finalizer. */
function replace(world: World, key: string, object: FlowObject): void {
  const { finalizers = [], deletionTimestamp } = object.metadata ?? {};
  const ends = deletionTimestamp !== undefined && finalizers.length === 0 && object.kind !== 'Pod';
  if (ends) world.delete(key);
  else world.set(key, structuredClone(object));
}

/** Gives a created object the identity under which the step recorded it, and the pod what kubelet said of it since. */
function create(world: World, step: FlowStep, { kind, object }: { kind: Kind; object: FlowObject }): void {
  const known = new Set([...world.values()].map(keyOf));
  const recorded = step.objects.find((one) => one.kind === kind && !known.has(keyOf(one)));
  const made = structuredClone(object);
  const metadata = { ...made.metadata, ...recordedIdentity(recorded, step) };
  const whole = { ...made, kind, metadata } as FlowObject;
  if (recorded !== undefined && kind === 'Pod') playOnPod(whole as unknown as Pod, recorded as unknown as Pod);
  world.set(keyOf(whole), whole);
}

function recordedIdentity(recorded: FlowObject | undefined, step: FlowStep) {
  const {
    name = 'unrecorded',
    uid = 'unrecorded',
    creationTimestamp = step.time,
    deletionTimestamp,
  } = recorded?.metadata ?? {};
  return { name, uid, creationTimestamp, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
}

/** A launcher that is bound gets its grace period, another one vanishes; the rest waits for finalizers. */
function remove(world: World, key: string, step: FlowStep): void {
  const object = world.get(key);
  if (object?.metadata === undefined) return;
  const finalizers = object.metadata.finalizers ?? [];
  const bound = object.kind === 'Pod' && (object.spec as { nodeName?: string } | undefined)?.nodeName !== undefined;
  if (finalizers.length === 0 && !bound) world.delete(key);
  else object.metadata = { ...object.metadata, deletionTimestamp: step.time };
}
