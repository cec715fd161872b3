import { afterEach, beforeEach } from 'vitest';
import { createGuest } from './guest.ts';
import { createCast } from './objects.ts';
import { type Stage, startStage } from './stage.ts';

type Cast = ReturnType<typeof createCast>;
type Guest = ReturnType<typeof createGuest>;

/** A stage for each test of a file, with a cast and a guest on it; what is given stands for those of the test that runs. */
export function useStage(): { readonly stage: Stage; readonly cast: Cast; readonly guest: Guest } {
  let current: { stage: Stage; cast: Cast; guest: Guest } | undefined;
  beforeEach(async () => {
    const stage = await startStage();
    current = { stage, cast: createCast(stage.api), guest: createGuest(stage) };
  });
  afterEach(async () => {
    await current?.stage[Symbol.asyncDispose]();
    current = undefined;
  });
  return {
    stage: standFor(() => current?.stage),
    cast: standFor(() => current?.cast),
    guest: standFor(() => current?.guest),
  };
}

function standFor<T extends object>(find: () => T | undefined): T {
  return new Proxy({} as T, {
    get: (_, key) => {
      const found = find();
      if (found === undefined) throw new Error('no stage outside of a test');
      return Reflect.get(found, key);
    },
  });
}
