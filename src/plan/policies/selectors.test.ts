import { describe, expect, it } from 'vitest';
import { formatSelector, type Labels, matchesSelector, parseSelector } from './selectors.ts';

function read(raw: unknown) {
  const parsed = parseSelector(raw, 'podSelector');
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return parsed.value;
}
const expression = (operator: string, values?: string[]) => ({
  matchExpressions: [{ key: 'app', operator, ...(values === undefined ? {} : { values }) }],
});

describe('a selector', () => {
  it.each<[string, object, Labels, boolean]>([
    ['that is empty takes everything', {}, {}, true],
    ['by label takes what has it', { matchLabels: { app: 'web' } }, { app: 'web', tier: 'x' }, true],
    ['by label leaves out another value', { matchLabels: { app: 'web' } }, { app: 'db' }, false],
    ['by label leaves out what has none', { matchLabels: { app: 'web' } }, {}, false],
    ['by two labels wants both', { matchLabels: { app: 'web', tier: 'x' } }, { app: 'web' }, false],
    ['In', expression('In', ['web', 'db']), { app: 'db' }, true],
    ['In leaves out others', expression('In', ['web']), { app: 'db' }, false],
    ['NotIn', expression('NotIn', ['web']), { app: 'db' }, true],
    ['NotIn leaves out its values', expression('NotIn', ['web']), { app: 'web' }, false],
    ['NotIn takes what has no such label', expression('NotIn', ['web']), {}, true],
    ['Exists', expression('Exists'), { app: '' }, true],
    ['Exists leaves out what has none', expression('Exists'), { tier: 'x' }, false],
    ['DoesNotExist', expression('DoesNotExist'), { tier: 'x' }, true],
    ['DoesNotExist leaves out what has it', expression('DoesNotExist'), { app: '' }, false],
    ['of both kinds wants both', { matchLabels: { tier: 'x' }, ...expression('Exists') }, { app: 'a' }, false],
    ['knows no label that every object has', expression('Exists'), Object.create({ app: 'web' }) as Labels, false],
    ['takes toString for a label like any other', { matchLabels: { toString: 'x' } }, {}, false],
  ])('%s', (_cause, raw, labels, expected) => {
    expect(matchesSelector(read(raw), labels)).toBe(expected);
  });

  it('has one text however it was written, and another when it says something else', () => {
    const text = (raw: object) => formatSelector(read(raw));
    const one = { matchLabels: { a: '1', b: '2' } };
    expect(text({ matchLabels: { b: '2', a: '1' } })).toBe(text(one));
    expect(text({ matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'In', values: ['2'] }] })).toBe(
      text(one),
    );
    expect(text(expression('In', ['x', 'y', 'x']))).toBe(text(expression('In', ['y', 'x'])));
    expect(text(expression('NotIn', ['x']))).not.toBe(text(expression('In', ['x'])));
    expect(text({ matchLabels: { a: '1,2' } })).not.toBe(text({ matchLabels: { a: '1', 2: '' } }));
  });
});

describe('no selector', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['labels in a list', { matchLabels: [] }],
    ['a label that is a number', { matchLabels: { app: 1 } }],
    ['expressions that are no list', { matchExpressions: {} }],
    ['an expression without a key', { matchExpressions: [{ operator: 'Exists' }] }],
    ['an operator that nobody knows', expression('Gt', ['1'])],
    ['In without values', expression('In')],
    ['Exists with values', expression('Exists', ['x'])],
    ['values that are numbers', { matchExpressions: [{ key: 'a', operator: 'In', values: [1] }] }],
    ['too many labels', { matchLabels: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, ''])) }],
    [
      'too many values',
      expression(
        'In',
        Array.from({ length: 1025 }, (_, i) => String(i)),
      ),
    ],
  ])('%s', (_what, raw) => {
    const parsed = parseSelector(raw, 'spec.podSelector');
    expect(parsed.ok ? undefined : parsed.problem.reason).toBe('InvalidNetworkPolicy');
    expect(parsed.ok ? undefined : parsed.problem.message).toMatch(/^spec\.podSelector /);
  });
});
