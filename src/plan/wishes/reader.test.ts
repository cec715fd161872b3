import { describe, expect, it } from 'vitest';
import type { NicKeys } from './keys.ts';
import { createWishReader } from './reader.ts';

const PRIMARY: NicKeys = { nic: 'default', interface: 'eth0' };
const NAD = { namespace: 'default', name: 'attachnet', kind: 'ours', shared: false, primaryKeys: false } as const;
const SECONDARY: NicKeys = { nic: 'biz', interface: 'pod9bdd85331e7', nad: NAD };
const OTHERS: NicKeys = { nic: 'net1', interface: 'net1', nad: { ...NAD, name: 'macvlan', kind: 'ipam' } };

const wish = (keys: NicKeys, ...annotations: Record<string, string>[]): unknown => {
  const sources = annotations.map((one, index) => ({ from: `source ${index + 1}`, annotations: one }));
  const parsed = createWishReader(sources)(keys);
  return parsed.ok ? parsed.value : parsed.problem;
};

describe('createWishReader', () => {
  it.each<[string, NicKeys, Record<string, string>, object]>([
    ['nothing asked', PRIMARY, {}, {}],
    ['an address', PRIMARY, { 'ovn.kubernetes.io/ip_address': '10.16.0.15' }, { ips: ['10.16.0.15'] }],
    [
      'dual stack',
      PRIMARY,
      { 'ovn.kubernetes.io/ip_address': '10.16.0.15, fd00::15' },
      { ips: ['10.16.0.15', 'fd00::15'] },
    ],
    ['a MAC', PRIMARY, { 'ovn.kubernetes.io/mac_address': '00:00:00:53:6B:B6' }, { mac: '00:00:00:53:6b:b6' }],
    ['a subnet', PRIMARY, { 'ovn.kubernetes.io/logical_switch': 'net1' }, { subnet: 'net1' }],
    [
      "a secondary NIC's keys",
      SECONDARY,
      { 'attachnet.default.ovn.kubernetes.io/ip_address': '172.17.0.20' },
      { ips: ['172.17.0.20'] },
    ],
    [
      "keys of another plugin's NIC",
      OTHERS,
      {
        'macvlan.default.kubernetes.io/ip_address': '172.17.0.20',
        'macvlan.default.net1.kubernetes.io/mac_address': '',
      },
      { ips: ['172.17.0.20'] },
    ],
    ["the primary's keys mean nothing to it", SECONDARY, { 'ovn.kubernetes.io/ip_address': '10.16.0.15' }, {}],
    ['empty values', PRIMARY, { 'ovn.kubernetes.io/ip_address': '', 'ovn.kubernetes.io/logical_switch': ' ' }, {}],
    [
      'what the other system writes is no input',
      PRIMARY,
      { 'ovn.kubernetes.io/allocated': 'true', 'ovn.kubernetes.io/routed': 'true' },
      {},
    ],
    [
      'our own annotation, by NIC',
      SECONDARY,
      {
        'mooring.dev/nics':
          '{"biz":{"subnet":"net2","ips":["10.0.0.9"],"mac":"02:00:00:00:00:09"},"default":{"subnet":"x"}}',
      },
      { subnet: 'net2', ips: ['10.0.0.9'], mac: '02:00:00:00:00:09' },
    ],
  ])('%s', (_cause, keys, annotations, expected) => {
    expect(wish(keys, annotations)).toEqual(expected);
  });

  it('agrees with itself in another spelling', () => {
    const both = {
      'ovn.kubernetes.io/mac_address': '0A:00:00:00:00:01',
      'mooring.dev/nics': '{"default":{"mac":"0a:00:00:00:00:01"}}',
    };
    expect(wish(PRIMARY, both)).toMatchObject({ mac: '0a:00:00:00:00:01' });
  });

  it.each<[string, NicKeys, Record<string, string>[], RegExp]>([
    [
      'two objects that want different addresses',
      PRIMARY,
      [{ 'ovn.kubernetes.io/ip_address': '10.16.0.15' }, { 'ovn.kubernetes.io/ip_address': '10.16.0.16' }],
      /NIC default: source 1 asks for 10\.16\.0\.15, but source 2 asks for 10\.16\.0\.16/,
    ],
    [
      'two annotations that want different subnets',
      PRIMARY,
      [{ 'ovn.kubernetes.io/logical_switch': 'a', 'mooring.dev/nics': '{"default":{"subnet":"b"}}' }],
      /source 1 asks for a, but source 1 asks for b/,
    ],
    [
      'the spelling for NICs of other plugins',
      SECONDARY,
      [{ 'attachnet.default.kubernetes.io/ip_address': '172.17.0.20' }],
      /use attachnet\.default\.ovn\.kubernetes\.io\/ip_address/,
    ],
  ])('tells of %s', (_cause, keys, annotations, expected) => {
    const problem = wish(keys, ...annotations) as { reason: string; message: string };
    expect(problem.reason).toBe('RequestDisagreement');
    expect(problem.message).toMatch(expected);
  });

  it.each([
    ['no JSON', 'x'],
    ['a list', '[]'],
    ['a NIC that is no object', '{"default":1}'],
    ['a subnet that is no text', '{"default":{"subnet":1}}'],
    ['a MAC that is no text', '{"default":{"mac":[]}}'],
    ['three addresses', '{"default":{"ips":["1","2","3"]}}'],
    ['addresses that are no list', '{"default":{"ips":"10.0.0.1"}}'],
    ['too much', `{"default":{"subnet":"${'x'.repeat(70_000)}"}}`],
  ])('refuses our annotation with %s', (_cause, text) => {
    expect(wish(PRIMARY, { 'mooring.dev/nics': text })).toMatchObject({ reason: 'InvalidRequest' });
  });

  it('is not fooled by names that every object has', () => {
    expect(wish({ nic: 'constructor', interface: 'x' }, { 'mooring.dev/nics': '{}' })).toEqual({});
    expect(wish({ nic: '__proto__', interface: 'x' }, { 'mooring.dev/nics': '{"__proto__":{"subnet":"x"}}' })).toEqual({
      subnet: 'x',
    });
  });
});
