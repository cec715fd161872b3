import { describe, expect, test } from 'vitest';
import { fromCode, fromErrno, NetlinkError, toErrorRecord } from './errors.ts';

describe('NetlinkError', () => {
  test.each([
    [17, 'EEXIST', 'terminal'],
    [19, 'ENODEV', 'not-found'],
    [2, 'ENOENT', 'not-found'],
    [3, 'ESRCH', 'not-found'],
    [105, 'ENOBUFS', 'retry'],
    [16, 'EBUSY', 'retry'],
    [1, 'EPERM', 'terminal'],
    [5000, 'E5000', 'terminal'],
  ])('errno %i is %s, class %s', (errno, code, kind) => {
    expect(fromErrno(errno, 'step')).toMatchObject({ errno, code, class: kind, message: `step: ${code}` });
  });

  test('the words of the kernel come last', () => {
    expect(fromErrno(22, 'step', 'Invalid prefix').message).toBe('step: EINVAL: Invalid prefix');
  });

  test('a code of ours has no errno and the class that is given', () => {
    expect(fromCode('EHOSTNETNS', 'step', 'terminal')).toMatchObject({ errno: 0, class: 'terminal' });
    expect(fromCode('EEXIST', 'step').errno).toBe(17);
  });

  test('crosses a thread and comes back equal', () => {
    const error = fromErrno(17, 'create veth a with peer b', 'File exists');
    const record = structuredClone(toErrorRecord(error));
    expect(new NetlinkError(record)).toEqual(error);
  });

  test('errors of Node keep their code', () => {
    const error = Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2 });
    expect(toErrorRecord(error)).toEqual({ code: 'ENOENT', errno: 2, message: 'no such file', class: 'not-found' });
  });

  test('anything else thrown is unknown and terminal', () => {
    expect(toErrorRecord(new TypeError('x'))).toMatchObject({ code: 'EUNKNOWN', class: 'terminal', message: 'x' });
    expect(toErrorRecord('word')).toMatchObject({ code: 'EUNKNOWN', message: 'word' });
    expect(toErrorRecord(undefined)).toMatchObject({ code: 'EUNKNOWN' });
  });
});
