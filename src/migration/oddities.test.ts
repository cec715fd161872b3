import { describe, expect, it } from 'vitest';
import { NO_CHASSIS } from '../api/names.ts';
import { deriveMigration } from './derive.ts';
import type { LauncherRecord, MigrationInput, VmiMigrationState, VmiRecord } from './input.ts';

const pod = (over: Partial<LauncherRecord>): LauncherRecord => ({
  uid: 'p1',
  name: 'launcher',
  vmiUid: 'v1',
  node: 'n1',
  deleting: false,
  final: false,
  ...over,
});
const source = pod({});
const target = pod({ uid: 'p2', name: 'target', node: 'n2', migrationJobUid: 'm1' });
const running: VmiRecord = { uid: 'v1', phase: 'Running', nodeName: 'n1' };
const told = (state: Partial<VmiMigrationState>, over: Partial<VmiRecord> = {}): VmiRecord => ({
  ...running,
  migrationState: { migrationUid: 'm1', sourceNode: 'n1', targetNode: 'n2', targetPod: 'target', ...state },
  ...over,
});
const active = { uid: 'm1', phase: 'Running' };
const given = (over: Partial<MigrationInput>): MigrationInput => ({
  vmi: running,
  vmims: [],
  launchers: [source, target],
  ...over,
});

type Case = readonly [cause: string, input: Partial<MigrationInput>, expected: string];

/** `phase chassis | role@pod`. */
function describeState(input: Partial<MigrationInput>): string {
  const { phase, requestedChassis, holds } = deriveMigration(given(input));
  return `${phase} ${requestedChassis.join(',')} | ${holds.map((hold) => `${hold.role}@${hold.launcher.uid}`).join(' ')}`;
}
const check = (_cause: string, input: Partial<MigrationInput>, expected: string) =>
  expect(describeState(input)).toBe(expected);

describe('a target that the cache does not have', () => {
  const held = [{ uid: 'p2', name: 'target', node: 'n2' }];
  it.each<Case>([
    ['counts by the word of the VMI', { vmi: told({}), launchers: [source] }, 'prepared n1,n2 | Source@p1'],
    [
      'counts while it is known without its node',
      { vmi: told({}), launchers: [source, { ...target, node: '' }] },
      'prepared n1,n2 | Source@p1',
    ],
    ['and keeps its hold', { vmi: told({}), launchers: [source], held }, 'prepared n1,n2 | Source@p1 Target@p2'],
    ['has the guest', { vmi: told({ domainReady: true }), launchers: [source] }, 'activated n2 | '],
    ['and holds', { vmi: told({ domainReady: true }), launchers: [source], held }, 'activated n2 | Source@p2'],
    [
      'is nothing once the VMI has ended',
      { vmi: told({}, { phase: 'Failed' }), launchers: [source], held },
      'rolledBack n1 | Source@p1',
    ],
    [
      'has died when its pod is there and final',
      { vmi: told({}), launchers: [source, { ...target, final: true }], held },
      'rolledBack n1 | Source@p1',
    ],
    [
      'has died when the pod of that name is final, whatever its labels say',
      { vmi: told({}), launchers: [source, pod({ uid: 'p2', name: 'target', node: 'n2', final: true })] },
      'rolledBack n1 | Source@p1',
    ],
    [
      'has died with the guest: it is not on the source again',
      { vmi: told({ domainReady: true }), launchers: [source, { ...target, final: true }] },
      'activated n2 | ',
    ],
  ])('%s', check);

  it('has no hold in a VMI that has ended, nor has anybody else who is not seen', () => {
    const ended = { vmi: { ...running, phase: 'Failed' }, launchers: [], held };
    expect(describeState(ended)).toBe(`unattached ${NO_CHASSIS} | `);
    const onTarget = told({ domainReady: true, completed: true }, { phase: 'Failed', nodeName: 'n2' });
    const mine = [{ ...source, node: 'n3' }];
    expect(describeState({ vmi: onTarget, launchers: mine, held })).toBe('rolledBack n3 | Source@p1');
    const sourceGone = { vmi: told({}, { phase: 'Failed' }), launchers: [target] };
    const was = [{ uid: 'p1', name: 'launcher', node: 'n1' }];
    expect(describeState({ ...sourceGone, held: was })).toBe('prepared n1,n2 | Target@p2');
  });
});

