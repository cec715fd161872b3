import { describe, expect, it } from 'vitest';
import { parseBindings, planBindings, planCases } from './plan.ts';

describe('what is measured', () => {
  it.each([
    [
      ['bridge', 'masquerade', 'managedTap', 'macvtap'],
      ['pod', 'bridge', 'masquerade', 'managedTap', 'macvtap', 'macvlanPod'],
    ],
    [['macvtap'], ['pod', 'macvtap', 'macvlanPod']],
    [
      ['managedTap', 'bridge'],
      ['pod', 'bridge', 'managedTap'],
    ],
  ] as const)('%j stand beside pods, and macvlan pods only beside macvtap', (asked, all) => {
    expect(planBindings(asked)).toEqual(all);
  });

  it('is both paths to a guest, on one node and on two', () => {
    expect(planCases('bridge').map(({ placement, path }) => `${path} ${placement}`)).toEqual([
      'podToGuest sameNode',
      'podToGuest twoNodes',
      'guestToGuest sameNode',
      'guestToGuest twoNodes',
    ]);
  });

  it.each(['pod', 'macvlanPod'] as const)('is one path between pods (%s)', (binding) => {
    expect(planCases(binding).map(({ path }) => path)).toEqual(['podToPod', 'podToPod']);
  });
});

describe('the bindings asked for', () => {
  it('come in the order of the report, each once', () => {
    expect(parseBindings('macvtap, bridge,bridge')).toEqual(['bridge', 'macvtap']);
  });

  it.each([
    ['passt', '--bindings: there is no passt, only bridge, masquerade, managedTap, macvtap'],
    ['', '--bindings: there is no binding without a name, only bridge, masquerade, managedTap, macvtap'],
    ['bridge,', '--bindings: there is no binding without a name, only bridge, masquerade, managedTap, macvtap'],
  ])('are refused when one is none: "%s"', (text, message) => {
    expect(() => parseBindings(text)).toThrow(message);
  });
});
