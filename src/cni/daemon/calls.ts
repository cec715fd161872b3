import { CniError } from './errors.ts';
import { formatKey } from './journal.ts';
import type { AttachmentKey } from './request.ts';

/** Keeps calls for one attachment apart: one after the other, and a DEL ends the ADD before it. */
export type Calls = {
  /** Runs when all earlier calls for the key are over. */
  run<T>(key: AttachmentKey, call: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The same, after telling all earlier calls for the key to give up: a runtime may send DEL while ADD still runs. */
  overtake<T>(key: AttachmentKey, call: (signal: AbortSignal) => Promise<T>): Promise<T>;
  isBusy(key: AttachmentKey): boolean;
  /** Resolves when no call is under way any more. */
  drain(): Promise<void>;
};

type Lane = { tail: Promise<unknown>; running: Set<AbortController> };

export function createCalls(): Calls {
  const lanes = new Map<string, Lane>();
  const run = async <T>(key: AttachmentKey, call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const name = formatKey(key);
    const lane = lanes.get(name) ?? { tail: Promise.resolve(), running: new Set() };
    lanes.set(name, lane);
    const abort = new AbortController();
    lane.running.add(abort);
    const turn = lane.tail.then(() => call(abort.signal));
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    lane.tail = settled;
    try {
      return await turn;
    } finally {
      lane.running.delete(abort);
      if (lane.running.size === 0) lanes.delete(name);
    }
  };
  return {
    run,
    overtake: (key, call) => {
      for (const abort of lanes.get(formatKey(key))?.running ?? []) {
        abort.abort(new CniError('fenced', 'a DEL for the same sandbox has come'));
      }
      return run(key, call);
    },
    isBusy: (key) => lanes.has(formatKey(key)),
    drain: async () => {
      while (lanes.size > 0) await Promise.all([...lanes.values()].map((lane) => lane.tail));
    },
  };
}
