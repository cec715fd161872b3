import { describe, expect, it } from 'vitest';
import { deriveDomain, isOvnProvider } from './provider.ts';

describe('whose NICs a provider stands for', () => {
  it.each<[string | undefined, boolean]>([
    [undefined, true],
    ['', true],
    ['ovn', true],
    ['attachnet.default.ovn', true],
    ['attachnet.ovn', false],
    ['macvlan.default', false],
  ])('%s', (provider, ours) => {
    expect(isOvnProvider(provider)).toBe(ours);
  });
});

describe('the L2 domain of a subnet', () => {
  it.each<[string, { vlan?: string; provider?: string }, string | undefined]>([
    ['is its own for a switch of ours', {}, undefined],
    ['is its own on a NAD of ours', { provider: 'attachnet.default.ovn' }, undefined],
    ["is another plugin's network", { provider: 'macvlan.default' }, 'provider/macvlan.default'],
    ['is its VLAN', { vlan: 'v7' }, 'vlan/v7'],
    ["is its VLAN before another plugin's network", { vlan: 'v7', provider: 'macvlan.default' }, 'vlan/v7'],
    ['is its own where the VLAN is empty', { vlan: '' }, undefined],
  ])('%s', (_cause, spec, domain) => {
    expect(deriveDomain(spec)).toBe(domain);
  });
});
