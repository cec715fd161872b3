import { describe, expect, test } from 'vitest';
import { describeOutcome, requireError, requireNone, requireResult, requireSilence } from './expect.ts';
import type { Outcome } from './model.ts';

const outcome = (exit: number | null, stdout: string, signal: string | null = null): Outcome => {
  return { exit, stdout, signal, stderr: '' };
};
const error = (body: object): Outcome => outcome(1, JSON.stringify(body));

describe('an error', () => {
  test('of the wished code that names the variable is taken', () => {
    const right = error({ code: 4, msg: 'bad', details: 'CNI_IFNAME' });
    expect(() => requireError(right, 'ADD', { codes: [4, 7], names: 'CNI_IFNAME' })).not.toThrow();
  });

  test.each([
    ['success', outcome(0, ''), 'success, an error was due'],
    ['text on stdout', outcome(1, 'panic'), 'exit 1 without an error object'],
    ['a list on stdout', outcome(1, '[]'), 'exit 1 without an error object'],
    ['a code that is text', error({ code: '4', msg: 'bad' }), 'code "4"'],
    ['no message', error({ code: 4, msg: '' }), 'code 4'],
    ['another code', error({ code: 7, msg: 'bad' }), 'not code 4: code 7 "bad"'],
    ['another name', error({ code: 4, msg: 'CNI_NETNS' }), 'does not name CNI_IFNAME'],
    ['a program that was killed', outcome(null, '', 'SIGKILL'), 'ended by SIGKILL'],
  ])('is refused for %s', (_cause, wrong, words) => {
    expect(() => requireError(wrong, 'ADD', { codes: [4], names: 'CNI_IFNAME' })).toThrow(words);
  });
});

describe('success', () => {
  test('of a verb without result is silent', () => {
    expect(() => requireSilence(outcome(0, '\n'), 'DEL')).not.toThrow();
    expect(() => requireSilence(outcome(0, '{}'), 'DEL')).toThrow('DEL: prints {}');
    expect(() => requireSilence(error({ code: 7, msg: 'bad' }), 'DEL')).toThrow('DEL: code 7 "bad"');
  });

  test('of ADD has a result', () => {
    expect(requireResult(outcome(0, '{"cniVersion":"1.0.0"}'), 'ADD')).toEqual({ cniVersion: '1.0.0' });
    expect(() => requireResult(outcome(0, 'null'), 'ADD')).toThrow('no JSON object');
    expect(() => requireResult(outcome(0, ''), 'ADD')).toThrow('no JSON object');
  });
});

test('an outcome is told in one line of bounded length', () => {
  expect(describeOutcome(outcome(0, '{}'))).toBe('success with output');
  expect(describeOutcome(error({ code: 7, msg: 'x'.repeat(500) }))).toHaveLength(240);
  expect(() => requireNone(['a', 'b'], 'after ADD')).toThrow('after ADD: a; b');
  expect(() => requireNone([], 'after ADD')).not.toThrow();
});
