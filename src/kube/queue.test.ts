import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createQueue } from './queue.ts';
import { createFakeClock } from './testing/fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  return { clock, queue: createQueue({ clock, random: () => 0.5, backoff: { baseMs: 100, maxMs: 1000 } }) };
}

describe('queue', () => {
  it('gives keys in the order in which they came, each once', async () => {
    const { queue } = setUp();
    for (const key of ['b', 'a', 'b', 'c', 'a']) queue.add(key);
    expect(queue.length()).toBe(3);
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['b', 'a', 'c']);
  });

  it('does not give a key that a worker holds, but gives it again after done', async () => {
    const { queue } = setUp();
    queue.add('k');
    expect(await queue.get()).toBe('k');
    queue.add('k');
    queue.add('k');
    expect(queue.length()).toBe(0);
    queue.done('k');
    expect(queue.length()).toBe(1);
    expect(await queue.get()).toBe('k');
    queue.done('k');
    expect(queue.length()).toBe(0);
  });

  it('puts a key that came back behind the others, so that one busy key starves nobody', async () => {
    const { queue } = setUp();
    queue.add('busy');
    await queue.get();
    queue.add('busy');
    queue.add('other');
    queue.done('busy');
    expect([await queue.get(), await queue.get()]).toEqual(['other', 'busy']);
  });

  it('gives urgent keys before events, and both before checks', async () => {
    const { queue } = setUp();
    queue.add('first');
    await queue.get();
    queue.add('c1', 'check');
    queue.add('e1');
    queue.add('u1', 'urgent');
    queue.add('e2', 'event');
    queue.add('u2', 'urgent');
    const order = [];
    while (queue.length() > 0) order.push(await queue.get());
    expect(order).toEqual(['u1', 'u2', 'e1', 'e2', 'c1']);
  });

  it('raises a key that waits for a check when an event asks for it, and never lowers one', async () => {
    const { queue } = setUp();
    queue.add('first');
    await queue.get();
    for (const key of ['a', 'b']) queue.add(key, 'check');
    queue.add('b');
    queue.add('c');
    queue.add('c', 'check');
    expect(queue.length()).toBe(3);
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['b', 'c', 'a']);
  });

  it('remembers the highest priority that a held key was asked for with', async () => {
    const { queue } = setUp();
    queue.add('k');
    await queue.get();
    queue.add('other');
    queue.add('k', 'urgent');
    queue.add('k', 'check');
    queue.done('k');
    expect([await queue.get(), await queue.get()]).toEqual(['k', 'other']);
  });

  it('lets checks through a storm of events that never ends', async () => {
    const { queue } = setUp();
    queue.add('check', 'check');
    queue.add('e');
    await queue.get();
    queue.add('late check', 'check');
    const taken = [];
    for (let turn = 0; turn < 40; turn++) {
      queue.add(`e${turn}`);
      taken.push(await queue.get());
    }
    expect(taken).toContain('late check');
  });

  it('hands a key to the worker that waits longest', async () => {
    const { queue } = setUp();
    const first = queue.get();
    const second = queue.get();
    queue.add('a');
    queue.add('b');
    expect([await first, await second]).toEqual(['a', 'b']);
  });

  it('holds a delayed key back, and of several delays the earliest counts', () => {
    const { clock, queue } = setUp();
    queue.addAfter('k', 500);
    queue.addAfter('k', 200);
    queue.addAfter('k', 900);
    clock.advance(199);
    expect(queue.length()).toBe(0);
    clock.advance(1);
    expect(queue.length()).toBe(1);
    expect(clock.pending()).toEqual([]);
  });

  it('adds at once for a delay that is not positive', () => {
    const { queue } = setUp();
    queue.addAfter('k', -5);
    expect(queue.length()).toBe(1);
  });

  it('doubles the wait of a failing key up to the bound, apart from other keys, until forget', () => {
    const { queue } = setUp();
    const waits = Array.from({ length: 6 }, () => queue.addRateLimited('bad'));
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(queue.addRateLimited('other')).toBe(100);
    expect([queue.failures('bad'), queue.failures('fine')]).toEqual([6, 0]);
    queue.forget('bad');
    expect(queue.addRateLimited('bad')).toBe(100);
  });

  it('waits at least as long as a server asked for', () => {
    const { queue } = setUp();
    expect(queue.addRateLimited('k', 7000)).toBe(7000);
  });

  it('brings a rate limited key forward when something new happens to it', async () => {
    const { queue } = setUp();
    queue.addRateLimited('k', 60_000);
    queue.add('k');
    expect(await queue.get()).toBe('k');
  });

  it('lets all workers go and forgets all timers on shutdown', async () => {
    const { clock, queue } = setUp();
    const waiting = [queue.get(), queue.get()];
    queue.addAfter('later', 100);
    queue.shutDown();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
    expect(clock.pending()).toEqual([]);
    queue.add('late');
    queue.addAfter('late', 1);
    expect(await queue.get()).toBeUndefined();
  });

  it('never lets two workers hold one key and never loses an addition, whatever the order', async () => {
    const step = fc.tuple(fc.constantFrom('add', 'take', 'done'), fc.constantFrom('a', 'b', 'c'));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue } = setUp();
        const held = new Set<string>();
        const owed = new Set<string>();
        const take = async () => {
          const key = (await queue.get()) ?? '';
          expect(held.has(key)).toBe(false);
          held.add(key);
          owed.delete(key);
        };
        for (const [action, key] of steps) {
          if (action === 'add') {
            queue.add(key);
            owed.add(key);
          } else if (action === 'take' && queue.length() > 0) await take();
          else if (action === 'done' && held.delete(key)) queue.done(key);
        }
        for (const key of held) queue.done(key);
        held.clear();
        while (queue.length() > 0) await take();
        expect([...owed]).toEqual([]);
      }),
    );
  });
});
