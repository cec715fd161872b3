import { ApiError, type Clock, type Timer } from '../kube/index.ts';

/**
 * Lets news of a machine overtake the turn that is under way for it. A key has one turn at a time, and one that waits for
 * an API server that does not answer would keep a guest that has come back from its rows for half a minute.
 */
export type Hurry = {
  /** Runs a turn with a signal that ends with `outer`, or soon after news of the key. */
  run<T>(key: string, outer: AbortSignal, turn: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** There is news of this key. */
  press(key: string): void;
};

/** What a turn has left from the moment of the news: many times of what it takes when all is well. */
const PATIENCE_MS = 500;

type Running = { readonly abort: AbortController; timer?: Timer };

/** Only for machines: pods do not move. */
export function createHurry(clock: Clock): Hurry {
  const running = new Map<string, Running>();
  return {
    run: async (key, outer, turn) => {
      if (!key.startsWith('vm/')) return turn(outer);
      const own: Running = { abort: new AbortController() };
      const end = () => own.abort.abort(outer.reason);
      if (outer.aborted) end();
      outer.addEventListener('abort', end, { once: true });
      running.set(key, own);
      try {
        return await turn(own.abort.signal);
      } finally {
        outer.removeEventListener('abort', end);
        own.timer?.cancel();
        running.delete(key);
      }
    },
    press: (key) => {
      const own = running.get(key);
      if (own === undefined || own.timer !== undefined) return;
      own.timer = clock.schedule(PATIENCE_MS, () => own.abort.abort(failOvertaken()));
    },
  };
}

const failOvertaken = (): ApiError =>
  new ApiError({ status: 0, reason: 'Overtaken', message: 'there is news, and no answer yet', class: 'retry' });
