import { describe, expect, it } from 'vitest';
import { deriveReport, formatOutcome } from './report.ts';
import type { Outcome } from './run.ts';

const outcome = (more: Partial<Outcome> = {}): Outcome => ({
  round: { name: 'bridge-chaos-1', binding: 'bridge', victim: 'northd', node: 0, phase: 'Running', plusMs: 200 },
  pod: 'central',
  phase: 'Running',
  result: 'Succeeded',
  from: 'node1',
  to: 'node2',
  settledMs: 800,
  longestGapMs: 75,
  tcpLost: 0,
  violations: [],
  ...more,
});

describe('the report of a chaotic run', () => {
  it('has no violation when all came about and all is right, whether it moved or went back', () => {
    const report = deriveReport([outcome(), outcome({ result: 'Failed' })], { count: 2, seed: 1 });
    expect(report).toMatchObject({ violations: [], succeeded: 1, failed: 1, migrations: 2 });
    expect(report.killed.northd.n).toBe(2);
    expect(report.killed.agent.n).toBe(0);
  });

  it('names what does not hold, by the migration', () => {
    const wrong = outcome({ violations: ['the address or MAC changed'] });
    const { violations } = deriveReport([outcome(), wrong], { count: 2, seed: 1 });
    expect(violations).toEqual(['bridge-chaos-1: the address or MAC changed']);
  });

  it('takes migrations that never were, and a run that ended early, for violations', () => {
    const { violations } = deriveReport([outcome()], { count: 3, seed: 1, stopped: 'the run ended early: SIGINT' });
    expect(violations).toEqual(['the run ended early: SIGINT', '2 migrations did not take place']);
  });
});

describe('a line of the progress', () => {
  it('says who was killed when, and what came of it', () => {
    expect(formatOutcome(outcome())).toBe(
      'bridge-chaos-1: northd (central) killed in Running (Running + 200 ms); Succeeded, node1 -> node2, longest gap 75 ms, right after 800 ms',
    );
    expect(formatOutcome(outcome({ violations: ['the port: x'], tcpLost: 2 }))).toContain(
      '2 TCP connections lost, WRONG: the port: x',
    );
  });
});
