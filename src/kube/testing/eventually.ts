import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `check` gives something true and returns it; throws after `withinMs` of real time, naming `what`. */
export async function eventually<R>(what: string, check: () => R, withinMs = 10_000): Promise<NonNullable<R>> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = check();
    if (found) return found;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(1);
  }
}
