import { describe, expect, it } from 'vitest';
import type { MigrationState, Pod, Vmi } from '../objects.ts';
import { planNode } from './plan.ts';
import type { GuestRecord } from './record.ts';
import type { Action, Guest, NodeView } from './view.ts';

const PROCESS = { pid: 1, start: '1' };
const NOW = Date.parse('2026-01-01T00:10:00Z');

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
  return { record: known, pod: of, alive: true, run: 'running', migrate: undefined, relay: true, ...fields };
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
const COPYING = { ...LISTENING, startTimestamp: '2026-01-01T00:09:00Z', mode: 'PreCopy' };
const migrating = (state: MigrationState, nodeName = 'node1', labels = {}) =>
  vmi({ phase: 'Running', nodeName, migrationState: state }, { labels });

const source = (state: MigrationState, fields: Partial<Guest> = {}, record: Partial<GuestRecord> = {}): NodeView => ({
  node: 'node1',
  now: NOW,
  vmi: migrating(state),
  pods: [SOURCE],
  guests: [guest(SOURCE, fields, { migrationUid: 'm1', ...record })],
});
const target = (state: MigrationState, guests: readonly Guest[], nodeName = 'node1', labels = {}): NodeView => ({
  node: 'node2',
  now: NOW,
  vmi: migrating(state, nodeName, labels),
  pods: [TARGET],
  guests,
});
const incoming = (fields: Partial<Guest> = {}, record: Partial<GuestRecord> = {}) =>
  guest(TARGET, { run: 'inmigrate', ...fields }, { stage: 'incoming', migrationUid: 'm1', ...record });

const GONE_OVER = { run: 'postmigrate', migrate: 'completed' };
const ABORTED = {
  do: 'note',
  change: { abortStatus: 'Succeeded', failed: true, failureReason: 'Live migration aborted ' },
} as const;

type Case = [string, NodeView, Partial<Action> | undefined];

const one = (status: Vmi['status'], guests: readonly Guest[], metadata = {}): NodeView => ({
  node: 'node1',
  now: NOW,
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

describe('the source of a migration that goes wrong', () => {
  const failed = { ...COPYING, failed: true };
  it.each<Case>([
    ['stops a copy that others have given up', source(failed, { migrate: 'active' }), { do: 'cancel' }],
    ['says Failed when the guest was lost with its target', source(failed, GONE_OVER), { do: 'end', phase: 'Failed' }],
    ['keeps a guest that has left while its target lives', source(COPYING, GONE_OVER), { do: 'report' }],
    [
      'says Failed when post-copy breaks',
      source(COPYING, { migrate: 'postcopy-paused' }),
      { do: 'end', phase: 'Failed' },
    ],
    [
      'aborts nothing before it has begun',
      source({ ...LISTENING, abortRequested: true }, {}, { migrationUid: 'old' }),
      ABORTED,
    ],
  ])('%s', (_, view, expected) => check(view, expected));
});

describe('a paused guest', () => {
  const asked = { annotations: { 'lab.mooring.dev/paused': 'true' } };
  const Paused = { conditions: [{ type: 'Paused', status: 'True' }], phase: 'Running' };
  const still = { run: 'paused' };
  const byMigration = { ...COPYING, mode: 'Paused', failed: true };
  const ready = { ...COPYING, targetNodeDomainDetected: true };
  const arrived = incoming({ run: 'paused', migrate: 'completed' });
  const withAnnotation = (view: NodeView): NodeView => {
    const metadata = { ...view.vmi?.metadata, ...asked };
    return view.vmi === undefined ? view : { ...view, vmi: { ...view.vmi, metadata } };
  };
  it.each<Case>([
    ['is paused by its user', one({ phase: 'Running' }, [guest(SOURCE)], asked), { do: 'pause' }],
    ['is reported', one({ phase: 'Running' }, [guest(SOURCE, still)], asked), { do: 'report' }],
    ['is resumed by its user', one(Paused, [guest(SOURCE, still)]), { do: 'resume' }],
    ['is left alone when nobody has paused it', one({ phase: 'Running' }, [guest(SOURCE, still)]), { do: 'report' }],
    ['goes on when the migration that paused it failed', source(byMigration, still), { do: 'resume' }],
    [
      'stays paused where it arrives',
      withAnnotation(target(ready, [arrived])),
      { do: 'note', stamps: ['targetNodeDomainReadyTimestamp'] },
    ],
    ['goes on where it arrives when a migration had paused it', target(ready, [arrived]), { do: 'resume' }],
    ['has not arrived before its memory', withAnnotation(target(ready, [incoming(still)])), undefined],
  ])('%s', (_, view, expected) => check(view, expected));
});

describe('a guest in post-copy', () => {
  const early = { run: 'running', migrate: 'postcopy-active' };
  const detected = { ...COPYING, mode: 'PostCopy', targetNodeDomainDetected: true };
  const ready = { ...detected, targetNodeDomainReadyTimestamp: 't' };
  it.each<Case>([
    [
      'is ready on the target before its memory is there',
      target(detected, [incoming(early)]),
      { do: 'note', stamps: ['targetNodeDomainReadyTimestamp'] },
    ],
    ['moves when its memory is there', target(ready, [incoming(early)]), undefined],
    ['moves then', target(ready, [incoming({ ...early, migrate: 'completed' })]), { do: 'move' }],
  ])('%s', (_, view, expected) => check(view, expected));
});

describe('the target of a migration', () => {
  const detected = { ...COPYING, targetNodeDomainDetected: true };
  const ready = { ...detected, targetNodeDomainReadyTimestamp: 't' };
  const ended = { ...ready, endTimestamp: 't' };
  const label = { 'kubevirt.io/migrationTargetNodeName': 'node2' };
  const GONE = { alive: false, run: undefined };
  const ALONE = { relay: false };
  const missed = (ms: number) => ({ missedAt: NOW - ms });
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
    ['leaves the word to the source once the copy runs', target(COPYING, [incoming(GONE)]), { do: 'miss' }],
    ['waits as long as a launcher lives without QEMU', target(COPYING, [incoming(GONE, missed(2000))]), undefined],
    ['ends its launcher after that', target(COPYING, [incoming(GONE, missed(4000))]), { do: 'give-up' }],
    ['tells its port again after its virt-handler', target(LISTENING, [incoming(ALONE)]), { do: 'publish' }],
    [
      'keeps its port once the source is there',
      target(LISTENING, [incoming({ ...ALONE, migrate: 'active' })]),
      undefined,
    ],
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
