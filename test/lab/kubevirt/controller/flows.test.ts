import { describe, expect, it } from 'vitest';
import { type FlowObject, type FlowStep, loadFlow } from '../flows.ts';
import { type KubeNode, LABEL, NETWORK_STATUS, type Pod, UNPAUSED, type Vm, type Vmi, type Vmim } from '../objects.ts';
import { type Context, type Kind, type Observed, planNext, type Write } from './plan.ts';

const IMAGE = 'registry.example/kubevirt/virt-launcher:v1.8.4';
/** Flows of what the controller half plays; hotplug, NAD swap, eviction, pools and replica sets are not played. */
const PLAYED = [
  'start-stop-start',
  'restart',
  'standalone-vmi',
  'delete-vm-running',
  'recreate-same-name',
  'stop-unscheduled',
  'migrate-success',
  'migrate-coalesced',
  'migrate-post-copy',
  'migrate-back-to-back',
  'migrate-abort-pending',
  'migrate-abort-preparing',
  'migrate-abort-running',
  'migrate-abort-too-late',
  'migrate-fail-before-handoff',
  'migrate-fail-after-handoff',
];

type Any = { metadata: Record<string, unknown> & { name?: string; uid?: string } } & Record<string, unknown>;
type World = Map<string, FlowObject>;

const keyOf = (object: FlowObject) => `${object.kind}/${object.metadata?.uid ?? ''}`;
const KINDS = ['VirtualMachine', 'VirtualMachineInstance', 'VirtualMachineInstanceMigration', 'Pod'];

describe.each(PLAYED)('%s', (flow) => {
  const steps = loadFlow(flow);
  it.each(steps.map((step, at) => ({ title: step.step, at })))('$title ends as recorded', ({ at }) => {
    const before = worldAfter(steps.slice(0, at));
    const step = steps[at] as FlowStep;
    const world = structuredClone(before);
    // A step may hold several rounds: what the controllers make, others fill in, and the controllers read again.
    for (let round = 0; round < 4; round += 1) {
      play(world, step);
      settle(world, step);
    }
    for (const recorded of step.objects.filter((one) => KINDS.includes(one.kind))) {
      const own = world.get(keyOf(recorded));
      expect(own && comparable(own), `${recorded.kind} ${recorded.metadata?.name ?? ''}`).toEqual(comparable(recorded));
    }
    for (const change of step.changes.filter((one) => one.type === 'DELETED' && KINDS.includes(one.kind))) {
      const again = step.objects.some((one) => one.kind === change.kind && one.metadata?.name === change.name);
      const left = [...world.values()].filter((one) => one.kind === change.kind && one.metadata?.name === change.name);
      expect(left.length, `${change.kind} ${change.name} is gone`).toBe(again ? 1 : 0);
    }
  });
});

/** Every object as the steps so far left it. */
function worldAfter(steps: readonly FlowStep[]): World {
  const world: World = new Map();
  for (const step of steps) {
    for (const change of step.changes.filter((one) => one.type === 'DELETED')) {
      for (const [key, object] of world) {
        if (object.kind === change.kind && object.metadata?.name === change.name) world.delete(key);
      }
    }
    for (const object of step.objects.filter((one) => KINDS.includes(one.kind))) {
      if (!isGoneAgain(step, object)) world.set(keyOf(object), object);
    }
  }
  return structuredClone(world);
}

function isGoneAgain(step: FlowStep, object: FlowObject): boolean {
  const last = step.changes.filter((one) => one.kind === object.kind && one.name === object.metadata?.name).at(-1);
  return last?.type === 'DELETED';
}