describe('a source that the cache does not have', () => {
  it.each<Case>([
    ['before the hand-off', { vmims: [active], launchers: [target] }, 'prepared n1,n2 | Target@p2'],
    ['after it', { vmi: told({}), launchers: [target] }, 'prepared n1,n2 | Target@p2'],
    ['after the move', { vmi: told({ domainReady: true }), launchers: [target] }, 'activated n2 | Source@p2'],
  ])('%s: the VMI says where the guest is', check);
});

describe('failure', () => {
  it.each<Case>([
    ['of pre-copy: back to the source', { vmi: told({ failed: true }) }, 'rolledBack n1 | Source@p1'],
    [
      'of pre-copy after activation: back to where the VMI has its guest',
      { vmi: told({ domainReady: true, failed: true }) },
      'rolledBack n1 | Source@p1',
    ],
    [
      'after ownership has moved: it stays on the target',
      { vmi: told({ domainReady: true, failed: true }, { nodeName: 'n2' }) },
      'settled n2 | Source@p2',
    ],
    [
      'of post-copy after activation: never back to the source',
      { vmi: told({ domainReady: true, failed: true, postCopy: true }) },
      'settled n2 | Source@p2',
    ],
    [
      'of post-copy before activation: back to the source',
      { vmi: told({ failed: true, postCopy: true }) },
      'rolledBack n1 | Source@p1',
    ],
    [
      'that the VMIM does not tell of yet: the VMI counts',
      { vmi: told({ failed: true }), vmims: [active] },
      'rolledBack n1 | Source@p1',
    ],
    [
      'that only the VMIM tells of: the VMI counts',
      { vmi: told({}), vmims: [{ uid: 'm1', phase: 'Failed' }] },
      'prepared n1,n2 | Source@p1 Target@p2',
    ],
    [
      'before the hand-off, the target on its way out',
      { vmims: [active], launchers: [source, { ...target, deleting: true }] },
      'settled n1 | Source@p1',
    ],
    [
      'of all: the VMI has failed and its launcher lives',
      { vmi: { ...running, phase: 'Failed' }, launchers: [source] },
      'settled n1 | Source@p1',
    ],
    [
      'of all before the hand-off: nothing is prepared any more',
      { vmi: { ...running, phase: 'Failed' }, vmims: [active] },
      'settled n1 | Source@p1',
    ],
  ])('%s', check);

  it('goes back in two steps: the target stays beside the source while it is the chassis', () => {
    const vmi = told({ domainReady: true, failed: true });
    expect(describeState({ vmi, binding: { chassis: 'n2' } })).toBe('rolledBack n1,n2 | Source@p1');
    expect(describeState({ vmi, binding: { chassis: 'n1' } })).toBe('rolledBack n1 | Source@p1');
    expect(describeState({ vmi, binding: {} })).toBe('rolledBack n1 | Source@p1');
  });
});

