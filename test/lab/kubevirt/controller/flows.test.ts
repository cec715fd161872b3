import { describe, expect, it } from 'vitest';
import { type FlowObject, type FlowStep, loadFlow } from '../flows.ts';
import { formatSeconds } from './plan-vm.ts';
import { KINDS, keyOf, play, settle, worldAfter } from './replay.ts';

/**
 * Flows that are replayed. Pools and replica sets are not played; the flows launcher-crash, start-failure and two about
 * deletion hold writes of the garbage collector and of users that the replay cannot tell from the controllers'.
 */
const PLAYED = [
  'hotplug-nic',
  'hotplug-nic-in-place',
  'nad-swap',
  'evacuation',
  'node-lost',
  'paused-vm',
  'migrate-source-lost',
  'stop-vm-migrating',
  'spec-change-restart',
  'force-restart',
  'guest-reboot-and-shutdown',
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

/**
 * Flows with a template that is edited under a running VM: from its ControllerRevision, which is not played, KubeVirt
 * knows whether the VMI has what the template says, and shows it in two numbers.
 */
const EDITED = ['hotplug-nic', 'hotplug-nic-in-place', 'nad-swap', 'spec-change-restart'];

describe.each(PLAYED)('%s', (flow) => {
  const steps = loadFlow(flow);
  it.each(steps.map((step, at) => ({ title: step.step, at })))('$title ends as recorded', ({ at }) => {
    const before = worldAfter(steps.slice(0, at));
    const step = steps[at] as FlowStep;
    const world = structuredClone(before);
    // A step may hold several rounds: what the controllers make, others fill in, and the controllers read again.
    for (const now of momentsOf(steps[at - 1], step)) {
      play(world, step);
      settle(world, step, now);
    }
    for (const recorded of step.objects.filter((one) => KINDS.includes(one.kind))) {
      const own = world.get(keyOf(recorded));
      const edited = EDITED.includes(flow);
      const title = `${recorded.kind} ${recorded.metadata?.name ?? ''}`;
      expect(own && comparable(own, edited), title).toEqual(comparable(recorded, edited));
    }
    for (const change of step.changes.filter((one) => one.type === 'DELETED' && KINDS.includes(one.kind))) {
      const again = step.objects.some((one) => one.kind === change.kind && one.metadata?.name === change.name);
      const left = [...world.values()].filter((one) => one.kind === change.kind && one.metadata?.name === change.name);
      expect(left.length, `${change.kind} ${change.name} is gone`).toBe(again ? 1 : 0);
    }
  });
});

const ROUND_MS = 1000;

/** Four moments up to the end of a step, none before the step itself. */
function momentsOf(before: FlowStep | undefined, { time }: FlowStep): string[] {
  const [first, last] = [Date.parse(before?.time ?? time), Date.parse(time)];
  return [3, 2, 1, 0].map((ago) => formatSeconds(Math.max(first, last - ago * ROUND_MS)));
}

/** What is compared: all but times, versions and what only the API server or virt-api's defaults write. */
function comparable(object: FlowObject, edited: boolean): unknown {
  const copy = structuredClone(object);
  const { name, uid, labels, finalizers, ownerReferences, annotations = {}, deletionTimestamp } = copy.metadata ?? {};
  const notes = Object.entries(annotations).filter(
    ([key]) => !key.endsWith('observed-api-version') && !(edited && key === 'kubevirt.io/vm-generation'),
  );
  const deleting = deletionTimestamp !== undefined;
  const { observedGeneration, ...rest } = copy.status ?? {};
  const status = cleanStatus(edited || observedGeneration === undefined ? rest : { ...rest, observedGeneration });
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
    nics: listNics(copy),
    status,
  };
}

type Template = { domain?: { devices?: { interfaces?: unknown } }; networks?: unknown };

/** What of a VM's and a VMI's spec KubeVirt changes by itself. */
function listNics({ kind, spec = {} }: FlowObject): unknown {
  if (kind !== 'VirtualMachine' && kind !== 'VirtualMachineInstance') return undefined;
  const { template } = spec as { template?: { spec?: Template } };
  const { domain, networks } = (template?.spec ?? spec) as Template;
  return { interfaces: domain?.devices?.interfaces, networks };
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
