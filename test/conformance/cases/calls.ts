import type { Case, Change, Outcome, Sandbox, Verb, World } from '../model.ts';
import { attach } from '../probes.ts';

/** One call in one state: environment × standard input × verb × version, and what must come of it. */
export type CallCase = Omit<Case, 'run'> & {
  readonly verb: Verb;
  /** What is there before: nothing, an empty sandbox, or one with its interface, whose result is then `prevResult`. */
  readonly state: 'nothing' | 'sandbox' | 'attached';
  readonly change: Change;
  /** Throws Failure. */
  readonly expect: (outcome: Outcome, world: World) => void;
};

/** Rows of a table as cases. */
export function fromCalls(rows: readonly CallCase[]): Case[] {
  return rows.map(({ verb, state, change, expect, ...about }) => ({
    ...about,
    run: async (world) => {
      const { sandbox, more } = await prepare(world, state);
      expect(await world.call(verb, sandbox, merge(more, change)), world);
    },
  }));
}

type Prepared = { readonly sandbox: Sandbox | undefined; readonly more: Change };

async function prepare(world: World, state: CallCase['state']): Promise<Prepared> {
  if (state === 'nothing') return { sandbox: undefined, more: {} };
  if (state === 'sandbox') return { sandbox: await world.sandbox(), more: {} };
  const { sandbox, result } = await attach(world);
  return { sandbox, more: { config: { prevResult: result } } };
}

const merge = (first: Change, second: Change): Change => ({
  ...second,
  env: { ...first.env, ...second.env },
  config: { ...first.config, ...second.config },
});

/** The state in which a verb makes sense. */
export function findState(verb: Verb): CallCase['state'] {
  if (verb === 'ADD' || verb === 'DEL') return 'sandbox';
  return verb === 'CHECK' ? 'attached' : 'nothing';
}