describe('two migrations', () => {
  const second = pod({ uid: 'p3', name: 'second', node: 'n3', migrationJobUid: 'm2' });
  const same = { ...second, node: 'n2' };
  it.each<Case>([
    [
      'the failed target of the first lingers on another node',
      { vmi: told({ failed: true }), vmims: [{ uid: 'm2', phase: 'Scheduled' }], launchers: [source, target, second] },
      'prepared n1,n3 | Source@p1 Target@p3',
    ],
    [
      'the failed target of the first lingers on the node of the second',
      {
        vmi: told({ migrationUid: 'm2', targetPod: 'second', domainReady: true }),
        launchers: [source, target, same],
      },
      'activated n2 | Source@p3',
    ],
    [
      'the second is asked for while the first goes on',
      { vmi: told({}), vmims: [active, { uid: 'm2', phase: 'Pending' }], launchers: [source, target, second] },
      'prepared n1,n2 | Source@p1 Target@p2',
    ],
    [
      'of two with a target, the one that KubeVirt has begun with',
      {
        vmims: [
          { ...active, phase: 'Pending' },
          { uid: 'm2', phase: 'Scheduled' },
        ],
        launchers: [source, target, second],
      },
      'prepared n1,n3 | Source@p1 Target@p3',
    ],
    [
      'and the same one in the other order',
      {
        vmims: [
          { uid: 'm2', phase: 'Scheduled' },
          { ...active, phase: '' },
        ],
        launchers: [second, target, source],
      },
      'prepared n1,n3 | Source@p1 Target@p3',
    ],
    [
      'the failed target of the first lingers where the second has brought the guest, and a third one fails',
      {
        vmi: told({ migrationUid: 'm3', sourceNode: 'n2', targetNode: 'n4', failed: true }, { nodeName: 'n2' }),
        launchers: [target, same],
        held: [{ uid: 'p3', name: 'second', node: 'n2' }],
      },
      'rolledBack n2 | Source@p3',
    ],
    [
      'and the third one names the launcher from which it was to take the guest, after it had it already',
      {
        vmi: told(
          { migrationUid: 'm3', sourceNode: 'n2', sourcePod: 'second', targetNode: 'n4', failed: true },
          { nodeName: 'n2' },
        ),
        launchers: [target, same],
        held: [{ uid: 'p4', name: 'third', node: 'n4' }],
      },
      'rolledBack n2 | Source@p3',
    ],
    [
      'a target without a VMIM lingers on the node of a guest that has never migrated',
      { launchers: [source, { ...target, node: 'n1' }], held: [{ uid: 'p1', name: 'launcher', node: 'n1' }] },
      'settled n1 | Source@p1',
    ],
    [
      'and nothing is known of who held the port: both do',
      {
        vmi: told({ migrationUid: 'm3', sourceNode: 'n2', targetNode: 'n4', failed: true }, { nodeName: 'n2' }),
        launchers: [target, same],
      },
      'rolledBack n2 | Source@p2 Source@p3',
    ],
    [
      'the first has failed, but its VMIM never says so, and the second has just ended',
      {
        vmi: told(
          { migrationUid: 'm2', targetNode: 'n3', targetPod: 'second', domainReady: true, completed: true },
          { nodeName: 'n3' },
        ),
        vmims: [active, { uid: 'm2', phase: 'Running' }],
        launchers: [target, second],
      },
      'settled n3 | Source@p3',
    ],
    [
      'back to the node where the first one began, whose launcher still ends',
      {
        vmi: told({ migrationUid: 'm2', sourceNode: 'n2', targetNode: 'n1', targetPod: 'second' }, { nodeName: 'n2' }),
        launchers: [source, target, { ...second, node: 'n1' }],
      },
      'prepared n2,n1 | Source@p2 Target@p3',
    ],
    [
      'and arrived there',
      {
        vmi: told({ migrationUid: 'm2', sourceNode: 'n2', targetNode: 'n1', domainReady: true }, { nodeName: 'n2' }),
        launchers: [source, target, { ...second, node: 'n1' }],
      },
      'activated n1 | Source@p3',
    ],
  ])('%s', check);
});

