import { describe, expect, it } from 'vitest';
import { AmbiguousError, makeTransactionError, NotAllowedError } from './errors.ts';
import { commentOp, insertOp, type Operation } from './operations.ts';
import { fixIdentities, transactOnce } from './transact-once.ts';

const LOST = new AmbiguousError('lost');
const DUPLICATE = makeTransactionError({ operationIndex: 0, error: 'duplicate uuid', details: '' });

/** Answers each attempt with the next of `outcomes`, and records what was sent. */
function makeClient(outcomes: readonly (Error | 'ok')[]) {
  const sent: (readonly Operation[])[] = [];
  return {
    sent,
    whenLive: async () => undefined,
    transactAndSync: async (operations: readonly Operation[]) => {
      const outcome = outcomes[sent.length];
      sent.push(operations);
      if (outcome === 'ok') return [{}];
      throw outcome;
    },
  };
}

describe('transactOnce', () => {
  it('reads before it tries again, and does not try again when it finds the wish', async () => {
    const client = makeClient([LOST]);
    await expect(transactOnce(client, [insertOp('T', {})], { isDone: () => true })).resolves.toEqual({
      found: true,
      results: undefined,
    });
    expect(client.sent).toHaveLength(1);
  });

  it('tries again with the same identities when the wish is not there', async () => {
    const client = makeClient([LOST, LOST, 'ok']);
    const outcome = await transactOnce(client, [insertOp('T', {}), commentOp('x')], { isDone: () => false });
    expect(outcome).toEqual({ found: false, results: [{}] });
    expect(client.sent[2]).toEqual(client.sent[0]);
    expect(client.sent[0]?.[0]).toHaveProperty('uuid');
  });

  it('takes a refused second execution for success when the wish is there', async () => {
    const client = makeClient([LOST, DUPLICATE]);
    let asked = 0;
    const outcome = await transactOnce(client, [insertOp('T', {})], { isDone: () => ++asked === 2 });
    expect(outcome.found).toBe(true);
  });

  it.each([
    ['a refusal, with the wish not there', [DUPLICATE], DUPLICATE, 1],
    ['an unknown outcome, when the attempts are used up', [LOST, LOST, LOST], LOST, 2],
    [
      'what has nothing to do with the outcome',
      [new NotAllowedError({ operationIndex: 0, error: 'not allowed', details: '' })],
      undefined,
      1,
    ],
  ])('throws %s', async (_name, outcomes, expected, attempts) => {
    const client = makeClient(outcomes);
    const promise = transactOnce(client, [insertOp('T', {})], { isDone: () => false, attempts: 2 });
    await expect(promise).rejects.toBe(expected ?? outcomes[0]);
    expect(client.sent).toHaveLength(attempts);
  });
});

describe('fixIdentities', () => {
  it('keeps an identity that the caller chose', () => {
    const uuids = ['n1', 'n2'];
    const fixed = fixIdentities(
      [insertOp('T', {}, { uuid: 'mine' }), insertOp('T', {}), commentOp('c')],
      () => uuids.shift() ?? '',
    );
    expect(fixed.map((op) => ('uuid' in op ? op.uuid : undefined))).toEqual(['mine', 'n1', undefined]);
  });
});
