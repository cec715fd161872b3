import type { Clock } from '../../kube/index.ts';

/** The reason of a signal that ran out of time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly afterMs: number;
  constructor(afterMs: number) {
    super(`no more time after ${afterMs} ms`);
    this.afterMs = afterMs;
  }
}

/** Runs with a signal that ends with `outer` or after `ms`. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  outer: readonly AbortSignal[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const timer = clock.schedule(ms, () => abort.abort(new DeadlineError(ms)));
  try {
    return await run(AbortSignal.any([abort.signal, ...outer]));
  } finally {
    timer.cancel();
  }
}
