import { expect, test } from 'vitest';
import { createFakeClock } from '../../kube/testing/fake-clock.ts';
import { DeadlineError, withDeadline } from './deadline.ts';
import { createStages } from './stages.ts';

test('each stage has the time from its beginning to the next one, and all have the whole', () => {
  const clock = createFakeClock();
  const stages = createStages(clock);
  clock.advance(3);
  stages.enter('port');
  clock.advance(5);
  stages.enter('veth');
  clock.advance(7.123);
  expect(stages.current()).toBe('veth');
  expect(stages.finish()).toEqual({ ms: 15.12, stages: { pod: 3, port: 5, veth: 7.12 } });
});

test('a deadline aborts with its own reason, and no timer is left when the work is done', async () => {
  const clock = createFakeClock();
  expect(await withDeadline(clock, 100, [], async () => 'done')).toBe('done');
  expect(clock.pending()).toEqual([]);
  const waiting = withDeadline(clock, 100, [], (signal) => {
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  const failed = expect(waiting).rejects.toBeInstanceOf(DeadlineError);
  clock.advance(100);
  await failed;
});

test('an outer signal ends the work before the deadline', async () => {
  const outer = new AbortController();
  outer.abort(new Error('caller'));
  const run = async (signal: AbortSignal) => signal.throwIfAborted();
  await expect(withDeadline(createFakeClock(), 100, [outer.signal], run)).rejects.toThrow('caller');
});
