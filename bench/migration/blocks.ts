import type { Binding } from './objects.ts';
import type { Strategy } from './strategy.ts';

/** Migrations of one VM one after another, with one strategy. */
export type Block = {
  readonly strategy: Strategy;
  readonly binding: Binding;
  readonly migrations: number;
  readonly aborts: number;
};

export type Plan = {
  /** Migrations with the strategy that the product keeps; a strategy to compare with gets a fifth on top. */
  readonly count: number;
  readonly aborts: number;
  readonly bindings: readonly Binding[];
  readonly strategies: readonly [Strategy, ...Strategy[]];
};

const ROUNDS = 2;
const COMPARED = 0.2;

/** The `index`th of `parts` whole shares that add up to `total`. */
export function shareOf(total: number, parts: number, index: number): number {
  return Math.floor((total * (index + 1)) / parts) - Math.floor((total * index) / parts);
}

/** Blocks in turn, so that no strategy and no binding has the machine's better half hour. Empty blocks are left out. */
export function planBlocks({ count, aborts, bindings, strategies }: Plan): Block[] {
  const [kept] = strategies;
  const rounds = Array.from({ length: ROUNDS }, (_, round) =>
    strategies.flatMap((strategy) => {
      // OVN's strategy knows nothing of the NAT: masquerade keeps the gate whatever is asked.
      const asked = strategy === kept ? bindings : bindings.filter((binding) => binding !== 'masquerade');
      const total = strategy === kept ? count : Math.ceil(count * COMPARED);
      return asked.map((binding, index): Block => {
        const [parts, own] = [ROUNDS * asked.length, round * asked.length + index];
        const shares = { migrations: shareOf(total, parts, own), aborts: shareOf(aborts, parts, own) };
        return { strategy, binding, ...shares, aborts: strategy === kept ? shares.aborts : 0 };
      });
    }),
  );
  return rounds.flat().filter(({ migrations, aborts: own }) => migrations + own > 0);
}
