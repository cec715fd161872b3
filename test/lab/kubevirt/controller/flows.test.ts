import { describe, expect, it } from 'vitest';
import { type FlowObject, type FlowStep, loadFlow } from '../flows.ts';
import { KINDS, keyOf, play, settle, worldAfter } from './replay.ts';

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

/** What is compared: all but times, versions and what only the API server or virt-api's defaults write. */
function comparable(object: FlowObject): unknown {
  const copy = structuredClone(object);
  const { name, uid, labels, finalizers, ownerReferences, annotations = {}, deletionTimestamp } = copy.metadata ?? {};
  const notes = Object.entries(annotations).filter(([key]) => !key.endsWith('observed-api-version'));
  const deleting = deletionTimestamp !== undefined;
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
