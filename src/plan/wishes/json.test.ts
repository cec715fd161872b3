import { describe, expect, it } from 'vitest';
import { explainJson, MAX_TEXT } from './json.ts';

describe('what is wrong with JSON', () => {
  it.each<[string, string, string]>([
    ['its end is missing', '{"default":', 'it ends before it is complete'],
    ['nothing but its beginning', '{', 'it ends before it is complete'],
    ['nothing', '', 'it ends before it is complete'],
    ['a key without quotes', '{ips: []}', 'wrong from character 2 on, at "ips: []}"'],
    ['a comma too many', '{"a":1,}', 'wrong from character 8 on, at "}"'],
    ['half a word', '{"a":tru}', '"}" is not expected there'],
    ['words', 'nonsense', '"o" is not expected there'],
    ['an object of another kind', '[]', 'it is JSON of another kind'],
    ['its length', 'x'.repeat(MAX_TEXT + 1), 'it is longer than 65536 characters'],
  ])('%s', (_cause, text, expected) => {
    expect(explainJson(text)).toBe(expected);
  });

  it('is short, whatever a tenant wrote', () => {
    expect(explainJson(`{"a":${'\u0000"'.repeat(30_000)}`).length).toBeLessThan(200);
  });
});
