import { describe, expect, it } from 'vitest';
import { ApiError, type ErrorClass } from './errors.ts';
import { createQueue } from './queue.ts';
import { createRunner, type Outcome } from './runner.ts';
import { eventually } from './testing/eventually.ts';
import { createFakeClock } from './testing/fake-clock.ts';
import { createRecordingLogger } from './testing/recording-logger.ts';

function setUp(reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>, concurrency = 1) {
  const clock = createFakeClock();
  const log = createRecordingLogger();
  const queue = createQueue({ clock, random: () => 0.5, backoff: { baseMs: 100, maxMs: 1000 } });
  const terminal: string[] = [];
  const verdicts: string[] = [];
  const metrics = {
    count: () => {},
    observe: (_: string, __: number, labels?: Record<string, string>) => verdicts.push(labels?.verdict ?? ''),
  };
  const onTerminal = (key: string) => {
    terminal.push(key);
    throw new Error('the report itself fails');
  };
  const runner = createRunner({ queue, reconcile, concurrency, clock, log, metrics, onTerminal });
  runner.start();
  return { clock, log, queue, runner, terminal, verdicts };
}

const errorOf = (kind: ErrorClass, retryAfterMs?: number) =>
  new ApiError({ status: 0, reason: 'Test', message: kind, class: kind, retryAfterMs });

const ended = (s: { verdicts: string[] }, turns: number) =>
  eventually(`${turns} turns`, () => s.verdicts.length >= turns);

describe('runner', () => {
  it('runs a key once and forgets its failures when it is done', async () => {
    const s = setUp(async () => ({ done: true }));
    s.queue.addRateLimited('k', 0);
    s.clock.advance(100);
    await ended(s, 1);
    expect([s.verdicts, s.queue.failures('k'), s.clock.pending()]).toEqual([['done'], 0, []]);
    await s.runner.stop();
  });

  it('runs a key again after the time it asked for, which is no failure', async () => {
    const s = setUp(async () => ({ requeueAfterMs: 5000 }));
    s.queue.add('k');
    await ended(s, 1);
    expect([s.clock.pending(), s.queue.failures('k')]).toEqual([[5000], 0]);
    s.clock.advance(5000);
    await ended(s, 2);
    await s.runner.stop();
  });

  it.each<[string, () => unknown, string, number[]]>([
    ['a retry error', () => errorOf('retry'), 'retry', [100]],
    ['a retry error with Retry-After', () => errorOf('retry', 9000), 'retry', [9000]],
    ['a conflict', () => errorOf('conflict'), 'conflict', [100]],
    ['a plain error', () => new TypeError('a bug'), 'retry', [100]],
    ['a thrown string', () => 'just text', 'retry', [100]],
    ['a thrown undefined', () => undefined, 'retry', [100]],
    ['an absent object', () => errorOf('notFound'), 'notFound', []],
    ['a terminal error', () => errorOf('terminal'), 'terminal', []],
  ])('after %s decides by the class of the error', async (_, thrown, verdict, waits) => {
    const s = setUp(async () => {
      throw thrown();
    });
    s.queue.add('k');
    await ended(s, 1);
    expect([s.verdicts, s.clock.pending()]).toEqual([[verdict], waits]);
    expect(s.terminal).toEqual(verdict === 'terminal' ? ['k'] : []);
    s.queue.add('next');
    await ended(s, 2);
    await s.runner.stop();
  });

  it('F47: makes progress through a storm of conflicts, more slowly each time', async () => {
    let conflicts = 0;
    const s = setUp(async () => {
      conflicts += 1;
      if (conflicts <= 20) throw errorOf('conflict');
      return { done: true };
    });
    s.queue.add('k');
    for (let turn = 1; turn <= 20; turn += 1) {
      await ended(s, turn);
      s.clock.advance(1500);
    }
    await ended(s, 21);
    expect([s.verdicts.at(-1), s.queue.failures('k')]).toEqual(['done', 0]);
    expect(s.log.lines.filter((line) => line.level === 'warn' || line.level === 'error')).toEqual([]);
    await s.runner.stop();
  });

  it('never runs one key twice at a time, and several keys side by side', async () => {
    const running = new Set<string>();
    const gates: (() => void)[] = [];
    const s = setUp(async (key) => {
      expect(running.has(key)).toBe(false);
      running.add(key);
      await new Promise<void>((resolve) => gates.push(resolve));
      running.delete(key);
      return { done: true };
    }, 3);
    for (const key of ['a', 'b', 'a', 'c']) s.queue.add(key);
    await eventually('three keys at work', () => running.size === 3);
    s.queue.add('a');
    gates.shift()?.();
    await eventually('the second turn of a', () => s.verdicts.length === 1 && running.has('a'));
    for (const gate of gates) gate();
    await ended(s, 4);
    await s.runner.stop();
  });

  it('aborts the signal on stop, waits for the turn, and schedules nothing for it', async () => {
    const s = setUp(
      (_, signal) => new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    s.queue.add('k');
    await eventually('the turn', () => s.queue.length() === 0);
    await s.runner.stop();
    expect([s.clock.pending(), s.log.lines]).toEqual([[], []]);
  });

  it('lets the rest of the process have its turn amid thousands of keys that wait for nothing', async () => {
    const clock = createFakeClock();
    const queue = createQueue({ clock, random: () => 0.5 });
    const turns = 2000;
    let done = 0;
    const reconcile = async (): Promise<Outcome> => {
      done += 1;
      clock.advance(1);
      return { done: true };
    };
    for (let key = 0; key < turns; key++) queue.add(`k${key}`);
    const runner = createRunner({ queue, reconcile, concurrency: 8, clock, log: createRecordingLogger() });
    const heard: number[] = [];
    const listen = () => {
      heard.push(done);
      if (done < turns) setImmediate(listen);
    };
    setImmediate(listen);
    runner.start();
    await eventually('all turns', () => done === turns);
    expect(Math.max(...heard.map((at, index) => at - (heard[index - 1] ?? 0)))).toBeLessThan(100);
    await runner.stop();
  });
});
