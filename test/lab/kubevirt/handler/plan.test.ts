import { describe, expect, it } from 'vitest';
import type { MigrationState, Pod, Vmi } from '../objects.ts';
import { type Action, type Guest, type NodeView, planNode } from './plan.ts';
import type { GuestRecord } from './record.ts';

const PROCESS = { pid: 1, start: '1' };

function pod(name: string, node: string, fields: Partial<Pod> = {}): Pod {
  return {
    metadata: { name, uid: `uid-${name}`, ownerReferences: [{ apiVersion: '', kind: '', name: 'vm1', uid: 'vmi' }] },
    spec: { nodeName: node },
    status: { phase: 'Running' },
    ...fields,
  };
}

function vmi(status: Vmi['status'], metadata: Partial<Vmi['metadata']> = {}): Vmi {
  const spec = { domain: { devices: {} } };
  return { metadata: { name: 'vm1', namespace: 'default', uid: 'vmi', ...metadata }, spec, status: status ?? {} };
}

function guest(of: Pod, fields: Partial<Guest> = {}, record: Partial<GuestRecord> = {}): Guest {
  const identity = { podUid: of.metadata.uid ?? '', podName: of.metadata.name ?? '', namespace: 'default', vmi: 'vm1' };
  const base = {
    ...identity,
    vmiUid: 'vmi',
    node: of.spec.nodeName ?? '',
    stage: 'booted',
    nics: [],
    qemu: PROCESS,
  } as const;
  const known: GuestRecord = Object.assign({ ...base }, record);
  return { record: known, pod: of, alive: true, run: 'running', migrate: undefined, ...fields };
}

const SOURCE = pod('src', 'node1');
const TARGET = pod('dst', 'node2');
const STATE: MigrationState = {
  migrationUid: 'm1',
  sourceNode: 'node1',
  sourcePod: 'src',
  targetNode: 'node2',
  targetPod: 'dst',
};
const LISTENING = { ...STATE, targetNodeAddress: '198.18.2.12', targetDirectMigrationNodePorts: { 1: 49152 } };
const COPYING = { ...LISTENING, startTimestamp: 't', mode: 'PreCopy' };
const migrating = (state: MigrationState, nodeName = 'node1', labels = {}) =>
  vmi({ phase: 'Running', nodeName, migrationState: state }, { labels });

const source = (state: MigrationState, fields: Partial<Guest> = {}, record: Partial<GuestRecord> = {}): NodeView => ({
  node: 'node1',
  vmi: migrating(state),
  pods: [SOURCE],
  guests: [guest(SOURCE, fields, { migrationUid: 'm1', ...record })],
});
const target = (state: MigrationState, guests: readonly Guest[], nodeName = 'node1', labels = {}): NodeView => ({
  node: 'node2',
  vmi: migrating(state, nodeName, labels),
  pods: [TARGET],
  guests,
});
const incoming = (fields: Partial<Guest> = {}, record: Partial<GuestRecord> = {}) =>
  guest(TARGET, { run: 'inmigrate', ...fields }, { stage: 'incoming', migrationUid: 'm1', ...record });

type Case = [string, NodeView, Partial<Action> | undefined];

const one = (status: Vmi['status'], guests: readonly Guest[], metadata = {}): NodeView => ({
  node: 'node1',
  vmi: vmi({ nodeName: 'node1', ...status }, metadata),
  pods: [SOURCE],
  guests,
});
const deleted = { deletionTimestamp: 't' };

describe('one node, no migration', () => {
  it.each<Case>([
    ['boots what is scheduled here', one({ phase: 'Scheduled' }, []), { do: 'boot' }],
    ['boots nothing that is scheduled elsewhere', { ...one({ phase: 'Scheduled' }, []), node: 'node9' }, undefined],
    ['goes on with a wired launcher', one({ phase: 'Scheduled' }, [wired()]), { do: 'boot' }],
    ['reports a guest that runs', one({ phase: 'Scheduled' }, [guest(SOURCE)]), { do: 'report' }],
    ['shuts down for a deleted VMI', one({ phase: 'Running' }, [guest(SOURCE)], deleted), { do: 'shutdown' }],
    ['says Succeeded once it is off', one({ phase: 'Running' }, [dead()], deleted), { do: 'end', phase: 'Succeeded' }],
    ['says Failed for a crash', one({ phase: 'Running' }, [dead()]), { do: 'end', phase: 'Failed' }],
    ['believes a guest that shut itself down', one({ phase: 'Running' }, [quit()]), { do: 'end', phase: 'Succeeded' }],
    ['says Failed when it never knew the guest', one({ phase: 'Running' }, []), { do: 'end', phase: 'Failed' }],
    ['reaps after the end', one({ phase: 'Succeeded' }, [dead()]), { do: 'reap' }],
    ['waits for the launcher then', one({ phase: 'Succeeded' }, [released()]), undefined],
    [
      'reaps a guest of a former VMI',
      one({ phase: 'Running' }, [guest(SOURCE, {}, { vmiUid: 'old' })]),
      { do: 'reap' },
    ],
    ['reaps when the VMI is gone', { ...one({}, [guest(SOURCE)]), vmi: undefined }, { do: 'reap' }],
    ['forgets when the pod is gone', one({ phase: 'Running' }, [guest(SOURCE, { pod: undefined })]), { do: 'forget' }],
  ])('%s', (_, view, expected) => check(view, expected));
});

