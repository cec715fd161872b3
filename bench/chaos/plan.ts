import { shareOf } from '../migration/blocks.ts';
import type { Binding } from '../migration/objects.ts';
import { createRandom } from '../migration/stats.ts';

/** Programs that are killed, each where it matters for a migration. */
export const VICTIMS = ['operator', 'agent', 'ovn-controller', 'northd', 'nb-leader'] as const;
export type Victim = (typeof VICTIMS)[number];

/** One migration and what is done to it. */
export type Round = {
  readonly name: string;
  readonly binding: Binding;
  readonly victim: Victim;
  /** Of the programs that run on every node: on which, by the node's place in the list. */
  readonly node: number;
  /** After the VMIM was asked for. */
  readonly afterMs: number;
};

/** As long as a migration takes, and a little of what comes after it. */
const SPAN_MS = 5000;

/** The rounds of a seed: the same ones every time, one VM after another, every victim about as often as the others. */
export function planRounds(options: {
  count: number;
  seed: number;
  bindings: readonly Binding[];
  nodes: number;
}): Round[] {
  const { count, seed, bindings, nodes } = options;
  const random = createRandom(seed);
  const pick = (size: number): number => Math.floor(random() * size);
  return bindings.flatMap((binding, block) =>
    Array.from({ length: shareOf(count, bindings.length, block) }, (_, index): Round => {
      const victim = VICTIMS[pick(VICTIMS.length)] ?? 'operator';
      const name = `${binding.toLowerCase()}-chaos-${index + 1}`;
      return { name, binding, victim, node: pick(nodes), afterMs: pick(SPAN_MS) };
    }),
  );
}
