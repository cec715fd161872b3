/**
 * Waits until `derive` gives something, asking again at each change: no polling. An error of `derive` ends the waiting.
 * Rejects with the signal's reason.
 */
export function until<T>(
  onChange: (listener: () => void) => () => void,
  derive: () => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let end: (() => void) | undefined;
    let over = false;
    const finish = (settle: () => void) => {
      over = true;
      end?.();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const check = () => {
      if (over) return;
      try {
        const value = derive();
        if (value !== undefined) finish(() => resolve(value));
      } catch (error) {
        finish(() => reject(error));
      }
    };
    if (signal.aborted) return onAbort();
    check();
    if (over) return;
    signal.addEventListener('abort', onAbort, { once: true });
    end = onChange(check);
    if (over) end();
  });
}
