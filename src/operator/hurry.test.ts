import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../kube/testing/fake-clock.ts';
import { createHurry } from './hurry.ts';

/** A turn that waits until its signal ends it. */
const stuck = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
const forever = new AbortController().signal;

function begin(key = 'vm/a/db', outer = forever) {
  const clock = createFakeClock();
  const hurry = createHurry(clock);
  const ended: unknown[] = [];
  const turn = hurry.run(key, outer, stuck).catch((error: unknown) => ended.push(error));
  return { clock, hurry, ended, turn };
}

describe('createHurry', () => {
  it('a turn that is stuck ends soon after news of its machine, and may be tried again', async () => {
    const { clock, hurry, ended, turn } = begin();
    hurry.press('vm/a/db');
    clock.advance(499);
    expect(ended).toEqual([]);
    hurry.press('vm/a/db');
    clock.advance(1);
    await turn;
    expect(ended).toMatchObject([{ class: 'retry', reason: 'Overtaken' }]);
  });

  it.each([
    ['news of another machine', 'vm/a/db', 'vm/a/other'],
    ['news of a pod, which does not move', 'pod/a/p', 'pod/a/p'],
  ])('is left alone by %s', async (_cause, key, pressed) => {
    const { clock, hurry, ended } = begin(key);
    hurry.press(pressed);
    clock.advance(60_000);
    expect(ended).toEqual([]);
  });

  it('news that came before a turn, or after it, is not held against the next', async () => {
    const clock = createFakeClock();
    const hurry = createHurry(clock);
    hurry.press('vm/a/db');
    await hurry.run('vm/a/db', forever, async () => hurry.press('vm/a/db'));
    let aborted = false;
    void hurry.run('vm/a/db', forever, (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    });
    clock.advance(60_000);
    expect(aborted).toBe(false);
  });

  it('ends with the term', async () => {
    const term = new AbortController();
    const { ended, turn } = begin('vm/a/db', term.signal);
    term.abort('over');
    await turn;
    expect(ended).toEqual(['over']);
  });
});
