import { expect, test } from 'vitest';
import { doBeside, doEach } from './each.ts';

const doing = (items: readonly number[], bad: readonly number[]) => {
  const done: number[] = [];
  const outcome = doEach(items, async (item) => {
    if (bad.includes(item)) throw new Error(`no ${item}`);
    done.push(item);
  });
  return { done, outcome };
};

test('each item gets its turn when none fails', async () => {
  const { done, outcome } = doing([1, 2, 3], []);
  await outcome;
  expect(done).toEqual([1, 2, 3]);
});

test('one failure keeps nobody back and is thrown as it is', async () => {
  const { done, outcome } = doing([1, 2, 3], [1]);
  await expect(outcome).rejects.toThrow(/^no 1$/);
  expect(done).toEqual([2, 3]);
});

test('several failures are thrown together', async () => {
  const { done, outcome } = doing([1, 2, 3], [1, 3]);
  await expect(outcome).rejects.toMatchObject({ message: '2 of 3 failed, the first: no 1', errors: [{}, {}] });
  expect(done).toEqual([2]);
});

test('one that hangs holds up its own lane only, and all are waited for', async () => {
  const done: number[] = [];
  let release = () => {};
  const hang = new Promise<void>((resolve) => {
    release = resolve;
  });
  const outcome = doBeside([1, 2, 3, 4], 2, async (item) => {
    if (item === 1) await hang;
    done.push(item);
    if (item === 4) release();
  });
  await outcome;
  expect(done).toEqual([2, 3, 4, 1]);
});

test('side by side, too, failures are thrown at the end', async () => {
  const outcome = doBeside([1, 2, 3], 8, (item) =>
    item === 2 ? Promise.resolve() : Promise.reject(new Error(`no ${item}`)),
  );
  await expect(outcome).rejects.toMatchObject({ message: '2 of 2 failed, the first: no 1' });
  await doBeside([], 8, () => Promise.reject(new Error('never')));
});
