import { describe, expect, it } from 'vitest';
import { asFields, isGiven, listFields, readTexts } from './fields.ts';

describe('the fields of a JSON object', () => {
  it('are only its own, whatever objects inherit', () => {
    expect(asFields(JSON.parse('{"__proto__": 1, "a": 2}'))?.get('a')).toBe(2);
    expect(asFields({})?.has('constructor')).toBe(false);
  });

  it.each([[null], ['text'], [3], [[1, 2]], [undefined]])('are none of %j', (value) => {
    expect(asFields(value)).toBeUndefined();
  });

  it('are read of the objects of a list, in their order, and of nothing else in it', () => {
    expect(listFields([{ a: 1 }, 'no', null, { a: 2 }]).map((one) => one.get('a'))).toEqual([1, 2]);
    expect(listFields({ 0: { a: 1 } })).toEqual([]);
  });

  it('count as texts only when they are', () => {
    expect([...readTexts({ a: 'x', b: 3, c: '', d: { e: 'y' } })]).toEqual([
      ['a', 'x'],
      ['c', ''],
    ]);
    expect(readTexts('no').size).toBe(0);
  });

  it.each([
    [undefined, false],
    [null, false],
    ['', false],
    [0, true],
    [false, true],
    [{}, true],
  ])('%j is given: %j', (value, expected) => {
    expect(isGiven(value)).toBe(expected);
  });
});
