import { expect, test } from 'vitest';
import { doEach } from './each.ts';

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
