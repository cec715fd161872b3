import { describe, expect, it } from 'vitest';
import { deriveDevices } from '../../guest/guest.ts';
import { deriveDevice, deriveGuestNic, findModel, isLinkDown, withLink } from './device.ts';
import type { NicPlan } from './record.ts';

const NIC: NicPlan = {
  ...{ name: 'biz', binding: 'bridge', podInterface: 'pod9bdd85331e7', primary: false, index: 1, mtu: 1400 },
  ...{ mac: '02:00:00:00:00:01', podMac: '02:00:00:00:00:02', ipv4: [], ipv6: [], routes: [], ports: [] },
};
const TAP = { type: 'tap', id: 'net1', ifname: 'tap9bdd85331e7' };

describe('a model', () => {
  it.each([
    ['virtio', 'virtio'],
    ['virtio-non-transitional', 'virtio'],
    ['virtio-transitional', 'virtio'],
    ['e1000e', 'e1000e'],
    ['rtl8139', 'rtl8139'],
    ['', undefined],
    ['toString', undefined],
  ])('%s is %s', (text, model) => {
    expect(findModel(text)).toBe(model);
  });
});

describe('the device of a NIC', () => {
  it('has no more queues than KubeVirt gives', () => {
    const domain = { cpu: { cores: 64, sockets: 8, threads: 2 }, devices: { networkInterfaceMultiqueue: true } };
    expect(deriveDevice({ name: 'biz' }, { domain }, 'virtio')).toEqual({ queues: 256 });
  });

  it('is QEMU’s own where nothing is asked for', () => {
    const { netdev, device } = deriveDevices(deriveGuestNic(NIC));
    expect(netdev).toMatchObject(TAP);
    expect(netdev).not.toHaveProperty('queues');
    expect(device).toEqual({
      ...{
        driver: 'virtio-net-pci',
        id: 'nic1',
        netdev: 'net1',
        bus: 'port1',
        mac: NIC.mac,
        host_mtu: 1400,
        romfile: '',
      },
    });
  });

  it('has a pair of vectors for each pair of queues, and the MTU that a hook set', () => {
    const { netdev, device } = deriveDevices(deriveGuestNic({ ...NIC, device: { queues: 4, mtu: 1300 } }));
    expect(netdev).toMatchObject({ ...TAP, queues: 4 });
    expect(device).toMatchObject({ driver: 'virtio-net-pci', mq: true, vectors: 10, host_mtu: 1300 });
  });

  it('of another model is told nothing that only virtio knows', () => {
    const { device } = deriveDevices(deriveGuestNic({ ...NIC, device: { model: 'e1000', mtu: 1300 } }));
    expect(device).toEqual({ driver: 'e1000', id: 'nic1', netdev: 'net1', bus: 'port1', mac: NIC.mac, romfile: '' });
  });

  it('keeps all else when its link changes', () => {
    const down = withLink({ ...NIC, device: { model: 'e1000' } }, true);
    expect(down.device).toEqual({ model: 'e1000', linkDown: true });
    expect([isLinkDown(NIC), isLinkDown(down), isLinkDown(withLink(down, false))]).toEqual([false, true, false]);
  });
});
