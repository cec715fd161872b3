import { describe, expect, test } from 'vitest';
import { planNftError, quoteNft } from './nft.ts';
import { formatDropNodeRules, formatNodeRules } from './node-rules.ts';

const OWN = ['gw0', 'mo0'];

describe('rules of the node', () => {
  test('each family masquerades its own pods, except towards our ports', () => {
    const text = formatNodeRules({ sources: ['10.16.0.0/16', '10.17.3.4/16', 'fd00:10::/64'], exceptInterfaces: OWN });
    expect(text).toContain('elements = { 10.16.0.0/16, 10.17.0.0/16 }');
    expect(text).toContain('ip saddr @pods oifname != { "gw0", "mo0" } counter masquerade');
    expect(text).toContain('elements = { fd00:10::/64 }');
    expect(text).toContain('ip6 saddr @pods oifname != { "gw0", "mo0" } counter masquerade');
  });

  test('a family without pods has no table, and the old one goes', () => {
    const text = formatNodeRules({ sources: ['10.16.0.0/16'], exceptInterfaces: OWN });
    expect(text).toContain('delete table ip6 mooring');
    expect(text).not.toContain('table ip6 mooring {');
  });

  test('without sources only removal is left', () => {
    expect(formatNodeRules({ sources: [], exceptInterfaces: [] })).toBe(formatDropNodeRules());
  });

  test.each([
    ['a source that is no prefix', { sources: ['10.0.0.0'], exceptInterfaces: OWN }],
    ['a source with more than a prefix', { sources: ['10.0.0.0/8, 0.0.0.0/0'], exceptInterfaces: OWN }],
    ['no own port', { sources: ['10.0.0.0/8'], exceptInterfaces: [] }],
    ['a name that breaks out of its quotes', { sources: ['10.0.0.0/8'], exceptInterfaces: ['a"}'] }],
  ])('%s is refused', (_cause, spec) => {
    expect(() => formatNodeRules(spec)).toThrow(/EINVAL/);
  });
});

describe('nft', () => {
  test.each([
    ['Error: No such file or directory\nlist table ip x', 'ENOENT', 'not-found'],
    ['Error: Could not process rule: File exists', 'EEXIST', 'terminal'],
    ['Error: Could not process rule: Device or resource busy', 'EBUSY', 'retry'],
    ['Error: syntax error, unexpected newline', 'EINVAL', 'terminal'],
    ['', 'EINVAL', 'terminal'],
  ])('%j is %s', (message, code, kind) => {
    expect(planNftError(message)).toMatchObject({ code, class: kind });
  });

  test('names are quoted, anything that could end a quote is refused', () => {
    expect(quoteNft('k6t-eth0')).toBe('"k6t-eth0"');
    for (const name of ['', 'a"', 'a*', 'a\\', 'a b', 'a\n']) expect(() => quoteNft(name)).toThrow(/EINVAL/);
  });
});
