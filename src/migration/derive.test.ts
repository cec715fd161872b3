import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_CHASSIS } from '../api/names.ts';
import { deriveMigration } from './derive.ts';
import type { LauncherRecord, MigrationInput, VmiRecord } from './input.ts';

const node = fc.constantFrom('n1', 'n2', 'n3');
const uid = fc.constantFrom('m1', 'm2', 'm3');
const maybe = <T>(value: fc.Arbitrary<T>) => ({ arbitrary: value });

/** Leaves members out instead of making them undefined. */
function sparse<T extends object>(required: object, optional: Record<string, { arbitrary: fc.Arbitrary<unknown> }>) {
  const all = Object.entries(optional).map(([name, { arbitrary }]) => [name, arbitrary] as const);
  return fc.record({ ...required, ...Object.fromEntries(all) } as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: Object.keys(required),
  }) as unknown as fc.Arbitrary<T>;
}

const launcher = sparse<LauncherRecord>(
  {
    uid: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    name: fc.constant('launcher'),
    vmiUid: fc.constantFrom('v1', 'v2'),
    deleting: fc.boolean(),
    final: fc.boolean(),
  },
  { node: maybe(node), migrationJobUid: maybe(uid), ephemeral: maybe(fc.boolean()) },
);

const migrationState = sparse<NonNullable<VmiRecord['migrationState']>>(
  {},
  {
    migrationUid: maybe(uid),
    sourceNode: maybe(node),
    targetNode: maybe(node),
    domainReady: maybe(fc.boolean()),
    completed: maybe(fc.boolean()),
    failed: maybe(fc.boolean()),
    postCopy: maybe(fc.boolean()),
    foreign: maybe(fc.boolean()),
  },
);

const vmi = sparse<VmiRecord>(
  {
    uid: fc.constantFrom('v1', 'v2'),
    phase: fc.constantFrom('', 'Pending', 'Scheduling', 'Scheduled', 'Running', 'Succeeded', 'Failed', 'Strange'),
  },
  { nodeName: maybe(node), migrationState: maybe(migrationState), receiver: maybe(fc.boolean()) },
);

const input = sparse<MigrationInput>(
  {
    vmims: fc.array(
      sparse(
        { uid, phase: fc.constantFrom('', 'Pending', 'Scheduling', 'Running', 'Succeeded', 'Failed', 'Strange') },
        { decentralized: maybe(fc.boolean()) },
      ),
      { maxLength: 3 },
    ),
    launchers: fc.uniqueArray(launcher, { maxLength: 4, selector: (pod) => pod.uid }),
  },
  { vmi: maybe(vmi), binding: maybe(fc.record({ activated: fc.array(node) })) },
);

/** The node where a VMI says that its guest runs, apart from nodeName. */
function findToldTarget({ migrationState: state }: VmiRecord): string | undefined {
  if (state?.failed) return state.postCopy && state.domainReady ? state.targetNode : undefined;
  return state?.domainReady || state?.completed ? state.targetNode : undefined;
}

const check = (property: fc.IProperty<[MigrationInput]>) => fc.assert(property, { numRuns: 1000 });

describe('deriveMigration, whatever it is told', () => {
  it('names one or two different chassis, or none by the name that nobody bears', () => {
    check(
      fc.property(input, (given) => {
        const { requestedChassis } = deriveMigration(given);
        expect(requestedChassis.length).toBeGreaterThanOrEqual(1);
        expect(requestedChassis.length).toBeLessThanOrEqual(2);
        expect(new Set(requestedChassis).size).toBe(requestedChassis.length);
        if (requestedChassis.includes(NO_CHASSIS)) expect(requestedChassis).toEqual([NO_CHASSIS]);
      }),
    );
  });

  it("contains the VMI's node while it runs, unless the VMI says that the guest is on the target already", () => {
    check(
      fc.property(input, (given) => {
        const { vmi: told } = given;
        if (told?.phase !== 'Running' || told.nodeName === undefined) return;
        const { requestedChassis } = deriveMigration(given);
        const target = findToldTarget(told);
        if (target === undefined) expect(requestedChassis).toContain(told.nodeName);
        else expect([told.nodeName, target]).toContain(requestedChassis[0]);
      }),
    );
  });

  it('does not depend on the order of pods and VMIMs', () => {
    check(
      fc.property(input, (given) => {
        const turned = { ...given, vmims: given.vmims.toReversed(), launchers: given.launchers.toReversed() };
        const sort = (state: ReturnType<typeof deriveMigration>) => ({
          ...state,
          holds: state.holds.toSorted((a, b) => (a.launcher.uid < b.launcher.uid ? -1 : 1)),
        });
        expect(sort(deriveMigration(turned))).toEqual(sort(deriveMigration(given)));
      }),
    );
  });

  it('lets only living launchers with a node hold the port, each on a requested chassis', () => {
    check(
      fc.property(input, (given) => {
        const { holds, requestedChassis } = deriveMigration(given);
        for (const { launcher: pod } of holds) {
          expect(pod.final || pod.ephemeral === true).toBe(false);
          expect(requestedChassis).toContain(pod.node);
        }
      }),
    );
  });
});

