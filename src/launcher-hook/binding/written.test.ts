import { describe, expect, it } from 'vitest';
import { readWritten } from './written.ts';

const read = (nic: object) => readWritten(new Map(Object.entries(nic)));
const NONE = { ours: [], foreign: [], unknown: [] };

describe('readWritten', () => {
  it.each<[string, object, object]>([
    ['no binding', { name: 'a' }, NONE],
    ['bridge', { name: 'a', bridge: {} }, { ...NONE, ours: ['bridge'] }],
    ['masquerade', { masquerade: {} }, { ...NONE, ours: ['masquerade'] }],
    ['managedTap in either spelling', { binding: { name: 'ManagedTap' } }, { ...NONE, ours: ['binding'] }],
    ['another plugin', { binding: { name: 'macvtap' } }, { ...NONE, foreign: ['binding'] }],
    ['a plugin without a name', { binding: {} }, { ...NONE, foreign: ['binding'] }],
    ['a plugin whose name is no text', { binding: { name: {} } }, { ...NONE, foreign: ['binding'] }],
    ['SR-IOV', { sriov: {} }, { ...NONE, foreign: ['sriov'] }],
    ['passt', { passtBinding: {} }, { ...NONE, foreign: ['passtBinding'] }],
    ['one that may come', { vdpa: {} }, { ...NONE, foreign: ['vdpa'], unknown: ['vdpa'] }],
    ['two', { bridge: {}, sriov: {} }, { ...NONE, ours: ['bridge'], foreign: ['sriov'] }],
    ['null, which is absence', { bridge: null, sriov: null }, NONE],
    ['what is no object', { bridge: true, sriov: [], masquerade: 'yes' }, NONE],
    ['options of DHCP', { name: 'a', dhcpOptions: { tftpServerName: 'x' } }, NONE],
    ['ports and words', { ports: [{ port: 80 }], macAddress: 'x', model: 'virtio', state: 'up' }, NONE],
  ])('%s', (_cause, nic, expected) => {
    expect(read(nic)).toEqual(expected);
  });
});
