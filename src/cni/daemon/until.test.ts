import { describe, expect, test } from 'vitest';
import { until } from './until.ts';

function createSource() {
  const listeners = new Set<() => void>();
  return {
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change: () => {
      for (const listener of listeners) listener();
    },
    waiting: () => listeners.size,
  };
}

describe('waiting for a change', () => {
  test('what is already there is given without listening', async () => {
    const source = createSource();
    expect(await until(source.onChange, () => 1, new AbortController().signal)).toBe(1);
    expect(source.waiting()).toBe(0);
  });

  test('what comes later is given at its change, and nobody listens any more', async () => {
    const source = createSource();
    let value: string | undefined;
    const found = until(source.onChange, () => value, new AbortController().signal);
    source.change();
    expect(source.waiting()).toBe(1);
    value = 'here';
    source.change();
    expect(await found).toBe('here');
    expect(source.waiting()).toBe(0);
  });

  test('an error of the question ends the waiting', async () => {
    const source = createSource();
    let fail = false;
    const found = until(
      source.onChange,
      () => {
        if (fail) throw new Error('gone');
        return undefined;
      },
      new AbortController().signal,
    );
    fail = true;
    source.change();
    await expect(found).rejects.toThrow('gone');
    expect(source.waiting()).toBe(0);
  });

  test('an abort ends it with its reason, before as well as during', async () => {
    const source = createSource();
    const abort = new AbortController();
    const found = until(source.onChange, () => undefined, abort.signal);
    abort.abort(new Error('late'));
    await expect(found).rejects.toThrow('late');
    await expect(until(source.onChange, () => 1, abort.signal)).rejects.toThrow('late');
    expect(source.waiting()).toBe(0);
  });

  test('a source that repeats itself to a new listener does not keep that listener', async () => {
    const source = createSource();
    let asked = 0;
    const onChange = (listener: () => void) => {
      const end = source.onChange(listener);
      listener();
      return end;
    };
    const derive = () => {
      asked += 1;
      return asked > 1 ? asked : undefined;
    };
    expect(await until(onChange, derive, new AbortController().signal)).toBe(2);
    expect(source.waiting()).toBe(0);
  });
});