function wired(): Guest {
  const { qemu: _, ...record } = guest(SOURCE, {}, { stage: 'prepared' }).record;
  return { ...guest(SOURCE), record, alive: false };
}

function dead(): Guest {
  return guest(SOURCE, { alive: false, run: undefined });
}

function quit(): Guest {
  return guest(SOURCE, { alive: false, run: undefined }, { ended: 'Succeeded' });
}

function released(): Guest {
  return guest(SOURCE, { alive: false, run: undefined }, { released: true });
}

describe('the source of a migration', () => {
  const aborting = { ...COPYING, abortRequested: true };
  it.each<Case>([
    ['waits for the target', source(STATE), { do: 'report' }],
    ['sends once the target listens', source(LISTENING, {}, { migrationUid: 'old' }), { do: 'send' }],
    ['says when it has begun', source(LISTENING), { do: 'note', stamps: ['startTimestamp'] }],
    ['lets the copy run', source(COPYING, { migrate: 'active' }), { do: 'report' }],
    ['tells of a failure', source(COPYING, { migrate: 'failed' }), { do: 'note', stamps: ['endTimestamp'] }],
    [
      'announces an abort',
      source(aborting, { migrate: 'active' }),
      { do: 'note', change: { abortStatus: 'Aborting' } },
    ],
    ['then cancels', source({ ...aborting, abortStatus: 'Aborting' }, { migrate: 'active' }), { do: 'cancel' }],
    [
      'tells of the cancelled copy',
      source(aborting, { migrate: 'cancelled' }),
      { do: 'note', stamps: ['endTimestamp'] },
    ],
    [
      'says when the abort is too late',
      source(aborting, { migrate: 'completed' }),
      { do: 'note', change: { abortStatus: 'Failed' } },
    ],
    ['keeps the guest after a failure', source({ ...COPYING, failed: true }, { migrate: 'failed' }), { do: 'report' }],
    [
      'keeps QEMU until the move is complete',
      { ...source(COPYING), vmi: migrating({ ...COPYING, endTimestamp: 't' }, 'node2') },
      undefined,
    ],
    [
      'ends after the move',
      { ...source(COPYING), vmi: migrating({ ...COPYING, endTimestamp: 't', completed: true }, 'node2') },
      { do: 'reap' },
    ],
  ])('%s', (_, view, expected) => check(view, expected));
});

describe('the target of a migration', () => {
  const detected = { ...COPYING, targetNodeDomainDetected: true };
  const ready = { ...detected, targetNodeDomainReadyTimestamp: 't' };
  const ended = { ...ready, endTimestamp: 't' };
  const label = { 'kubevirt.io/migrationTargetNodeName': 'node2' };
  it.each<Case>([
    ['prepares', target(STATE, []), { do: 'receive' }],
    ['publishes where it listens', target(STATE, [incoming()]), { do: 'publish' }],
    ['waits for the source', target(LISTENING, [incoming()]), undefined],
    ['sees the domain', target(COPYING, [incoming()]), { do: 'note', change: { targetNodeDomainDetected: true } }],
    ['waits for the guest', target(detected, [incoming()]), undefined],
    [
      'sees it run',
      target(detected, [incoming({ run: 'running' })]),
      { do: 'note', stamps: ['targetNodeDomainReadyTimestamp'] },
    ],
    ['takes the VMI', target(ready, [incoming({ run: 'running' })]), { do: 'move' }],
    ['completes', target(ended, [incoming()], 'node2', label), { do: 'note', change: { completed: true } }],
    ['drops its label', target({ ...ended, completed: true }, [incoming()], 'node2', label), { do: 'drop-label' }],
    ['settles in', target({ ...ended, completed: true }, [incoming()], 'node2'), { do: 'settle-in' }],
    ['gives up when QEMU died', target(LISTENING, [incoming({ alive: false })]), { do: 'give-up' }],
    ['leaves the word to the source once the copy runs', target(COPYING, [incoming({ alive: false })]), undefined],
    ['ends after a failure', target({ ...COPYING, failed: true }, [incoming()]), { do: 'reap' }],
    ['drops its label after a failure', target({ ...COPYING, failed: true }, [], 'node1', label), { do: 'drop-label' }],
  ])('%s', (_, view, expected) => check(view, expected));

  it('is not awaited when the VMI is deleted before the guest has come', () => {
    const view = target(COPYING, [incoming()]);
    const leaving = { ...view, vmi: vmi(view.vmi?.status, { deletionTimestamp: 't' }) };
    check(leaving, { do: 'reap' });
  });
});

function check(view: NodeView, expected: Partial<Action> | undefined): void {
  const action = planNode(view);
  if (expected === undefined) expect(action).toBeUndefined();
  else expect(action).toMatchObject(expected);
}
