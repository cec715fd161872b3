import { describe, expect, it } from 'vitest';
import { isOpenedByOvn, parseActivation } from './activation.ts';

describe('activation', () => {
  it('is one of two words', () => {
    expect(['gate', 'rarp'].map(parseActivation)).toEqual(['gate', 'rarp']);
    expect(() => parseActivation('garp')).toThrow('--activation must be one of gate, rarp');
  });

  it.each([
    ['gate', 'bridge', false],
    [undefined, 'bridge', false],
    ['rarp', 'bridge', true],
    ['rarp', 'managedTap', true],
    ['rarp', undefined, true],
    ['rarp', 'masquerade', false],
  ] as const)('%s, %s: opened by OVN is %s', (activation, binding, expected) => {
    expect(isOpenedByOvn(activation, binding)).toBe(expected);
  });
});
