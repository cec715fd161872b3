import type { Reason } from './reasons.ts';

/** Why something asked for cannot be done: a value, not an error. `message` is for people and names the culprit. */
export type Problem = { readonly reason: Reason; readonly message: string };

/** Either what was asked for, or why not. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export const succeed = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (reason: Reason, message: string): { readonly ok: false; readonly problem: Problem } => ({
  ok: false,
  problem: { reason, message },
});
