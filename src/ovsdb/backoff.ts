export type BackoffOptions = {
  readonly minMs: number;
  readonly maxMs: number;
};

/**
 * How long to wait before connection attempt number `attempt` (0 is the first after a loss). Every remote is tried once
 * without waiting; then each round waits twice as long as the one before, with jitter of one half.
 */
export function planDelay(
  attempt: number,
  remotes: number,
  options: BackoffOptions & { readonly random: () => number },
): number {
  const round = Math.floor(attempt / remotes);
  if (round === 0 || attempt % remotes !== 0) return 0;
  const full = Math.min(options.maxMs, options.minMs * 2 ** Math.min(round - 1, 30));
  return full * (0.5 + options.random() / 2);
}
