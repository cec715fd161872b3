import { describe, expect, test } from 'vitest';
import { createCalls } from './calls.ts';

const key = { containerId: 'c1', ifname: 'eth0' };
const other = { containerId: 'c1', ifname: 'net1' };

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

describe('calls for one attachment', () => {
  test('run one after the other; those for another run beside', async () => {
    const calls = createCalls();
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = calls.run(key, async () => {
      order.push('first begins');
      await gate.promise;
      order.push('first ends');
    });
    const second = calls.run(key, async () => void order.push('second'));
    await calls.run(other, async () => void order.push('other'));
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['first begins', 'other', 'first ends', 'second']);
    expect(calls.isBusy(key)).toBe(false);
  });

  test('a DEL ends the ADD before it and runs when that has cleaned up', async () => {
    const calls = createCalls();
    const order: string[] = [];
    const adding = calls.run(key, async (signal) => {
      await aborted(signal);
      order.push('ADD cleans up');
      throw signal.reason;
    });
    const failed = expect(adding).rejects.toMatchObject({ code: 'fenced' });
    await calls.overtake(key, async () => void order.push('DEL'));
    await failed;
    expect(order).toEqual(['ADD cleans up', 'DEL']);
  });

  test('an ADD that had not begun yet is told before it begins', async () => {
    const calls = createCalls();
    const first = calls.run(key, aborted);
    const second = calls.run(key, async (signal) => signal.throwIfAborted());
    const failed = expect(second).rejects.toMatchObject({ code: 'fenced' });
    await calls.overtake(key, async () => undefined);
    await first;
    await failed;
  });

  test('a failure does not stop the next one', async () => {
    const calls = createCalls();
    await expect(calls.run(key, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await calls.run(key, async () => 'yes')).toBe('yes');
  });

  test('draining waits for all of them, and for none when there is none', async () => {
    const calls = createCalls();
    await calls.drain();
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    void calls.run(key, () => gate.promise).then(() => order.push('call'));
    const drained = calls.drain().then(() => order.push('drained'));
    gate.resolve();
    await drained;
    expect(order).toEqual(['call', 'drained']);
  });

  test('a key is busy from the first call to the end of the last', async () => {
    const calls = createCalls();
    const gate = Promise.withResolvers<void>();
    const running = calls.run(key, () => gate.promise);
    expect(calls.isBusy(key)).toBe(true);
    expect(calls.isBusy(other)).toBe(false);
    gate.resolve();
    await running;
    expect(calls.isBusy(key)).toBe(false);
  });
});
