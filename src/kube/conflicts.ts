import { isConflict } from './errors.ts';

/**
 * Runs a read-and-write until it loses no race, at most `attempts` times; then the last conflict is thrown, for the
 * queue to wait before the next turn. `run` must read afresh each time.
 */
export async function retryConflicts<R>(run: () => Promise<R>, attempts = 5): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (!isConflict(error) || attempt >= attempts) throw error;
    }
  }
}
