import type { Random } from './types.ts';

/** Growing waits: `baseMs` doubled for each failure in a row, at most `maxMs`. */
export type BackoffLimits = { baseMs: number; maxMs: number };

/** The wait after `failures` failures in a row (1 or more), with ±50 % jitter so that many clients spread out. */
export function deriveBackoff(failures: number, limits: BackoffLimits, random: Random): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 30);
  return Math.min(limits.baseMs * 2 ** exponent, limits.maxMs) * (0.5 + random());
}
