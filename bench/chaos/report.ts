import { type Summary, summarise } from '../migration/stats.ts';
import { VICTIMS, type Victim } from './plan.ts';
import type { Outcome } from './run.ts';

/** `out/bench/chaos.json`. */
export type ChaosReport = {
  readonly seed: number;
  readonly migrations: number;
  readonly succeeded: number;
  readonly failed: number;
  /** What did not hold in the end; empty when everything did. */
  readonly violations: readonly string[];
  readonly killed: Readonly<Record<Victim, { n: number; longestGapMs: Summary; settledMs: Summary; tcpLost: number }>>;
  readonly all: readonly Outcome[];
};

/** Counts and violations; migrations that are missing are one. */
export function deriveReport(
  outcomes: readonly Outcome[],
  { count, seed, stopped }: { count: number; seed: number; stopped?: string | undefined },
): ChaosReport {
  const ended = (result: Outcome['result']): number => outcomes.filter((one) => one.result === result).length;
  return {
    seed,
    migrations: outcomes.length,
    succeeded: ended('Succeeded'),
    failed: ended('Failed'),
    violations: [
      ...outcomes.flatMap(({ round, violations }) => violations.map((text) => `${round.name}: ${text}`)),
      ...(stopped === undefined ? [] : [stopped]),
      ...(outcomes.length === count ? [] : [`${count - outcomes.length} migrations did not take place`]),
    ],
    killed: Object.fromEntries(VICTIMS.map((victim) => [victim, describe(outcomes, victim)])) as ChaosReport['killed'],
    all: outcomes,
  };
}

function describe(outcomes: readonly Outcome[], victim: Victim): ChaosReport['killed'][Victim] {
  const own = outcomes.filter(({ round }) => round.victim === victim);
  return {
    n: own.length,
    longestGapMs: summarise(own.map(({ longestGapMs }) => longestGapMs)),
    settledMs: summarise(own.map(({ settledMs }) => settledMs)),
    tcpLost: own.reduce((sum, { tcpLost }) => sum + tcpLost, 0),
  };
}

/** One line for the progress. */
export function formatOutcome(outcome: Outcome): string {
  const { round, phase, pod, result, from, to, settledMs, longestGapMs, tcpLost, violations } = outcome;
  const verdict = violations.length === 0 ? 'right' : `WRONG: ${violations.join('; ')}`;
  const lost = tcpLost === 0 ? '' : `, ${tcpLost} TCP connections lost`;
  return (
    `${round.name}: ${round.victim} (${pod}) killed in ${phase} (${round.phase || 'asked for'} + ${round.plusMs} ms); ${result}, ${from} -> ${to}, ` +
    `longest gap ${longestGapMs} ms${lost}, ${verdict} after ${settledMs} ms`
  );
}
