import { describe, expect, it } from 'vitest';
import {
  AmbiguousError,
  ClusterError,
  ConnectionError,
  ConstraintViolationError,
  makeTransactionError,
  NotAllowedError,
  NotOwnerError,
  OvsdbTransactionError,
  ProtocolError,
  ReferentialIntegrityError,
  RequestError,
  StoppedError,
  SyntaxErrorFromServer,
  toTransactError,
  UnknownDatabaseError,
  UnsuitableServerError,
  WaitTimedOutError,
} from './errors.ts';
import { commentOp, insertOp } from './operations.ts';
import { parseResults } from './results.ts';

const TWO = [insertOp('T', {}), commentOp('x')];

describe('makeTransactionError', () => {
  it.each([
    ['constraint violation', ConstraintViolationError, 'constraint-violation', 'terminal'],
    ['duplicate uuid', ConstraintViolationError, 'constraint-violation', 'terminal'],
    ['referential integrity violation', ReferentialIntegrityError, 'referential-integrity', 'terminal'],
    ['timed out', WaitTimedOutError, 'wait-timed-out', 'retry'],
    ['not owner', NotOwnerError, 'not-owner', 'retry'],
    ['not allowed', NotAllowedError, 'not-allowed', 'terminal'],
    ['permission error', NotAllowedError, 'not-allowed', 'terminal'],
    ['unknown database', UnknownDatabaseError, 'unknown-database', 'retry'],
    ['syntax error', SyntaxErrorFromServer, 'syntax', 'terminal'],
    ['resources exhausted', OvsdbTransactionError, 'resources', 'retry'],
    ['something new', OvsdbTransactionError, 'refused', 'terminal'],
  ])('%s', (word, type, code, errorClass) => {
    const error = makeTransactionError({ operationIndex: 2, error: word, details: 'why' });
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({
      code,
      class: errorClass,
      operationIndex: 2,
      error: word,
      details: 'why',
      ambiguous: false,
    });
    expect(error.message).toBe(`operation 2: ${word}: why`);
  });

  it.each([
    ['prerequisite check failed', ClusterError],
    ['not leader', ClusterError],
    ['lost leadership', AmbiguousError],
    ['timeout', AmbiguousError],
    ['server shutdown', AmbiguousError],
  ])('cluster error: %s', (details, type) => {
    expect(makeTransactionError({ operationIndex: undefined, error: 'cluster error', details })).toBeInstanceOf(type);
  });
});

describe('toTransactError', () => {
  const refused = makeTransactionError({ operationIndex: 0, error: 'not owner', details: '' });
  it.each([
    ["the server's refusal", refused, false],
    ['an error instead of results', new RequestError('transact', 'unknown database', ''), false],
    ['a cancelled request', new RequestError('transact', 'canceled', ''), true],
    ['a lost connection', new ConnectionError('gone'), true],
    ['a server left because it is unsuitable', new UnsuitableServerError('cut off'), true],
    ['a stop', new StoppedError(), true],
    ['an unreadable answer', new ProtocolError('x'), true],
    ['anything unexpected', new RangeError('x'), true],
  ])('%s', (_name, error, ambiguous) => {
    expect(toTransactError(error)).toMatchObject(ambiguous ? { ambiguous, cause: error } : error);
  });
});

describe('parseResults', () => {
  it('gives one result per operation', () => {
    const answer = [{ uuid: ['uuid', 'u'] }, {}];
    expect(parseResults(answer, TWO)).toEqual([{ uuid: 'u' }, {}]);
    expect(parseResults([{ count: 0 }, { rows: [{ a: 1 }] }], TWO)).toEqual([{ count: 0 }, { rows: [{ a: 1 }] }]);
  });

  it('throws for the operation that failed; those after it were not executed', () => {
    const answer = [{}, { error: 'timed out', details: '' }];
    expect(() => parseResults(answer, TWO)).toThrow(
      expect.objectContaining({ operationIndex: 1, code: 'wait-timed-out' }),
    );
    expect(() => parseResults([{ error: 'not owner' }, null], TWO)).toThrow(NotOwnerError);
  });

  it('throws for the element that the server appends when the commit fails', () => {
    const answer = [{ uuid: ['uuid', 'u'] }, {}, { error: 'referential integrity violation', details: 'd' }];
    expect(() => parseResults(answer, TWO)).toThrow(
      expect.objectContaining({ operationIndex: undefined, code: 'referential-integrity' }),
    );
  });

  it.each<[string, unknown]>([
    ['no list', {}],
    ['too few results', [{}]],
  ])('refuses an answer that is %s', (_name, answer) => {
    expect(() => parseResults(answer, TWO)).toThrow(ProtocolError);
  });
});
