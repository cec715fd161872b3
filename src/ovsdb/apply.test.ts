import { describe, expect, it } from 'vitest';
import { type ApplyClient, applyPlan, type Plan } from './apply.ts';
import { AmbiguousError, ConnectionError, makeTransactionError, NotAllowedError, TimeoutError } from './errors.ts';
import {
  commentOp,
  deleteOp,
  insertOp,
  mutateOp,
  type Operation,
  type OperationResult,
  updateOp,
} from './operations.ts';

type Outcome = Error | readonly OperationResult[];

/** Answers each transaction with the next of `outcomes`, the last one for ever, and records what was sent. */
function makeClient(...outcomes: readonly Outcome[]): ApplyClient & { readonly sent: (readonly Operation[])[] } {
  const sent: (readonly Operation[])[] = [];
  const transactAndSync = async (operations: readonly Operation[]): Promise<OperationResult[]> => {
    const outcome = outcomes[Math.min(sent.length, outcomes.length - 1)] ?? [];
    sent.push(operations);
    if (outcome instanceof Error) throw outcome;
    return [...outcome];
  };
  return { sent, whenLive: async () => undefined, transact: transactAndSync, transactAndSync };
}

const pause = async (): Promise<void> => undefined;
const INSERT = insertOp('T', {});
const GUARD = commentOp('guard');
const refusal = (error: string, operationIndex: number | undefined): Error =>
  makeTransactionError({ operationIndex, error, details: '' });

/** Yields its operations one list after another, then nothing. */
function planOf(...lists: readonly (readonly Operation[])[]): Plan & { readonly calls: () => number } {
  let calls = 0;
  return Object.assign(() => lists[calls++] ?? [], { calls: () => calls });
}

describe('applyPlan', () => {
  it('sends nothing for an empty plan', async () => {
    const client = makeClient([]);
    await applyPlan(client, () => [], { guard: [GUARD] });
    expect(client.sent).toEqual([]);
  });

  it('puts the guard first', async () => {
    const client = makeClient([{}, {}]);
    await applyPlan(client, planOf([INSERT]), { guard: [GUARD] });
    expect(client.sent).toEqual([[GUARD, INSERT]]);
  });

  it.each<[string, Error]>([
    ['an unknown outcome', new AmbiguousError('lost')],
    ['a connection that could not be had', new ConnectionError('away')],
    ['no connection in time', new TimeoutError('late')],
  ])('after %s it catches up, plans anew, and does nothing when the wish is there', async (_name, error) => {
    const client = makeClient(error, []);
    const plan = planOf([INSERT]);
    await applyPlan(client, plan, { guard: [GUARD], pause });
    expect(client.sent).toEqual([
      [GUARD, INSERT],
      [GUARD, { op: 'comment', comment: 'catch up' }],
    ]);
    expect(plan.calls()).toBe(2);
  });

  it.each<[string, Error]>([
    ['a wait of the plan that failed', refusal('timed out', 1)],
    ['an index that another row took', refusal('constraint violation', undefined)],
    ['a reference to a row that went', refusal('referential integrity violation', undefined)],
  ])('plans anew after %s', async (_name, error) => {
    const client = makeClient(error, [{}, {}]);
    await applyPlan(client, planOf([INSERT], [deleteOp('T', [])]), { guard: [GUARD], pause });
    expect(client.sent).toEqual([
      [GUARD, INSERT],
      [GUARD, deleteOp('T', [])],
    ]);
  });

  it.each<[string, Error, number]>([
    ['the guard that failed', refusal('timed out', 0), 1],
    ['what access control forbids', new NotAllowedError({ operationIndex: 1, error: 'not allowed', details: '' }), 1],
    ['a value that the schema forbids, after a second look', refusal('constraint violation', 1), 2],
    ['a wait that fails each time, after all attempts', refusal('timed out', 1), 4],
  ])('throws %s', async (_name, error, attempts) => {
    const client = makeClient(error);
    const options = { guard: [GUARD], attempts: 4, pause };
    await expect(applyPlan(client, () => [INSERT], options)).rejects.toBe(error);
    expect(client.sent).toHaveLength(attempts);
  });

  it('gives up on a guard that fails while catching up', async () => {
    const lost = refusal('timed out', 0);
    const client = makeClient(new AmbiguousError('lost'), lost);
    await expect(applyPlan(client, () => [INSERT], { guard: [GUARD], pause })).rejects.toBe(lost);
  });

  it('passes on what the plan throws', async () => {
    const fault = new Error('no plan');
    const plan: Plan = () => {
      throw fault;
    };
    await expect(applyPlan(makeClient([]), plan)).rejects.toBe(fault);
  });

  it.each<[string, Operation]>([
    ['update', updateOp('T', [], {})],
    ['mutation that adds', mutateOp('T', [], [['c', 'insert', 'x']])],
    [
      'mutation that adds and removes',
      mutateOp(
        'T',
        [],
        [
          ['c', 'delete', 'x'],
          ['c', 'insert', 'y'],
        ],
      ),
    ],
  ])('an %s of no row is no success', async (_name, operation) => {
    const client = makeClient([{}, { count: 0 }]);
    const promise = applyPlan(client, () => [operation], { guard: [GUARD], attempts: 2, pause });
    await expect(promise).rejects.toMatchObject({ code: 'row-vanished', class: 'retry' });
    expect(client.sent).toHaveLength(2);
  });

  it.each<[string, Operation]>([
    ['delete', deleteOp('T', [])],
    ['mutation that only removes', mutateOp('T', [], [['c', 'delete', 'x']])],
  ])('a %s that finds nothing is success', async (_name, operation) => {
    const client = makeClient([{ count: 0 }]);
    await applyPlan(client, () => [operation]);
    expect(client.sent).toHaveLength(1);
  });

  it('says that it is not connected when the client never gets live', async () => {
    const client = {
      ...makeClient([]),
      whenLive: (signal?: AbortSignal) =>
        new Promise<void>((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason));
        }),
    };
    await expect(applyPlan(client, () => [INSERT], { attempts: 1, liveTimeoutMs: 1 })).rejects.toThrow(TimeoutError);
    expect(client.sent).toEqual([]);
  });
});
