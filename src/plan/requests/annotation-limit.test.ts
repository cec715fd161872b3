import { describe, expect, it } from 'vitest';
import { checkAnnotations, countAnnotations, MAX_ANNOTATIONS } from './annotation-limit.ts';

describe('the annotations of a template', () => {
  it.each<[string, Record<string, string>, number]>([
    ['none', {}, 0],
    ['keys and values', { ab: 'cde', f: '' }, 6],
    ['more bytes than characters', { ä: '€' }, 5],
    ['half a character, which is sent as three bytes', { a: '\ud800' }, 4],
    ['a key out of JavaScript', JSON.parse('{"__proto__":"x"}'), 10],
  ])('are counted in bytes: %s', (_cause, annotations, bytes) => {
    expect(countAnnotations(annotations)).toBe(bytes);
  });

  it('may be as long as those of an object', () => {
    expect(checkAnnotations(MAX_ANNOTATIONS)).toBeUndefined();
    expect(checkAnnotations(MAX_ANNOTATIONS + 1)).toMatchObject({ reason: 'InvalidRequest' });
  });
});
