import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../../src/api/types.gen.ts';
import type { Vmi, Vmim } from '../kubevirt/objects.ts';
import { describeBinding, describeOptions, describePort, describeVmi, describeVmim } from './marks.ts';

const vmim = (phase?: string, deletionTimestamp?: string): Vmim => ({
  metadata: { name: 'm', ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  spec: { vmiName: 'vm' },
  ...(phase === undefined ? {} : { status: { phase } }),
});
const vmi = (nodeName: string, state?: object): Vmi =>
  ({ metadata: { name: 'vm' }, spec: {}, status: { nodeName, migrationState: state } }) as unknown as Vmi;
const port = (roles: Record<string, 'Source' | 'Target'>, phase?: string): LogicalPort =>
  ({
    metadata: { name: 'vm.default.vm' },
    spec: { attachments: Object.entries(roles).map(([node, role]) => ({ node, role })) },
    ...(phase === undefined ? {} : { status: { migration: { uid: 'm', phase } } }),
  }) as unknown as LogicalPort;

describe('describeVmim', () => {
  it.each([
    ['created', undefined, vmim(), ['created']],
    ['a phase', vmim(), vmim('Pending'), ['Pending']],
    ['nothing', vmim('Pending'), vmim('Pending'), []],
    ['asked to go', vmim('Running'), vmim('Running', 'now'), ['deletion asked']],
    ['first seen as it goes', undefined, vmim('Failed', 'now'), ['Failed', 'deletion asked']],
    ['gone', vmim('Failed'), undefined, ['gone']],
  ])('%s', (_cause, before, after, expected) => {
    expect(describeVmim(before, after)).toEqual(expected);
  });
});

describe('describeVmi', () => {
  const handedOver = { migrationUid: 'a', targetNode: 'n2' };
  it.each([
    ['no migration', vmi('n1'), vmi('n1'), []],
    ['the hand-off', vmi('n1'), vmi('n1', handedOver), ['hand-off']],
    [
      'several steps in one write',
      vmi('n1', handedOver),
      vmi('n2', { ...handedOver, targetNodeDomainReadyTimestamp: 't', endTimestamp: 't' }),
      ['domain ready', 'ended', 'runs on n2'],
    ],
    [
      'the next migration, whose state begins anew',
      vmi('n2', { ...handedOver, completed: true }),
      vmi('n2', { migrationUid: 'b', targetNode: 'n1' }),
      ['hand-off'],
    ],
    ['a VMI that is gone', vmi('n1'), undefined, ['gone']],
  ])('%s', (_cause, before, after, expected) => {
    expect(describeVmi(before, after)).toEqual(expected);
  });
});

describe('describePort', () => {
  it.each([
    ['held by a source', port({}), port({ n1: 'Source' }), ['source n1']],
    [
      'prepared',
      port({ n1: 'Source' }),
      port({ n1: 'Source', n2: 'Target' }, 'Prepared'),
      ['source n1, target n2', 'Prepared'],
    ],
    ['only a step', port({ n2: 'Source' }, 'Activated'), port({ n2: 'Source' }, 'Settled'), ['Settled']],
    ['let go', port({ n1: 'Source' }), port({}), ['not held']],
    ['gone', port({}), undefined, ['gone']],
  ])('%s', (_cause, before, after, expected) => {
    expect(describePort(before, after)).toEqual(expected);
  });
});

describe('what the databases say', () => {
  it('of options', () => {
    expect(describeOptions(new Map([['requested-chassis', 'n1,n2']]))).toBe('n1,n2');
    expect(
      describeOptions(
        new Map([
          ['requested-chassis', 'n1,n2'],
          ['activation-strategy', 'rarp'],
        ]),
      ),
    ).toBe('n1,n2, by rarp');
    expect(describeOptions(undefined)).toBe('gone');
  });

  it.each([
    [{ chassis: 'n1', additionalChassis: [], activated: [] }, 'n1'],
    [{ chassis: 'n1', additionalChassis: ['n2'], activated: [] }, 'n1 + n2'],
    [{ additionalChassis: ['n1', 'n2'], activated: ['n2'] }, 'nowhere + n1, n2, n2 activated'],
  ])('of a binding %#', (binding, expected) => {
    const more = { logicalPort: 'p', requestedAdditionalChassis: [], up: true };
    expect(describeBinding({ ...more, ...binding })).toBe(expected);
  });
});
