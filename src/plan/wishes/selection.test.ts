import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClaimReferences, parseDefaultNetwork, parseReference, parseSelections } from './selection.ts';

const show = (text: string): string => {
  const parsed = parseSelections(text, 'ns');
  if (!parsed.ok) return parsed.problem.reason;
  return parsed.value
    .map(({ namespace, name, interface: nic, ips, mac, defaultRoute, ipamClaim }) =>
      [
        `${namespace}/${name}@${nic}`,
        ...(ips ?? []),
        mac,
        ...(defaultRoute ?? []).map((gateway) => `via ${gateway}`),
        ipamClaim && `claim ${ipamClaim}`,
      ]
        .filter(Boolean)
        .join(' '),
    )
    .join(' | ');
};

describe('parseSelections', () => {
  it.each([
    ['nothing', '', ''],
    ['a name', 'macvlan', 'ns/macvlan@net1'],
    ['a namespace', 'default/macvlan', 'default/macvlan@net1'],
    ['an interface', 'macvlan@nic1', 'ns/macvlan@nic1'],
    ['a list with blanks', ' a , b/c@x ', 'ns/a@net1 | b/c@x'],
    ['the same twice', 'a,a', 'ns/a@net1 | ns/a@net2'],
    ['JSON', '[{"name":"a"},{"name":"b","namespace":"m","interface":"i"}]', 'ns/a@net1 | m/b@i'],
    ['one object without a list', '{"name":"a"}', 'ns/a@net1'],
    ['empty fields', '[{"name":"a","namespace":"","interface":"","mac":""}]', 'ns/a@net1'],
    ['the old interface key', '[{"name":"a","interfaceRequest":"i"}]', 'ns/a@i'],
    [
      'addresses and MAC',
      '[{"name":"a","ips":["10.0.0.9/24"],"mac":"02:00:00:00:00:01"}]',
      'ns/a@net1 10.0.0.9/24 02:00:00:00:00:01',
    ],
    [
      'a default route and a claim',
      '[{"name":"a","default-route":["10.0.0.1"],"ips":[],"ipam-claim-reference":"vm.a"}]',
      'ns/a@net1 via 10.0.0.1 claim vm.a',
    ],
    ['null for absence', '[{"name":"a","ips":null,"mac":null,"default-route":null}]', 'ns/a@net1'],
    ['unknown keys', '[{"name":"a","x.y/z":1}]', 'ns/a@net1'],
  ])('%s', (_cause, text, expected) => {
    expect(show(text)).toBe(expected);
  });

  it.each(
    [
      'a/b/c',
      'a@b@c',
      'a,,b',
      'A',
      'a@interface-name-too-long',
      'a@..',
      'ä',
      '[',
      '["a"]',
      '[{"name":1}]',
      '[{"name":"a","namespace":"../x"}]',
      '[{"name":"a","ips":"10.0.0.1"}]',
      '[{"name":"a","mac":7}]',
      '[{"namespace":"a"}]',
      '[{"name":"a","mac":false}]',
      '[{"name":"a","default-route":"10.0.0.1"}]',
      '[{"name":"a","ipam-claim-reference":7}]',
      '[{"name":"a","ipam-claim-reference":"../x"}]',
      '[{"name":"a","ips":["10.0.0.9"],"ipam-claim-reference":"vm.a"}]',
      'a..b',
      '[{"name":"a","interface":"i"},{"name":"b","interface":"i"}]',
      '{"__proto__":{"name":"a"}}',
      Array.from({ length: 33 }, (_, index) => `n${index}`).join(),
      'x'.repeat(70_000),
    ].map((text) => [text.slice(0, 60), text] as const),
  )('refuses %j as a whole (F41)', (_shown, text) => {
    expect(show(text)).toBe('InvalidRequest');
  });

  it('never throws, whatever the text (F40)', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseSelections(text, 'ns').ok === 'boolean'),
    );
  });
});

describe('parseReference', () => {
  it('takes the namespace of the object when none is typed', () => {
    expect(parseReference('biz', 'ns')).toMatchObject({ value: { namespace: 'ns', name: 'biz' } });
    expect(parseReference('x/biz', 'ns')).toMatchObject({ value: { namespace: 'x', name: 'biz' } });
    expect(parseReference('x/', 'ns')).toMatchObject({ problem: { reason: 'InvalidRequest' } });
  });
});

describe('parseClaimReferences', () => {
  it('gives claims by interface, as ipam-extensions writes them on a launcher', () => {
    const text = JSON.stringify([
      { name: 'biz', namespace: 'ns', interface: 'pod9bdd85331e7', 'ipam-claim-reference': 'vm.biz' },
      { name: 'other', interface: 'pod0' },
    ]);
    const parsed = parseClaimReferences(text, 'ns');
    expect(parsed.ok && [...parsed.value]).toEqual([['pod9bdd85331e7', 'vm.biz']]);
    expect(parseClaimReferences('{', 'ns').ok).toBe(false);
  });
});

describe('parseDefaultNetwork', () => {
  it('is one network with its namespace, on the first interface', () => {
    expect(parseDefaultNetwork('x/biz@net5')).toEqual({
      ok: true,
      value: { namespace: 'x', name: 'biz', interface: 'eth0', explicit: true },
    });
    expect(parseDefaultNetwork('[{"name":"biz","namespace":"x","mac":"m"}]')).toMatchObject({ value: { mac: 'm' } });
  });

  it.each(['biz', '[{"name":"biz"}]', 'x/a,x/b', '', '[]', '{"namespace":"x"}', 'x/../y'])('refuses %j', (text) => {
    expect(parseDefaultNetwork(text)).toMatchObject({ problem: { reason: 'InvalidRequest' } });
  });
});
