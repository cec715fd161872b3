import { describe, expect, it } from 'vitest';
import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import { makePort } from '../../plan/ports/testing/nic-walk.ts';
import type { Turn } from '../context.ts';
import type { Seen } from './seen.ts';
import { listSteps, reportSteps, type Told } from './steps.ts';

type Phase = NonNullable<NonNullable<LogicalPortStatus['migration']>['phase']>;
const at = (phase: Phase | undefined, uid = 'm1'): LogicalPortStatus =>
  phase === undefined ? {} : { migration: { uid, phase, sourceNode: 'n1', targetNode: 'n2' } };
const refused: LogicalPortStatus = {
  conditions: [
    { type: 'Migrating', status: 'False', reason: 'MigrationNotSupported', message: '', lastTransitionTime: '' },
  ],
};

/** A NIC between two statuses. */
function tell(nic: string, before: LogicalPortStatus | undefined, status: LogicalPortStatus): Told {
  const port = makePort('red');
  const known: LogicalPort = {
    ...port,
    spec: { ...port.spec, nic },
    ...(before === undefined ? {} : { status: before }),
  };
  return { port: known, status };
}

const show = (told: Told[]) =>
  listSteps(told).map(({ phase, migration, nics }) => `${phase} ${migration.uid} ${nics.join()}`);

describe('listSteps', () => {
  it.each<[string, Told[], string[]]>([
    ['nothing new', [tell('a', at('Prepared'), at('Prepared'))], []],
    ['no migration', [tell('a', undefined, {})], []],
    ['the first step', [tell('a', undefined, at('Prepared'))], ['Prepared m1 a']],
    [
      'all NICs together',
      ['a', 'b', 'c'].map((nic) => tell(nic, at('Prepared'), at('Activated'))),
      ['Activated m1 a,b,c'],
    ],
    ['two ports of one NIC', [1, 2].map(() => tell('a', at('Prepared'), at('Settled'))), ['Settled m1 a']],
    ['the same step of another migration', [tell('a', at('Settled'), at('Settled', 'm2'))], ['Settled m2 a']],
    [
      'NICs at different steps',
      [tell('a', at('Prepared'), at('Activated')), tell('b', undefined, at('Prepared'))],
      ['Activated m1 a', 'Prepared m1 b'],
    ],
    ['a refusal, once', [tell('a', {}, refused), tell('b', refused, refused)], ['NotSupported undefined a']],
  ])('%s', (_cause, told, expected) => {
    expect(show(told)).toEqual(expected);
  });
});

/** A turn that keeps what it was asked to tell. */
function createTurn() {
  const entries: string[] = [];
  const turn = {
    steps: new Map(),
    log: { info: () => {} },
    events: { record: (_: unknown, { reason }: { reason: string }) => entries.push(reason) },
    metrics: {
      count: (_: string, { result }: { result: string }) => entries.push(result),
      observe: (_: string, ms: number, { phase }: { phase: string }) => entries.push(`${phase} ${ms}`),
    },
  } as unknown as Turn;
  const seen = { key: 'vm/a/x', regarding: { metadata: { name: 'x' } } } as unknown as Seen;
  const report = (...told: Told[]) => reportSteps(turn, seen, { told, tookMs: 7 });
  return { entries, report };
}

describe('reportSteps', () => {
  it('tells a step once, though the status could not be written, and the next one again', () => {
    const { entries, report } = createTurn();
    for (let turn = 0; turn < 3; turn += 1) report(tell('a', undefined, at('Prepared')));
    expect(entries).toEqual(['MigrationPrepared', 'prepare 7']);
    report(tell('a', at('Prepared'), at('RolledBack')));
    expect(entries.slice(2)).toEqual(['MigrationRolledBack', 'rollback 7', 'rolledBack']);
  });

  it('a NIC that comes later has an event, and counts no second time', () => {
    const { entries, report } = createTurn();
    report(tell('a', at('Activated'), at('Settled')), tell('b', at('Activated'), at('Activated')));
    report(tell('a', at('Settled'), at('Settled')), tell('b', at('Activated'), at('Settled')));
    expect(entries).toEqual(['MigrationSettled', 'commit 7', 'settled', 'MigrationSettled']);
  });

  it('a second refusal is told again', () => {
    const { entries, report } = createTurn();
    report(tell('a', {}, refused));
    report(tell('a', refused, {}));
    report(tell('a', {}, refused));
    expect(entries.filter((entry) => entry === 'MigrationNotSupported')).toHaveLength(2);
  });
});
