import { describe, expect, it } from 'vitest';
import {
  ApiError,
  findErrorClass,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isGone,
  isNotFound,
  parseApiError,
  parseRetryAfter,
} from './errors.ts';

describe('parseRetryAfter', () => {
  it.each([
    ['the header', '7', undefined, 7000],
    ['the Status when there is no header', undefined, { details: { retryAfterSeconds: 4 } }, 4000],
    ['the header before the Status', '1', { details: { retryAfterSeconds: 4 } }, 1000],
    [
      'the Status when the header is a date',
      'Wed, 21 Oct 2026 07:28:00 GMT',
      { details: { retryAfterSeconds: 4 } },
      4000,
    ],
    ['nothing negative', '-3', undefined, undefined],
    ['no more than five minutes', '86400', undefined, 300_000],
    ['nothing from a body that is text', undefined, 'busy', undefined],
    ['nothing from null', undefined, null, undefined],
    ['nothing from odd details', undefined, { details: { retryAfterSeconds: 'soon' } }, undefined],
  ])('takes %s', (_, header, body, expected) => {
    expect(parseRetryAfter(header, body)).toBe(expected);
  });
});

describe('parseApiError', () => {
  it('names the status when the body says nothing', () => {
    expect(parseApiError(502, '<html>')).toMatchObject({ reason: 'HTTP502', message: 'the API server answered 502' });
    expect(parseApiError(500, { reason: '', message: 5 })).toMatchObject({ reason: 'HTTP500' });
  });

  it('cuts an endless message', () => {
    expect(parseApiError(500, { message: 'x'.repeat(100_000) }).message).toHaveLength(2000);
  });

  it('keeps the cause', () => {
    const cause = new Error('why');
    expect(new ApiError({ status: 0, reason: 'R', message: 'm', class: 'retry', cause }).cause).toBe(cause);
  });
});

describe('error predicates', () => {
  it('tell the classes apart', () => {
    const exists = parseApiError(409, { reason: 'AlreadyExists' });
    const stale = parseApiError(409, { reason: 'Conflict' });
    expect([isConflict(exists), isAlreadyExists(exists), isAlreadyExists(stale)]).toEqual([true, true, false]);
    expect([isGone(parseApiError(410, {})), isGone(stale), isNotFound(parseApiError(404, {}))]).toEqual([
      true,
      false,
      true,
    ]);
    expect([isConflict(new Error('x')), isNotFound(undefined)]).toEqual([false, false]);
    expect([403, 401, 404].map((status) => isForbidden(parseApiError(status, {})))).toEqual([true, false, false]);
  });

  it('finds the class of other errors of ours, and retries what it does not know', () => {
    const foreign = Object.assign(new Error('x'), { class: 'terminal' });
    const odd = Object.assign(new Error('x'), { class: 'whatever' });
    expect([findErrorClass(foreign), findErrorClass(odd), findErrorClass({ class: 'terminal' })]).toEqual([
      'terminal',
      'retry',
      'retry',
    ]);
  });
});
