import { describe, expect, it } from 'vitest';
import type { ApplyClient } from '../ovsdb/apply.ts';
import { ConnectionError, makeTransactionError, StoppedError } from '../ovsdb/errors.ts';
import { commentOp, insertOp, type Operation, type OperationResult } from '../ovsdb/operations.ts';
import { type Epoch, guardOps } from './epoch.ts';
import { EpochLost } from './problems.ts';
import { createWriter, type Writer } from './writer.ts';

const EPOCH: Epoch = { cluster: 'c1', value: 3n, uuid: '01234567-89ab-4def-8123-456789abcdef' };
const INSERTS = [insertOp('A', {}), insertOp('B', {}), insertOp('C', {})] as const;
const GUARD = guardOps(EPOCH);

type Answer = (operations: readonly Operation[]) => OperationResult[];

/** A writer over a client that answers by a rule; events and transactions are recorded. */
function makeWriter(answer: Answer): { writer: Writer; sent: (readonly Operation[])[]; events: string[] } {
  const sent: (readonly Operation[])[] = [];
  const events: string[] = [];
  const transactAndSync = async (operations: readonly Operation[]): Promise<OperationResult[]> => {
    sent.push(operations);
    return answer(operations);
  };
  const client: ApplyClient = { whenLive: async () => undefined, transact: transactAndSync, transactAndSync };
  const log = (event: string): void => void events.push(event);
  return { writer: createWriter({ client, epoch: EPOCH, log, pause: async () => undefined }), sent, events };
}

/** A plan that is fulfilled once it has been sent. */
const planOnce = (operation: Operation, sent: readonly (readonly Operation[])[]) => (): Operation[] =>
  sent.some((operations) => operations.includes(operation)) ? [] : [operation];

describe('createWriter', () => {
  it('puts the guard of its epoch before every transaction', async () => {
    const { writer, sent } = makeWriter(() => []);
    await Promise.all([writer.apply(planOnce(INSERTS[0], sent)), writer.apply(planOnce(INSERTS[1], sent))]);
    await writer.apply(planOnce(INSERTS[2], sent));
    expect(sent).toEqual([
      [...GUARD, INSERTS[0], INSERTS[1]],
      [...GUARD, INSERTS[2]],
    ]);
  });

  it('rejects the whole batch at once when the server cannot be reached', async () => {
    const { writer, sent, events } = makeWriter(() => {
      throw new ConnectionError('away');
    });
    const outcomes = await Promise.allSettled(INSERTS.map((operation) => writer.apply(() => [operation])));
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'connection-lost' } });
    expect(sent.filter((operations) => operations.includes(INSERTS[2]))).toEqual(
      sent.filter((o) => o.includes(INSERTS[0])),
    );
    expect(events).toEqual([]);
  });

  it('sends each alone after a refusal, and says so', async () => {
    const { writer, sent, events } = makeWriter((operations) => {
      if (!operations.includes(INSERTS[1])) return [];
      throw makeTransactionError({ operationIndex: 2, error: 'not allowed', details: '' });
    });
    const outcomes = await Promise.allSettled(INSERTS.map((operation) => writer.apply(() => [operation])));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sent.map((operations) => operations.length - GUARD.length)).toEqual([3, 1, 1, 1]);
    expect(events).toEqual(['ovn-batch-split']);
  });

  it('sends nothing any more once the epoch is lost', async () => {
    const { writer, sent, events } = makeWriter(() => {
      throw makeTransactionError({ operationIndex: 0, error: 'timed out', details: '' });
    });
    const outcomes = await Promise.allSettled(INSERTS.map((operation) => writer.apply(() => [operation])));
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { class: 'terminal' } });
    await expect(writer.apply(() => [INSERTS[0]])).rejects.toThrow(EpochLost);
    expect(sent).toHaveLength(1);
    expect(events).toEqual(['ovn-epoch-lost']);
  });

  it('does not take a wait of a plan for the guard', async () => {
    const { writer } = makeWriter(() => {
      throw makeTransactionError({ operationIndex: 1, error: 'timed out', details: '' });
    });
    await expect(writer.apply(() => [INSERTS[0]])).rejects.toMatchObject({ code: 'wait-timed-out' });
  });

  it('passes on that the client is stopped', async () => {
    const { writer } = makeWriter(() => {
      throw new StoppedError();
    });
    await expect(writer.apply(() => [commentOp('x')])).rejects.toThrow(StoppedError);
  });

  it('takes plans that come while it sends into the next transaction', async () => {
    const late: Promise<void>[] = [];
    const { writer, sent } = makeWriter((operations) => {
      if (operations.includes(INSERTS[0])) late.push(writer.apply(planOnce(INSERTS[1], sent)));
      return [];
    });
    await writer.apply(planOnce(INSERTS[0], sent));
    await writer.idle();
    await Promise.all(late);
    expect(sent).toEqual([
      [...GUARD, INSERTS[0]],
      [...GUARD, INSERTS[1]],
    ]);
  });

  it('is idle when nothing was asked for', async () => {
    await makeWriter(() => []).writer.idle();
  });
});
