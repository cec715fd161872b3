/** A timer that has not fired yet; cancelling it twice or late is harmless. */
export type Timer = { cancel(): void };

/** Time as this folder sees it. `now` never goes back; `date` is only for timestamps written into objects. */
export type Clock = {
  /** Monotonic milliseconds since some fixed moment. */
  now(): number;
  /** Wall clock: for display, never for a decision. */
  date(): Date;
  /** Calls `run` once, `delayMs` milliseconds from now. */
  schedule(delayMs: number, run: () => void): Timer;
};

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Waits `delayMs`; rejects with the signal's reason when it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.schedule(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
