import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveMergePatch, holds } from './diff.ts';
import { mergePatch } from './testing/fake-storage.ts';

describe('deriveMergePatch', () => {
  it.each<[string, unknown, object, object | undefined]>([
    ['nothing when all is there', { a: 1, b: { c: [1] } }, { b: { c: [1] } }, undefined],
    ['only the field that differs', { a: 1, b: { c: 1, d: 2 } }, { a: 1, b: { c: 5 } }, { b: { c: 5 } }],
    ['a field that is missing', {}, { a: { b: 1 } }, { a: { b: 1 } }],
    ['the whole list when one element differs', { l: [1, 2] }, { l: [1, 3] }, { l: [1, 3] }],
    ['the whole list when it is shorter', { l: [1, 2] }, { l: [1] }, { l: [1] }],
    ['nothing when elements only have defaults more', { l: [{ a: 1, d: 0 }] }, { l: [{ a: 1 }] }, undefined],
    ['null for what must be absent and is not', { a: 1 }, { a: null }, { a: null }],
    ['nothing for what must be absent and is', {}, { a: null }, undefined],
    ['nothing for undefined', { a: 1 }, { a: undefined }, undefined],
    ['the object in place of a scalar', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['the scalar in place of an object', { a: { b: 1 } }, { a: 1 }, { a: 1 }],
    ['the list in place of an object', { a: { 0: 1 } }, { a: [1] }, { a: [1] }],
    ['an inherited name as absent', {}, { constructor: 'x' }, { constructor: 'x' }],
    ['everything over something that is no object', undefined, { a: 1 }, { a: 1 }],
    ['an empty object that is missing', {}, { a: {} }, { a: {} }],
  ])('gives %s', (_, actual, desired, patch) => {
    expect(deriveMergePatch(actual, desired)).toEqual(patch);
  });

  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean());
  const tree = fc.letrec<{ node: unknown; record: Record<string, unknown> }>((tie) => ({
    record: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('node'), { maxKeys: 3 }),
    node: fc.oneof({ maxDepth: 3 }, leaf, fc.array(leaf, { maxLength: 2 }), tie('record')),
  })).record;

  it('makes a patch after which the object holds what was desired, and a second one is empty', () => {
    fc.assert(
      fc.property(tree, tree, (actual, desired) => {
        const patch = deriveMergePatch(actual, desired);
        const result = patch === undefined ? actual : mergePatch(actual, patch);
        expect(holds(result, desired)).toBe(true);
        expect(deriveMergePatch(result, desired)).toBeUndefined();
      }),
    );
  });
});
