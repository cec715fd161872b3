import type { Context } from './context.ts';
import { CniError } from './errors.ts';

/** STATUS: can an ADD be served now? Throws CniError `unavailable` with what is missing. */
export function status(context: Context): void {
  const obstacle = context.findObstacle();
  if (obstacle !== undefined) throw new CniError('unavailable', obstacle);
}