const pod = (over: Partial<LauncherRecord>): LauncherRecord => ({
  uid: 'p1',
  name: 'launcher',
  vmiUid: 'v1',
  node: 'n1',
  deleting: false,
  final: false,
  ...over,
});
const target = pod({ uid: 'p2', node: 'n2', migrationJobUid: 'm1' });
const running: VmiRecord = { uid: 'v1', phase: 'Running', nodeName: 'n1' };
const handedOver = { migrationUid: 'm1', sourceNode: 'n1', targetNode: 'n2' };

describe('the hand-over to the target in two steps', () => {
  const moved = { ...running, migrationState: { ...handedOver, domainReady: true } };
  const settled = { ...running, nodeName: 'n2', migrationState: { ...handedOver, domainReady: true, completed: true } };
  const launchers = [pod({}), target];
  it.each<[string, MigrationInput, readonly string[]]>([
    [
      'the source stays beside the target while it is the chassis',
      { vmi: moved, vmims: [], launchers, binding: { chassis: 'n1' } },
      ['n2', 'n1'],
    ],
    [
      'so it does when the VMI says all at once',
      { vmi: settled, vmims: [], launchers, binding: { chassis: 'n1' } },
      ['n2', 'n1'],
    ],
    [
      'and goes once the target has claimed the port',
      { vmi: settled, vmims: [], launchers, binding: { chassis: 'n2' } },
      ['n2'],
    ],
    ['or when nobody has it', { vmi: settled, vmims: [], launchers, binding: {} }, ['n2']],
    [
      'a third chassis that has it is not asked to stay',
      { vmi: settled, vmims: [], launchers, binding: { chassis: 'n3' } },
      ['n2'],
    ],
    [
      'a failed migration leaves no target beside the source',
      {
        vmi: { ...running, migrationState: { ...handedOver, failed: true } },
        vmims: [],
        launchers,
        binding: { chassis: 'n1' },
      },
      ['n1'],
    ],
  ])('%s', (_, given, expected) => {
    expect(deriveMigration(given).requestedChassis).toEqual(expected);
  });
});

describe('deriveMigration, case by case', () => {
  it.each<[string, MigrationInput, string]>([
    [
      'a storage stand-in pod neither takes nor moves the port',
      { vmi: running, vmims: [], launchers: [pod({}), pod({ uid: 'p0', node: 'n3', ephemeral: true })] },
      'settled n1',
    ],
    [
      'nothing is attached before the launcher has a node',
      { vmi: { uid: 'v1', phase: 'Scheduling' }, vmims: [], launchers: [{ ...pod({}), node: '' }] },
      `unattached ${NO_CHASSIS}`,
    ],
    [
      'a launcher whose VMI is gone keeps the port while it runs',
      { vmims: [], launchers: [pod({ deleting: true })] },
      'settled n1',
    ],
    [
      'a launcher of an earlier life does not hold the port of the new one',
      { vmi: { uid: 'v9', phase: 'Scheduling' }, vmims: [], launchers: [pod({})] },
      `unattached ${NO_CHASSIS}`,
    ],
    [
      'a target is prepared before the hand-off',
      { vmi: running, vmims: [{ uid: 'm1', phase: 'Scheduling' }], launchers: [pod({}), target] },
      'prepared n1,n2',
    ],
    [
      'a target is prepared while the VMI names the migration, but no target yet',
      {
        vmi: { ...running, migrationState: { migrationUid: 'm1' } },
        vmims: [{ uid: 'm1', phase: 'Scheduling' }],
        launchers: [pod({}), target],
      },
      'prepared n1,n2',
    ],
    [
      'a target whose VMIM vanished is no target',
      { vmi: running, vmims: [], launchers: [pod({}), target] },
      'settled n1',
    ],
    [
      'a target that dies after the hand-off rolls back',
      {
        vmi: { ...running, migrationState: handedOver },
        vmims: [{ uid: 'm1', phase: 'Running' }],
        launchers: [pod({}), { ...target, final: true }],
      },
      'rolledBack n1',
    ],
    [
      "OVN's own activation is told, but does not commit",
      {
        vmi: { ...running, migrationState: handedOver },
        vmims: [],
        launchers: [pod({}), target],
        binding: { activated: ['n2'] },
      },
      'activated n1,n2',
    ],
    [
      'the last migration, over but replayed, does not disturb the next one',
      {
        vmi: { ...running, nodeName: 'n2', migrationState: { ...handedOver, completed: true, domainReady: true } },
        vmims: [
          { uid: 'm1', phase: 'Succeeded' },
          { uid: 'm2', phase: 'Scheduling' },
        ],
        launchers: [target, pod({ uid: 'p3', node: 'n3', migrationJobUid: 'm2' })],
      },
      'prepared n2,n3',
    ],
    [
      'completed is on the target even when nodeName lags',
      {
        vmi: { ...running, migrationState: { ...handedOver, completed: true, domainReady: true } },
        vmims: [],
        launchers: [pod({}), target],
      },
      'settled n2',
    ],
  ])('%s', (_cause, given, expected) => {
    const state = deriveMigration(given);
    expect(`${state.phase} ${state.requestedChassis.join(',')}`).toBe(expected);
  });

  it('refuses a migration across clusters and says so', () => {
    const state = deriveMigration({
      vmi: running,
      vmims: [{ uid: 'm1', phase: 'Synchronizing', decentralized: true }],
      launchers: [pod({}), target],
    });
    expect(state).toMatchObject({ unsupported: true, requestedChassis: ['n1'] });
  });
});
