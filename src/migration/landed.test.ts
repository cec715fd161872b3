import { describe, expect, it } from 'vitest';
import { deriveMigration } from './derive.ts';
import type { BindingRecord, MigrationInput, VmiMigrationState } from './input.ts';

const launcher = (uid: string, node: string, migrationJobUid?: string) => ({
  ...{ uid, name: uid, vmiUid: 'v', node, deleting: false, final: false },
  ...(migrationJobUid === undefined ? {} : { migrationJobUid }),
});
const over: VmiMigrationState = {
  migrationUid: 'm',
  sourceNode: 'n1',
  targetNode: 'n2',
  domainReady: true,
  completed: true,
};
const derive = (nodeName: string, binding: BindingRecord, migrationState: VmiMigrationState | undefined = over) => {
  const input: MigrationInput = {
    vmi: { uid: 'v', phase: 'Running', nodeName, ...(migrationState === undefined ? {} : { migrationState }) },
    vmims: [],
    launchers: [launcher('p1', 'n1'), launcher('p2', 'n2', 'm')],
    binding,
  };
  return deriveMigration(input).landed;
};

describe('a migration has landed', () => {
  it.each<[string, string, BindingRecord, string | undefined]>([
    ['when the target has the port alone', 'n2', { chassis: 'n2', additional: [] }, 'm'],
    ['not while the source is still beside it', 'n2', { chassis: 'n2', additional: ['n1'] }, undefined],
    ['not while the source still has it', 'n2', { chassis: 'n1', additional: ['n2'] }, undefined],
    ['not while nobody has it', 'n2', {}, undefined],
  ])('%s', (_cause, node, binding, expected) => {
    expect(derive(node, binding)).toBe(expected);
  });

  it('also on the source, when it failed', () => {
    const failed = { ...over, domainReady: false, completed: true, failed: true };
    expect(derive('n1', { chassis: 'n1', additional: ['n2'] }, failed)).toBeUndefined();
    expect(derive('n1', { chassis: 'n1', additional: [] }, failed)).toBe('m');
  });

  it('never while it goes on, and not for a VM that has not migrated', () => {
    const begun: VmiMigrationState = { migrationUid: 'm', sourceNode: 'n1', targetNode: 'n2' };
    expect(derive('n1', { chassis: 'n1', additional: [] }, begun)).toBeUndefined();
    expect(derive('n1', { chassis: 'n1', additional: [] }, {})).toBeUndefined();
  });
});