describe('what a VMI may look like', () => {
  it.each<Case>([
    [
      'hot-plugged volumes: the VMIM is Pending though its target has a node',
      { vmims: [{ ...active, phase: 'Pending' }] },
      'prepared n1,n2 | Source@p1 Target@p2',
    ],
    [
      'a migration without a UID is none',
      { vmi: { ...running, migrationState: { targetNode: 'n2', domainReady: true } } },
      'settled n1 | Source@p1',
    ],
    [
      'a migration without a target yet',
      { vmi: { ...running, migrationState: { migrationUid: 'm1' } }, launchers: [source] },
      'settled n1 | Source@p1',
    ],
    ['source and target on one node', { vmi: told({ targetNode: 'n1' }) }, 'activated n1 | Source@p1'],
    [
      'a phase that nobody has heard of',
      { vmi: { ...running, phase: 'Levitating' }, vmims: [{ ...active, phase: 'Levitating' }] },
      'prepared n1,n2 | Source@p1 Target@p2',
    ],
    [
      'KubeVirt 1.4: ready on the target, the source has not confirmed',
      { vmi: told({ domainReady: true }) },
      'activated n2 | Source@p2',
    ],
    [
      'KubeVirt 1.4: the source confirms, node and end in one',
      { vmi: told({ domainReady: true, completed: true }, { nodeName: 'n2' }) },
      'settled n2 | Source@p2',
    ],
    [
      'completed and not failed, although nobody said ready',
      { vmi: told({ completed: true }) },
      'settled n2 | Source@p2',
    ],
    [
      'being deleted in the middle: the launchers still hold',
      { vmi: told({}), launchers: [source, target].map((one) => ({ ...one, deleting: true })) },
      'prepared n1,n2 | Source@p1 Target@p2',
    ],
  ])('%s', check);

  it('is gone in the middle: the port stays where it is, as long as a launcher lives there', () => {
    const gone = (over: Partial<MigrationInput>) =>
      deriveMigration({ vmims: [], launchers: [source, target], ...over });
    expect(gone({ binding: { chassis: 'n2' } }).requestedChassis).toEqual(['n2']);
    expect(gone({ binding: { chassis: 'n1' } }).requestedChassis).toEqual(['n1']);
    expect(gone({ binding: { chassis: 'n3' } }).requestedChassis).toEqual(['n1']);
    expect(gone({ launchers: [target], binding: { chassis: 'n1' } }).requestedChassis).toEqual(['n2']);
  });
});

describe('a migration across namespaces or clusters', () => {
  const decentralized = { uid: 'd1', phase: 'Synchronizing', decentralized: true };
  it('is refused although its state names nodes of elsewhere', () => {
    const vmi = told({ migrationUid: 'd1', targetNode: 'n9', domainReady: true });
    const refused = deriveMigration(given({ vmi, vmims: [decentralized], launchers: [source] }));
    expect(refused).toMatchObject({ unsupported: true, phase: 'settled', requestedChassis: ['n1'] });
  });

  it('is refused by the VMI alone, once the VMIM is gone', () => {
    const vmi = told({ migrationUid: 'd1', targetNode: 'n9', domainReady: true, foreign: true });
    const refused = deriveMigration(given({ vmi, launchers: [source] }));
    expect(refused).toMatchObject({ unsupported: true, phase: 'settled', requestedChassis: ['n1'] });
    const over = told({ migrationUid: 'd1', targetNode: 'n9', domainReady: true, foreign: true, completed: true });
    expect(deriveMigration(given({ vmi: over, launchers: [source] }))).toMatchObject({
      unsupported: false,
      requestedChassis: ['n1'],
    });
  });

  it('does not disturb an ordinary one that goes on', () => {
    const state = deriveMigration(given({ vmi: told({}), vmims: [active, decentralized] }));
    expect(state).toMatchObject({ unsupported: true, phase: 'prepared', requestedChassis: ['n1', 'n2'] });
  });

  it('says so on the VMI that waits for the guest', () => {
    const vmi = { uid: 'v1', phase: 'WaitingForSync', receiver: true };
    expect(deriveMigration({ vmi, vmims: [], launchers: [] })).toMatchObject({
      unsupported: true,
      phase: 'unattached',
    });
  });
});
