import { describe, expect, it } from 'vitest';
import { listGaps, type PolicyBinding, type Seen } from './plan.ts';

const POLICY = { metadata: { name: 'p' } };
const bind = (spec: PolicyBinding['spec'] = {}): PolicyBinding => ({
  metadata: { name: 'p' },
  spec: { policyName: 'p', validationActions: ['Deny'], ...spec },
});
const WHOLE: Seen = { policies: [POLICY], bindings: [bind()], objects: [] };
const ask = (seen: Partial<Seen>) =>
  listGaps(['p'], { ...WHOLE, ...seen }).map(({ kind, name, what }) => `${kind} ${name}: ${what}`);

describe('a part of the installation', () => {
  it.each<[string, Partial<Seen>, string[]]>([
    ['is as it was made', {}, []],
    ['is a policy that somebody took away', { policies: [] }, ['ValidatingAdmissionPolicy p: it is not there']],
    [
      'is a policy of which another one is there',
      { policies: [{ metadata: { name: 'q' } }] },
      ['ValidatingAdmissionPolicy p: it is not there'],
    ],
    ['is a binding that somebody took away', { bindings: [] }, ['ValidatingAdmissionPolicyBinding p: it is not there']],
    [
      'is a binding that only warns',
      { bindings: [bind({ validationActions: ['Warn', 'Audit'] })] },
      ['ValidatingAdmissionPolicyBinding p: it denies nothing'],
    ],
    [
      'is a binding that names another policy',
      { bindings: [bind({ policyName: 'q' })] },
      ['ValidatingAdmissionPolicyBinding p: it is of another policy'],
    ],
    [
      'is a binding without contents',
      { bindings: [{ metadata: { name: 'p' } }] },
      ['ValidatingAdmissionPolicyBinding p: it is of another policy'],
    ],
    ['cannot be seen', { policies: undefined, bindings: undefined }, []],
    [
      'is a policy whose binding cannot be seen',
      { policies: [], bindings: undefined },
      ['ValidatingAdmissionPolicy p: it is not there'],
    ],
    [
      'is an object that somebody took away',
      {
        objects: [
          { kind: 'Secret', name: 's', isThere: false },
          { kind: 'Secret', name: 'seen', isThere: true },
          { kind: 'Secret', name: 'unseen', isThere: undefined },
        ],
      },
      ['Secret s: it is not there'],
    ],
  ])('%s', (_cause, seen, expected) => {
    expect(ask(seen)).toEqual(expected);
  });

  it('that the chart has not made is nobody’s business', () => {
    expect(listGaps([], { ...WHOLE, policies: [], bindings: [] })).toEqual([]);
  });
});
