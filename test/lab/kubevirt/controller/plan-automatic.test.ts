import { describe, expect, it } from 'vitest';
import type { Condition, KubeNode, Vmi, Vmim } from '../objects.ts';
import type { Context, Observed } from './plan.ts';
import { deriveTraffic, mustWait, planAutomatic, planCollection } from './plan-automatic.ts';
import { deriveSettings } from './settings.ts';

const NOW = '2026-01-01T00:10:00Z';
const EVACUATION = { 'kubevirt.io/evacuationMigration': 'node1' };
const settings = deriveSettings({
  metadata: {},
  spec: { workloadUpdateStrategy: { workloadUpdateMethods: ['LiveMigrate'] } },
});
const CONTEXT: Context = { now: NOW, image: 'x', qemuTimeout: 1, plugins: {}, settings };

const TRUE = (type: string, since = NOW): Condition => ({ type, status: 'True', lastTransitionTime: since });

function vmiWith(status: Vmi['status'] = {}): Vmi {
  const conditions = [TRUE('LiveMigratable'), ...(status.conditions ?? [])];
  return {
    metadata: { name: 'a', namespace: 'n', uid: 'vmi' },
    spec: { domain: { devices: {} } },
    status: { phase: 'Running', nodeName: 'node1', ...status, conditions },
  };
}

/** A migration; times are minutes of one hour. */
function job(name: string, phase: string | undefined, minute: number, more: Partial<Vmim['metadata']> = {}): Vmim {
  const at = `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`;
  const times = phase === undefined ? [] : [{ phase, phaseTransitionTimestamp: at }];
  return {
    metadata: { name, namespace: 'n', uid: name, creationTimestamp: at, ...more },
    spec: { vmiName: 'a' },
    ...(phase === undefined ? {} : { status: { phase, phaseTransitionTimestamps: times } }),
  };
}

function observe(vmi: Vmi, more: Partial<Observed> = {}): Observed {
  return {
    vm: undefined,
    vmi,
    pods: [],
    migrations: [],
    nodes: [],
    nads: new Set(),
    attachments: [],
    traffic: [],
    ...more,
  };
}

const busy = (count: number, node: string) =>
  Array.from({ length: count }, (_, at) => ({ uid: `${at}`, node, started: true, createdAt: '' }));

describe('a VMI', () => {
  it.each([
    ['marked for eviction', vmiWith({ evacuationNodeName: 'node1' }), [], 'kubevirt-evacuation-'],
    ['evicted from the node that it has left', vmiWith({ evacuationNodeName: 'node2' }), [], undefined],
    ['on a node that is drained', vmiWith(), ['kubevirt.io/drain'], 'kubevirt-evacuation-'],
    ['on a node with another taint', vmiWith(), ['other'], undefined],
    ['that needs a migration', vmiWith({ conditions: [TRUE('MigrationRequired')] }), [], undefined],
    [
      'that has needed a migration for a while',
      vmiWith({ conditions: [TRUE('MigrationRequired', '2026-01-01T00:09:00Z')] }),
      [],
      'kubevirt-workload-update-',
    ],
  ])('%s', (_, vmi, taints, wanted) => {
    const node: KubeNode = {
      metadata: { name: 'node1' },
      spec: { taints: taints.map((key) => ({ key, effect: 'NoSchedule' })) },
    };
    const write = planAutomatic(observe(vmi, { nodes: [node] }), CONTEXT);
    expect(write?.verb === 'create' ? write.object.metadata.generateName : undefined).toBe(wanted);
  });

  it('waits while two leave its node or five move in the cluster, and while it has a migration of its own', () => {
    const vmi = vmiWith({ evacuationNodeName: 'node1' });
    expect(planAutomatic(observe(vmi, { traffic: busy(2, 'node1') }), CONTEXT)).toBeUndefined();
    expect(planAutomatic(observe(vmi, { traffic: busy(5, 'node2') }), CONTEXT)).toBeUndefined();
    expect(planAutomatic(observe(vmi, { traffic: busy(4, 'node2') }), CONTEXT)).toBeDefined();
    expect(planAutomatic(observe(vmi, { migrations: [job('m', 'Running', 1)] }), CONTEXT)).toBeUndefined();
  });

  it('that may not migrate is left where it is', () => {
    const vmi = vmiWith({ evacuationNodeName: 'node1' });
    const fixed = { ...vmi, status: { ...vmi.status, conditions: [] } };
    expect(planAutomatic(observe(fixed), CONTEXT)).toBeUndefined();
  });
});

describe('a migration that waits for its turn', () => {
  it('starts when fewer than two are ahead of it off its node, the older first', () => {
    const jobs = [job('a', undefined, 1), job('b', 'Pending', 2), job('c', 'Pending', 3), job('d', 'Scheduling', 4)];
    const traffic = deriveTraffic(jobs, () => vmiWith());
    const waits = jobs.slice(0, 3).map((one) => mustWait(one, 'node1', observe(vmiWith(), { traffic }), CONTEXT));
    expect(waits).toEqual([false, true, true]);
  });

  it('does not take the place of a younger one whose target is being made', () => {
    const jobs = [job('a', 'Running', 1), job('b', 'Pending', 2), job('c', 'Pending', 3)];
    const traffic = deriveTraffic(jobs, () => vmiWith(), new Set(['c']));
    expect(jobs.slice(1, 2).map((one) => mustWait(one, 'node1', observe(vmiWith(), { traffic }), CONTEXT))).toEqual([
      true,
    ]);
  });

  it('that is automatic waits 20 s after a failure and twice that after the next; a user never waits', () => {
    const failed = (minute: number) => job(`f${minute}`, 'Failed', minute, { annotations: EVACUATION });
    const mine = job('m', 'Pending', 10, { annotations: EVACUATION });
    const at = (seconds: number) => ({ ...CONTEXT, now: `2026-01-01T00:09:${seconds}Z` });
    const once = observe(vmiWith(), { migrations: [failed(9), mine] });
    expect([19, 21].map((seconds) => mustWait(mine, 'node1', once, at(seconds)))).toEqual([true, false]);
    const twice = observe(vmiWith(), { migrations: [failed(8), failed(9), mine] });
    expect([39, 41].map((seconds) => mustWait(mine, 'node1', twice, at(seconds)))).toEqual([true, false]);
    expect(mustWait(job('u', 'Pending', 10), 'node1', twice, at(19))).toBe(false);
  });

  it('counts failures only since the last success', () => {
    const ended = [
      job('f', 'Failed', 8, { annotations: EVACUATION }),
      job('s', 'Succeeded', 9, { annotations: EVACUATION }),
    ];
    const mine = job('m', 'Pending', 10, { annotations: EVACUATION });
    const observed = observe(vmiWith(), { migrations: [...ended, mine] });
    expect(mustWait(mine, 'node1', observed, { ...CONTEXT, now: '2026-01-01T00:09:01Z' })).toBe(false);
  });
});

describe('finished migrations of a VMI', () => {
  const ended = [1, 2, 3, 4, 5, 6].map((minute) => job(`j${minute}`, 'Succeeded', minute));

  it('are kept up to five, and the oldest goes', () => {
    expect(planCollection(observe(vmiWith(), { migrations: ended }))).toMatchObject({ verb: 'delete', uid: 'j1' });
    expect(planCollection(observe(vmiWith(), { migrations: ended.slice(1) }))).toBeUndefined();
  });

  it('do not count while they run', () => {
    const running = [...ended.slice(1), job('r', 'Running', 0)];
    expect(planCollection(observe(vmiWith(), { migrations: running }))).toBeUndefined();
  });
});
