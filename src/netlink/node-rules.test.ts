import { describe, expect, test } from 'vitest';
import { planNftError, quoteNft } from './nft.ts';
import { formatDropNodeRules, formatNodeRules } from './node-rules.ts';

const RULES = {
  sources: ['10.16.0.0/16'],
  ownPorts: ['gw0', 'mo0'],
  vpcMacPrefix: '0e',
  nodePort: 'mo0',
  routerIps: ['100.64.0.1'],
};

describe('rules of the node', () => {
  test('each family masquerades its own pods, except towards our ports', () => {
    const text = formatNodeRules({ ...RULES, sources: ['10.16.0.0/16', '10.17.3.4/16', 'fd00:10::/64'] });
    expect(text).toContain('elements = { 10.16.0.0/16, 10.17.0.0/16 }');
    expect(text).toContain('ip saddr @pods oifname != { "gw0", "mo0" } counter masquerade');
    expect(text).toContain('elements = { fd00:10::/64 }');
    expect(text).toContain('ip6 saddr @pods oifname != { "gw0", "mo0" } counter masquerade');
  });

  test('no set is declared by type: an older nft on the node would crash on what libnftables 1.1 notes of that', () => {
    const text = formatNodeRules({ ...RULES, sources: ['10.16.0.0/16', 'fd00:10::/64'] });
    expect(text).not.toMatch(/\btype (ipv[46]_addr|inet_service|ether_addr)/);
    expect(text).toContain('set pods { typeof ip saddr;');
    expect(text).toContain('set pods { typeof ip6 saddr;');
  });

  test('routers of VPCs may only answer, and nothing is forwarded to them', () => {
    const text = formatNodeRules({ ...RULES, routerIps: ['100.64.0.1', 'fd64::1'] });
    expect(text.match(/== 0e:00:00:00:00:00 ct state != \{ established, related \} counter drop/g)).toHaveLength(2);
    expect(text).toContain('oifname "mo0" rt ip nexthop != { 100.64.0.1 } counter drop');
    expect(text).toContain('oifname "mo0" rt ip6 nexthop != { fd64::1 } counter drop');
    expect(text.match(/nd-neighbor-solicit/g)).toHaveLength(1);
  });

  test('a family without pods and without a router has no table, and the old one goes', () => {
    const text = formatNodeRules(RULES);
    expect(text).toContain('delete table ip6 mooring');
    expect(text).not.toContain('table ip6 mooring {');
  });

  test('without sources and routers only removal is left', () => {
    expect(formatNodeRules({ ...RULES, sources: [], routerIps: [], ownPorts: [] })).toBe(formatDropNodeRules());
  });

  test.each([
    ['a source that is no prefix', { sources: ['10.0.0.0'] }],
    ['a source with more than a prefix', { sources: ['10.0.0.0/8, 0.0.0.0/0'] }],
    ['a router that is more than an address', { routerIps: ['100.64.0.1 }'] }],
    ['an octet that is more than one', { vpcMacPrefix: '0e:' }],
    ['no own port', { ownPorts: [] }],
    ['a name that breaks out of its quotes', { ownPorts: ['a"}'] }],
    ['a node port that breaks out of its quotes', { nodePort: 'a"}' }],
  ])('%s is refused', (_cause, change) => {
    expect(() => formatNodeRules({ ...RULES, ...change })).toThrow(/EINVAL/);
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
