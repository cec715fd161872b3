import { describe, expect, it } from 'vitest';
import type { Judge, Verdict } from '../admission.ts';
import { UnknownKind } from '../records.ts';
import { compose, type NamedJudge } from './compose.ts';
import { formatAdmission } from './testing.ts';

const say = (verdict: Partial<Verdict>, name = 'one'): NamedJudge => ({
  name,
  judge: () => ({ allowed: true, warnings: [], patch: [], ...verdict }),
});
const fail: Judge = () => {
  throw new TypeError('out of order');
};
const add = (path: string) => ({ op: 'add', path, value: 1 }) as const;
const neverFails = () => expect.unreachable('no judge fails here');

describe('several judges', () => {
  it('of whom there are none, allow everything', () => {
    expect(compose([], neverFails)(formatAdmission())).toEqual({ allowed: true, warnings: [], patch: [] });
  });

  it('give all their warnings and patches in order', () => {
    const judges = [say({ warnings: ['a'], patch: [add('/a')] }), say({ warnings: ['b'], patch: [add('/b')] })];
    expect(compose(judges, neverFails)(formatAdmission())).toEqual({
      allowed: true,
      warnings: ['a', 'b'],
      patch: [add('/a'), add('/b')],
    });
  });

  it('deny when one does: it gives the reason, what was warned of stays, nothing is changed, nobody is asked further', () => {
    const judges = [
      say({ warnings: ['a'], patch: [add('/a')] }),
      say({ allowed: false, message: 'no', warnings: ['b'] }),
      { name: 'later', judge: () => expect.unreachable('it was denied already') },
    ];
    expect(compose(judges, neverFails)(formatAdmission())).toEqual({
      allowed: false,
      message: 'no',
      warnings: ['a', 'b'],
      patch: [],
    });
  });

  it('go on without one that throws, and it is told which and about what', () => {
    const failures: unknown[] = [];
    const judges = [{ name: 'broken', judge: fail }, say({ warnings: ['b'], patch: [add('/b')] })];
    const verdict = compose(judges, (...failure) => failures.push(failure))(formatAdmission({ name: 'web' }));
    expect(verdict).toMatchObject({ allowed: true, warnings: [expect.stringContaining('broken'), 'b'] });
    expect(verdict.patch).toEqual([add('/b')]);
    expect(failures).toEqual([['broken', expect.any(TypeError), expect.objectContaining({ name: 'web' })]]);
  });

  it('who lack a kind that nobody has read yet deny nothing, and say so once', () => {
    const failures: unknown[] = [];
    const lacking: Judge = () => {
      throw new UnknownKind('Subnet');
    };
    const judges = ['one', 'two'].map((name) => ({ name, judge: lacking }));
    const verdict = compose(judges, (...failure) => failures.push(failure))(formatAdmission());
    expect(verdict).toMatchObject({ allowed: true, patch: [] });
    expect(verdict.warnings).toHaveLength(2);
    expect([...new Set(verdict.warnings)]).toEqual([
      expect.stringMatching(/cannot see any Subnet .*checked again later/),
    ]);
    expect(failures).toHaveLength(2);
  });

  it('deny all the same when another one throws', () => {
    const judges = [{ name: 'broken', judge: fail }, say({ allowed: false, message: 'no' })];
    expect(compose(judges, () => {})(formatAdmission())).toMatchObject({ allowed: false, message: 'no' });
  });
});
