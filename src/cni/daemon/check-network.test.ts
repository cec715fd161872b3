import { describe, expect, test } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { checkNetwork } from './check-network.ts';
import { CniError } from './errors.ts';
import { parseConfig } from './request.ts';

const check = (change: object, facts: { ipamOnly?: true; nad?: string; provider?: string }): string => {
  const config = parseConfig(JSON.stringify({ cniVersion: '1.0.0', name: 'n', type: 'mooring', ...change }));
  const { ipamOnly, nad, provider } = facts;
  const port = { metadata: { namespace: 'a', name: 'web.net1.pod' }, spec: { ipamOnly } } as unknown as LogicalPort;
  const subnet = { metadata: { name: 's' }, spec: { provider } } as unknown as Subnet;
  try {
    checkNetwork(config, { port, subnet, nad });
    return 'accepted';
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
};
const ipam = (provider?: unknown) => ({ type: 'macvlan', ipam: { type: 'mooring', provider } });
const nad = 'default/attachnet';

describe('a network configuration', () => {
  test.each([
    ['of the first interface', {}, {}],
    ['of the first interface, with the provider of OVN', { provider: 'ovn' }, {}],
    ['of a NAD, with its provider', { provider: 'attachnet.default.ovn' }, { nad }],
    ['of a NAD, without a provider', {}, { nad }],
    ['of a NAD that names the provider of OVN, which means none', { provider: 'ovn' }, { nad }],
    ["of a NAD, under Kube-OVN's name", { type: 'kube-ovn', provider: 'attachnet.default.ovn' }, { nad }],
    ["of another plugin's NAD", ipam('attachnet.default'), { nad, ipamOnly: true }],
    ["of another plugin's NAD, without a provider", ipam(), { nad, ipamOnly: true }],
    ["of another plugin's NAD, known by its subnet", ipam('attachnet.default'), { nad, provider: 'attachnet.default' }],
    [
      "of another plugin's NAD that an OVN subnet serves",
      ipam('attachnet.default'),
      { nad, ipamOnly: true, provider: 'ovn' },
    ],
  ] as const)('%s is accepted', (_cause, change, facts) => {
    expect(check(change, facts)).toBe('accepted');
  });

  test.each([
    ['a NAD of another namespace', { provider: 'attachnet.victim.ovn' }, { nad }, 'it must be attachnet.default.ovn'],
    ['a NAD, from the first interface', { provider: 'attachnet.default.ovn' }, {}, 'is for no NetworkAttachment'],
    ["another NAD's addresses", ipam('attachnet.victim'), { nad, ipamOnly: true }, 'it must be attachnet.default'],
    [
      "our NIC's provider for another plugin",
      ipam('attachnet.default.ovn'),
      { nad, ipamOnly: true },
      'must be attachnet.default',
    ],
    ["OVN's addresses for another plugin", ipam('ovn'), { nad, ipamOnly: true }, 'it must be attachnet.default'],
    ['something that is no name', ipam({ a: 1 }), { nad, ipamOnly: true }, 'is {"a":1}'],
    ['an interface of ours for another plugin', ipam('attachnet.default'), { nad }, 'has another plugin make it'],
    ["another plugin's interface for ours", {}, { nad, ipamOnly: true }, 'makes the interface with Mooring'],
  ] as const)('that asks for %s is refused, and says what it must be', (_cause, change, facts, words) => {
    expect(check(change, facts)).toMatch(/^mismatch: /);
    expect(check(change, facts)).toContain(words);
  });
});
