import { describe, expect, it } from 'vitest';
import { judge } from '../scale/report.ts';
import type { MigrationFigures } from './judge.ts';
import { formatPicture } from './picture.ts';
import { deriveReport, listBars } from './report.ts';
import type { Seen } from './run.ts';

const migration = (more: Partial<MigrationFigures> = {}): MigrationFigures => ({
  name: 'm',
  strategy: 'gate',
  binding: 'bridge',
  source: 'a',
  target: 'b',
  seconds: 4,
  windowMs: 3000,
  pausedMs: 10,
  qemuDowntimeMs: 5,
  commitMs: 100,
  addressChanged: false,
  proberLateMs: 0,
  flows: [
    {
      ...{
        place: 'third',
        family: 4,
        gapMs: 75,
        handOver: true,
        hardest: undefined,
        fromMs: -11,
        coldMs: 60,
        beyondMs: 5,
        beyondQemuMs: 70,
        lost: 70,
      },
    },
  ],
  tcp: [{ place: 'third', family: 4, openedBy: 'guest', stallMs: 300, resets: 0 }],
  ...more,
});

const seen = (more: Partial<Seen> = {}): Seen => ({
  migrations: [migration(), migration({ strategy: 'rarp', commitMs: 900 })],
  noise: [{ binding: 'bridge', family: 4, gapMs: 2, unexplainedMs: 1 }],
  aborts: [{ name: 'x', way: 'killed', source: 'a', rollbackMs: 40 }],
  failures: [],
  ...more,
});
const report = (more: Partial<Seen> = {}) => deriveReport(seen(more), { kept: 'gate', seed: 3 });
const listMissed = (more: Partial<Seen> = {}, count = 1): string[] =>
  judge(listBars(report(more), { count, bindings: ['bridge'] }))
    .filter(({ passed }) => !passed)
    .map(({ name }) => name);

describe('the report', () => {
  it('has the fields that were asked for, of the strategy that is kept', () => {
    expect(report()).toMatchObject({
      migrations: 1,
      addressChanges: 0,
      resets: 0,
      noiseMs: { p50: 2, p99: 2 },
      beyondDowntimeMs: { bridge: { p50: 4, p99: 4, max: 4 } },
      commitMs: { p50: 100, p99: 100 },
      rollbackMs: { p50: 40, p99: 40 },
    });
  });

  it('shows both strategies side by side', () => {
    expect(report().details.map(({ strategy, commit }) => [strategy, commit.p50])).toEqual([
      ['gate', 100],
      ['rarp', 900],
    ]);
  });
});

describe('the bars', () => {
  const flow = migration().flows[0];
  const slow = { ...migration(), flows: flow === undefined ? [] : [{ ...flow, beyondMs: 43 }] };
  it.each<[string, Partial<Seen>, string[]]>([
    ['hold', {}, []],
    ['miss a changed address', { migrations: [migration({ addressChanged: true })] }, ['address or MAC changes']],
    [
      'miss a lost connection',
      { migrations: [migration({ tcp: [{ place: 'third', family: 4, openedBy: 'guest', stallMs: 1, resets: 2 }] })] },
      ['TCP connections lost'],
    ],
    ['miss a late commit', { migrations: [migration({ commitMs: 2001 })] }, ['event to commit, p99']],
    ['miss a failure', { failures: [{ strategy: 'gate', what: 'it did not move' }] }, ['failures']],
    ['miss a run that ended early', { failures: [{ what: 'SIGINT' }] }, ['failures']],
    ['hold where only the other strategy fails', { failures: [{ strategy: 'rarp', what: 'it did not move' }] }, []],
    [
      'miss a long gap',
      { migrations: [slow] },
      ['gap beyond downtime and noise, bridge, p50', 'gap beyond downtime and noise, bridge, p99'],
    ],
    [
      'miss a late return',
      { aborts: [{ name: 'x', way: 'deleted', source: 'a', rollbackMs: 2500 }] },
      ['event to rolled back, p99'],
    ],
  ])('%s', (_, more, missed) => {
    expect(listMissed(more)).toEqual(missed);
  });

  it('do not hold by migrations that never were', () => {
    expect(listMissed({}, 200)).toEqual(['migrations that did not take place']);
    expect(listMissed({ migrations: [] })).toContain('gap beyond downtime and noise, bridge, p99');
  });
});

describe('the picture', () => {
  it('has two panels per binding that was measured, and all of its text is escaped', () => {
    const svg = formatPicture(seen(), 'gate');
    expect(svg.match(/<g transform/g)).toHaveLength(2);
    expect(svg).toContain('bridge: beyond downtime and noise');
    expect(svg).not.toContain('NaN');
    expect(svg).not.toContain('managedTap');
  });
});
