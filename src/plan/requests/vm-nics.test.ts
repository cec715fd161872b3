import { describe, expect, it } from 'vitest';
import type { VmiSpec } from '../../api/objects.ts';
import { listVmNics } from './vm-nics.ts';

const show = (spec: unknown): string[] =>
  listVmNics(spec as VmiSpec | undefined).map(({ name, interface: at, network, binding, mac, absent }) =>
    [name, at, network.kind === 'pod' ? 'pod' : network.reference, binding, mac, absent && 'absent']
      .filter(Boolean)
      .join(' '),
  );

const spec = (nic: object, network: object): unknown => ({
  domain: { devices: { interfaces: [{ name: 'n', ...nic }] } },
  networks: [{ name: 'n', ...network }],
});

describe('listVmNics', () => {
  it.each<[string, unknown, string[]]>([
    ['no spec', undefined, ['default eth0 pod bridge']],
    ['nothing in it', {}, ['default eth0 pod bridge']],
    ['no NIC wanted', { domain: { devices: { autoattachPodInterface: false } } }, []],
    ['the pod network', spec({ masquerade: {} }, { pod: {} }), ['n eth0 pod masquerade']],
    ['a NAD', spec({ bridge: {} }, { multus: { networkName: 'x/a' } }), ['n pod1b16b1df538 x/a bridge']],
    [
      'a NAD instead of the pod network',
      spec({ bridge: {} }, { multus: { networkName: 'a', default: true } }),
      ['n eth0 a bridge'],
    ],
    ['a MAC', spec({ macAddress: '02:00:00:00:00:01' }, { pod: {} }), ['n eth0 pod 02:00:00:00:00:01']],
    ['an empty MAC', spec({ macAddress: '' }, { pod: {} }), ['n eth0 pod']],
    ['on its way out', spec({ state: 'absent' }, { pod: {} }), ['n eth0 pod absent']],
    ['a link that is down', spec({ bridge: {}, state: 'down' }, { pod: {} }), ['n eth0 pod bridge']],
    ['a link that is up', spec({ bridge: {}, state: 'up' }, { pod: {} }), ['n eth0 pod bridge']],
    ['managedTap in any spelling', spec({ binding: { name: 'ManagedTap' } }, { pod: {} }), ['n eth0 pod managedTap']],
    ["another plugin's binding", spec({ binding: { name: 'macvtap' } }, { pod: {} }), ['n eth0 pod']],
    ['a NIC without network', { domain: { devices: { interfaces: [{ name: 'n' }] } } }, []],
    ['a network that is neither', spec({}, {}), []],
  ])('%s', (_cause, from, expected) => {
    expect(show(from)).toEqual(expected);
  });

  it.each<[string, unknown, string[]]>([
    ['null for lists', { domain: { devices: { interfaces: null } }, networks: null }, ['default eth0 pod bridge']],
    ['null for everything', { domain: null, networks: null }, ['default eth0 pod bridge']],
    ['text for lists', { domain: { devices: { interfaces: 'x' } }, networks: 'y' }, ['default eth0 pod bridge']],
    [
      'null among NICs',
      { domain: { devices: { interfaces: [null, { name: 7 }] } }, networks: [null, {}] },
      ['default eth0 pod bridge'],
    ],
    [
      'null for the parts of a NIC',
      spec({ bridge: null, masquerade: {}, binding: null, macAddress: null }, { pod: {}, multus: null }),
      ['n eth0 pod masquerade'],
    ],
    ['null for the pod network', spec({}, { pod: null }), []],
    ['a reference that is no text', spec({}, { multus: { networkName: {} } }), []],
    ['numbers', spec({ macAddress: 7, binding: { name: 7 }, state: 7 }, { pod: {} }), ['n eth0 pod']],
  ])('a template that no schema has checked: %s', (_cause, from, expected) => {
    expect(show(from)).toEqual(expected);
  });

  it('stops at a number of NICs that no guest has', () => {
    const names = Array.from({ length: 1000 }, (_, index) => ({ name: `n${index}` }));
    const many = { domain: { devices: { interfaces: names } }, networks: names.map((one) => ({ ...one, pod: {} })) };
    expect(show(many)).toHaveLength(64);
  });
});
