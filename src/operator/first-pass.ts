import type { Context } from './context.ts';

/** What a new leader has yet to look at before it knows that everything is as it should be. */
export type FirstPass = {
  begin(keys: ReadonlySet<string>): void;
  /** A turn for the key has ended without a failure. */
  done(key: string): void;
};

/** Tells once, in the log and as a metric, that each key has had a turn that did not fail. */
export function createFirstPass({ clock, log, metrics }: Pick<Context, 'clock' | 'log' | 'metrics'>): FirstPass {
  let left: Set<string> | undefined;
  let keys = 0;
  let begunAt = 0;
  const finish = () => {
    left = undefined;
    const ms = Math.round(clock.now() - begunAt);
    metrics.observe('first_pass_ms', ms);
    log.info({ keys, ms }, 'first pass done');
  };
  return {
    begin: (wanted) => {
      left = new Set(wanted);
      keys = wanted.size;
      begunAt = clock.now();
      if (left.size === 0) finish();
    },
    done: (key) => {
      if (left?.delete(key) && left.size === 0) finish();
    },
  };
}
