import type { Clock } from '../../kube/index.ts';

/** Steps of an ADD, in order; a span of the log and a label of the metric each. */
export const STAGES = ['pod', 'port', 'subnet', 'journal', 'veth', 'ovs', 'installed'] as const;
export type Stage = (typeof STAGES)[number];

/** Where a call is and how long each step took. */
export type Stages = {
  enter(stage: Stage): void;
  /** The stage that was entered last. */
  current(): Stage;
  /** Ends the last stage and gives milliseconds per stage and in all. */
  finish(): { readonly ms: number; readonly stages: Readonly<Partial<Record<Stage, number>>> };
};

export function createStages(clock: Clock): Stages {
  const startedAt = clock.now();
  const stages: Partial<Record<Stage, number>> = {};
  let current: Stage = 'pod';
  let since = startedAt;
  const close = () => {
    const now = clock.now();
    stages[current] = round((stages[current] ?? 0) + now - since);
    since = now;
  };
  return {
    enter: (stage) => {
      close();
      current = stage;
    },
    current: () => current,
    finish: () => {
      close();
      return { ms: round(clock.now() - startedAt), stages };
    },
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
