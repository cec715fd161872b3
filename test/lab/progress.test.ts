import { describe, expect, it } from 'vitest';
import { createProgress, formatLine, LabError } from './progress.ts';

describe('progress', () => {
  it('tells the seconds since its start', () => {
    const lines: string[] = [];
    let now = 5000;
    const progress = createProgress(
      (line) => lines.push(line),
      () => now,
    );
    progress.say('a');
    now = 17_340;
    progress.say('b');
    expect(lines).toEqual(['[  0.0s] a', '[ 12.3s] b']);
    expect(progress.seconds()).toBeCloseTo(12.34);
  });
  it('keeps columns when it takes long', () => {
    expect(formatLine(1234.56, 'x')).toBe('[1234.6s] x');
  });
});

describe('LabError', () => {
  it('names the part, what to read and what to do', () => {
    const error = new LabError('etcd', 'ended', { log: '/l/etcd.log', todo: 'try again' });
    expect(error.message).toBe('etcd: ended\n  read: /l/etcd.log\n  then: try again');
  });
  it('is one line without hints', () => {
    expect(new LabError('etcd', 'ended').message).toBe('etcd: ended');
  });
});
