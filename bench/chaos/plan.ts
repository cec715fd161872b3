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
  /** The moment: so long after the VMIM has come to this phase or further. */
  readonly phase: Phase;
  readonly plusMs: number;
};

/** Phases of a VMIM in KubeVirt's order; the first is that it was asked for. */
export const PHASES = [
  '',
  'Pending',
  'Scheduling',
  'Scheduled',
  'PreparingTarget',
  'TargetReady',
  'Running',
  'Succeeded',
] as const;
export type Phase = (typeof PHASES)[number];

/** As long as a phase takes, and more: moments of different phases overlap, so that none is left out. */
const SPAN_MS = 1000;

/** True when a VMIM in phase `now` has come to `wanted`; one that failed has come to its end. */
export function hasCome(now: string, wanted: Phase): boolean {
  return now === 'Failed' || PHASES.indexOf(now as Phase) >= PHASES.indexOf(wanted);
}

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
      const phase = PHASES[pick(PHASES.length)] ?? '';
      return { name, binding, victim, node: pick(nodes), phase, plusMs: pick(SPAN_MS) };
    }),
  );
}