/** What others than the controllers did in a step: user, scheduler, kubelet, Multus, virt-handler. */
function play(world: World, step: FlowStep): void {
  for (const recorded of step.objects.filter((one) => KINDS.includes(one.kind))) {
    const own = world.get(keyOf(recorded));
    if (own === undefined) {
      if (isMadeByOthers(step, recorded)) world.set(keyOf(recorded), asCreated(recorded));
    } else playOn(own as Any & FlowObject, recorded as Any & FlowObject);
  }
  for (const change of step.changes.filter((one) => one.type === 'DELETED' && one.kind === 'Pod')) {
    for (const [key, object] of world)
      if (object.kind === 'Pod' && object.metadata?.name === change.name) world.delete(key);
  }
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

function playOn(own: Any & FlowObject, recorded: Any & FlowObject): void {
  const { deletionTimestamp } = recorded.metadata;
  if (deletionTimestamp !== undefined && isDeletedByUser(own)) own.metadata['deletionTimestamp'] = deletionTimestamp;
  if (own.kind === 'VirtualMachine') {
    Object.assign(own, { spec: recorded.spec });
    own.metadata['generation'] = recorded.metadata['generation'];
    const { stateChangeRequests } = (recorded.status ?? {}) as { stateChangeRequests?: unknown[] };
    if (stateChangeRequests?.length === 2) Object.assign(own.status ?? {}, { stateChangeRequests });
  }
  if (own.kind === 'Pod') playOnPod(own as unknown as Pod, recorded as unknown as Pod);
  if (own.kind === 'VirtualMachineInstance') playOnVmi(own as unknown as Vmi, recorded as unknown as Vmi);
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

function playOnVmi(own: Vmi, recorded: Vmi): void {
  const { status = {} } = own;
  const now = recorded.status ?? {};
  const handled = HANDLER_PHASES.includes(now.phase ?? '') && HANDLED_PHASES.includes(status.phase ?? '');
  if (handled && now.phase !== undefined) {
    status.phase = now.phase;
    for (const field of ['interfaces', 'machine', 'migrationMethod', 'selinuxContext', 'nodeName'] as const) {
      if (now[field] !== undefined) Object.assign(status, { [field]: now[field] });
    }
    const handlers = ['LiveMigratable', 'StorageLiveMigratable'];
    const rest = (status.conditions ?? []).filter((one) => !handlers.includes(one.type));
    status.conditions = [...rest, ...(now.conditions ?? []).filter((one) => handlers.includes(one.type))];
    const node = recorded.metadata.labels?.[LABEL.node];
    if (node !== undefined) own.metadata.labels = { ...own.metadata.labels, [LABEL.node]: node };
    if (recorded.metadata.labels?.[LABEL.targetNode] === undefined) delete own.metadata.labels?.[LABEL.targetNode];
  }
  const state = status.migrationState;
  if (state !== undefined && now.migrationState?.migrationUid === state.migrationUid) {
    if (isWrittenByController(state, now.migrationState)) return;
    for (const field of HANDLER_STATE) {
      const value = (now.migrationState as Record<string, unknown>)[field];
      if (value !== undefined) Object.assign(state, { [field]: value });
    }
  }
}

/** A lost target is written by the controller, with `completed` and `failed` at once. */
function isWrittenByController(
  before: { failed?: boolean },
  after: { failed?: boolean; completed?: boolean },
): boolean {
  return after.failed === true && after.completed === true && before.failed !== true;
}

/** Runs the planner against the world until it has nothing to do, as the API server would answer it. */
function settle(world: World, step: FlowStep): void {
  for (let turn = 0; turn < 60; turn += 1) {
    const write = names(world)
      .map((name) => planNext(observe(world, name), contextOf(step)))
      .find((one) => one !== undefined);
    if (write === undefined) return;
    perform(world, step, write);
  }
  throw new Error('the plan does not settle');
}

function names(world: World): string[] {
  const all = [...world.values()].flatMap((one) => {
    if (one.kind === 'Pod') return [];
    return one.kind === 'VirtualMachineInstanceMigration'
      ? [String(one.spec?.['vmiName'])]
      : [one.metadata?.name ?? ''];
  });
  return [...new Set(all)];
}

function contextOf(step: FlowStep): Context {
  return { now: step.time, image: IMAGE, qemuTimeout: 300, plugins: {} };
}

function observe(world: World, name: string): Observed {
  const all = [...world.values()];
  const find = (kind: string) => all.find((one) => one.kind === kind && one.metadata?.name === name);
  const vmi = find('VirtualMachineInstance') as unknown as Vmi | undefined;
  const pods = all.filter((one) => one.kind === 'Pod' && one.metadata?.ownerReferences?.[0]?.uid === vmi?.metadata.uid);
  const jobs = all.filter((one) => one.kind === 'VirtualMachineInstanceMigration' && one.spec?.['vmiName'] === name);
  return {
    vm: find('VirtualMachine') as unknown as Vm | undefined,
    vmi,
    pods: pods as unknown as Pod[],
    migrations: jobs as unknown as Vmim[],
    nodes: ['node1', 'node2', 'node3', 'node4'].map((node): KubeNode => ({ metadata: { name: node, labels: {} } })),
    nads: new Set(['default/biz', 'default/biznew', 'default/hotnet']),
  };
}

function perform(world: World, step: FlowStep, write: Write): void {
  if (write.verb === 'create') return create(world, step, write.kind, write.object as unknown as FlowObject);
  const uid = write.verb === 'delete' ? write.uid : (write.object.metadata.uid ?? '');
  const key = `${write.kind}/${uid}`;
  if (write.verb === 'delete') return remove(world, key, step);
  const object = write.object as unknown as FlowObject;
  const finalizers = object.metadata?.finalizers ?? [];
  if (object.metadata?.deletionTimestamp !== undefined && finalizers.length === 0 && object.kind !== 'Pod')
    world.delete(key);
  else world.set(key, structuredClone(object));
}

/** Gives a created object the identity under which the step recorded it, and the pod what kubelet said of it since. */
function create(world: World, step: FlowStep, kind: Kind, object: FlowObject): void {
  const known = new Set([...world.values()].map(keyOf));
  const recorded = step.objects.find((one) => one.kind === kind && !known.has(keyOf(one)));
  const made = structuredClone(object);
  const metadata = { ...made.metadata, ...identityOf(recorded, step) };
  const whole = { ...made, kind, metadata } as FlowObject;
  if (recorded !== undefined && kind === 'Pod') playOnPod(whole as unknown as Pod, recorded as unknown as Pod);
  world.set(keyOf(whole), whole);
}

function identityOf(recorded: FlowObject | undefined, step: FlowStep) {
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

/** What is compared: all but times, versions and what only the API server or virt-api's defaults write. */
function comparable(object: FlowObject): unknown {
  const copy = structuredClone(object) as Any & FlowObject;
  const { name, uid, labels, finalizers, ownerReferences, annotations = {} } = copy.metadata;
  const notes = Object.entries(annotations as Record<string, string>).filter(
    ([key]) => !key.endsWith('observed-api-version'),
  );
  const deleting = copy.metadata['deletionTimestamp'] !== undefined;
  const status = cleanStatus(copy.status ?? {});
  return {
    metadata: {
      name,
      uid,
      labels: labels ?? {},
      finalizers: finalizers ?? [],
      ownerReferences,
      deleting,
      notes: Object.fromEntries(notes),
    },
    status,
  };
}

const TIMES = ['phaseTransitionTimestamps', 'startTime', 'containerStatuses', 'initContainerStatuses'];

function cleanStatus(status: Record<string, unknown>): unknown {
  const entries = Object.entries(status).filter(([key]) => !TIMES.includes(key));
  return JSON.parse(
    JSON.stringify(Object.fromEntries(entries), (key, value: unknown) => {
      if (key === 'lastProbeTime' || key === 'lastTransitionTime' || key.endsWith('Timestamp')) return undefined;
      return key === 'conditions' ? sortConditions(value as { type: string }[]) : value;
    }),
  );
}

function sortConditions(conditions: { type: string }[]): { type: string }[] {
  return conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1));
}
