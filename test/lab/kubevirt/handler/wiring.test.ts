import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Interface, VmiSpec } from '../objects.ts';
import { parseLinks, parseRoutes } from './links.ts';
import type { NicPlan } from './record.ts';
import { deriveSetUp, type PodNetwork, planNics, WiringError } from './wiring.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/kubevirt-v1.8.4');
const POD: PodNetwork = {
  links: [
    { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, ipv4: [], ipv6: [], up: true },
    { name: 'eth0', mac: '0a:58:0a:10:00:05', mtu: 1400, ipv4: ['10.16.0.5/24'], ipv6: ['fd00:10::5/64'], up: true },
    { name: 'pod9bdd85331e7', mac: 'ee:7c:71:7a:b6:2b', mtu: 1400, ipv4: [], ipv6: [], up: true },
    { name: 'pod4b24a216797', mac: '8e:56:2a:d7:09:5d', mtu: 1400, ipv4: ['10.17.0.5/24'], ipv6: [], up: true },
  ],
  routes: [
    { destination: 'default', gateway: '10.16.0.1', device: 'eth0' },
    { destination: '10.16.0.0/24', device: 'eth0' },
    { destination: '10.17.0.0/24', device: 'pod4b24a216797' },
    { destination: '10.30.0.0/16', gateway: '10.17.0.1', device: 'pod4b24a216797' },
  ],
};
const PLUGINS = { managed: { domainAttachmentType: 'managedTap' }, odd: { domainAttachmentType: 'tap' } };

function specOf(first: object): VmiSpec {
  return {
    domain: {
      devices: {
        interfaces: [
          { name: 'default', macAddress: '02:00:00:AA:BB:01', ...first },
          { name: 'biz', bridge: {} },
          { name: 'biz2', binding: { name: 'managed' }, macAddress: '02:00:00:aa:bb:03' },
        ],
      },
    },
    networks: [
      { name: 'default', pod: {} },
      { name: 'biz', multus: { networkName: 'biz' } },
      { name: 'biz2', multus: { networkName: 'biz' } },
    ],
  };
}

const wire = (first: object, pod = POD): NicPlan[] => planNics(specOf(first), pod, PLUGINS);
const MACS = ['62:40:cc:0c:ed:1a', 'ea:f3:e3:51:ef:89', '5e:82:00:e4:80:1d'];

describe('the plan of NICs', () => {
  it('gives the guest the MAC of its spec, else the one of the CNI', () => {
    expect(wire({ bridge: {} }).map((nic) => nic.mac)).toEqual([
      '02:00:00:aa:bb:01',
      'ee:7c:71:7a:b6:2b',
      '02:00:00:aa:bb:03',
    ]);
  });

  it('has the device that the VMI asks for, and a tap for as many queues as there are CPUs', () => {
    const spec = specOf({ bridge: {}, state: 'down' });
    const [first, second, ...others] = spec.domain.devices.interfaces ?? [];
    const interfaces = [first, { ...second, model: 'e1000' }, ...others] as Interface[];
    const devices = { interfaces, networkInterfaceMultiqueue: true };
    const nics = planNics({ ...spec, domain: { devices, cpu: { cores: 2, sockets: 2 } } }, POD, PLUGINS);
    expect(nics.map(({ device, queues }) => [device, queues])).toEqual([
      [{ queues: 4, linkDown: true }, 4],
      [{ model: 'e1000' }, undefined],
      [{ queues: 4 }, 4],
    ]);
    const taps = deriveSetUp(nics, MACS).links.filter((line) => line.startsWith('tuntap'));
    expect(taps.map((line) => line.endsWith(' multi_queue'))).toEqual([true, false, true]);
  });

  it('has one queue where there is one CPU, with nothing to say of its tap', () => {
    const spec = specOf({ bridge: {} });
    const devices = { ...spec.domain.devices, networkInterfaceMultiqueue: true };
    const nics = planNics({ ...spec, domain: { devices } }, POD, PLUGINS);
    expect(nics[0]).toMatchObject({ device: { queues: 1 }, queues: 1 });
    expect(deriveSetUp(nics, MACS).links.join()).not.toContain('multi_queue');
  });

  it('refuses a model that no QEMU of KubeVirt has', () => {
    expect(() => wire({ bridge: {}, model: 'ne3000' })).toThrow(WiringError);
  });

  it('takes the next hop of the first route as gateway, and none when that is the connected one', () => {
    const [primary, , third] = wire({ bridge: {} });
    expect(primary?.gateway).toBe('10.16.0.1');
    expect(third).not.toHaveProperty('gateway');
    expect(third?.routes).toEqual([{ destination: '10.30.0.0/16', gateway: '10.17.0.1' }]);
  });

  it('refuses a bridge-bound address without any route, as KubeVirt does (issue 7001)', () => {
    expect(() => wire({ bridge: {} }, { ...POD, routes: [] })).toThrow(/no gateway address found in routes of eth0/);
  });

  it('refuses an interface that the CNI did not make', () => {
    expect(() => wire({ bridge: {} }, { ...POD, links: POD.links.slice(0, 2) })).toThrow(WiringError);
  });

  it('refuses a binding that is not played, by name and type', () => {
    expect(() => planNics(specOf({ binding: { name: 'odd' } }), POD, PLUGINS)).toThrow(/odd of type tap/);
    expect(() => planNics(specOf({ binding: { name: 'gone' } }), POD, PLUGINS)).toThrow(/gone of type unknown/);
  });
});

describe('phase 1 in the netns', () => {
  it('makes bridge, renamed link, tap and the stand-in of the dummy, in this order', () => {
    const { links, bridge, sysctls, nft } = deriveSetUp(wire({ bridge: {} }).slice(0, 1), MACS);
    expect(links).toEqual([
      'link add k6t-eth0 address 62:40:cc:0c:ed:1a type bridge stp_state 0',
      'link set dev eth0 down',
      'addr flush dev eth0',
      'link set dev eth0 name eth0-nic',
      'link set dev eth0-nic address 62:40:cc:0c:ed:1a',
      'link set dev eth0-nic master k6t-eth0',
      'link set dev eth0-nic up',
      'addr add 169.254.75.10/32 dev k6t-eth0',
      'link set dev k6t-eth0 up',
      'tuntap add dev tap0 mode tap user 107 group 107',
      'link set dev tap0 mtu 1400',
      'link set dev tap0 master k6t-eth0',
      'link add deth0 type veth peer name eth0 address 0a:58:0a:10:00:05 mtu 1400',
      'addr add 10.16.0.5/24 dev eth0',
      'addr add fd00:10::5/64 dev eth0',
      'link set dev tap0 up',
    ]);
    expect(bridge).toEqual(['link set dev eth0-nic learning off']);
    expect(sysctls).toEqual(['net.ipv4.conf.all.arp_ignore=1']);
    expect(nft).toBe('');
  });

  it('gives no fake address where there is no IPv4, nor to managedTap', () => {
    const { links } = deriveSetUp(wire({ bridge: {} }), MACS);
    expect(links.filter((line) => line.includes('169.254.75'))).toEqual(['addr add 169.254.75.10/32 dev k6t-eth0']);
  });

  it('makes the links that the record shows', () => {
    const { links } = deriveSetUp(wire({ bridge: {} }), MACS);
    const recorded = readFileSync(join(FIXTURES, 'netns-bridge-managedtap.txt'), 'utf8');
    const made = links.flatMap(
      (line) => /^link add (\S+) |name (\S+)|^tuntap add dev (\S+)/.exec(line)?.slice(1) ?? [],
    );
    const names = made.filter((name) => name !== undefined);
    expect(names.length).toBe(12);
    for (const name of names) expect(recorded).toMatch(new RegExp(`^\\d+: ${name}[:@]`, 'm'));
  });

  it('writes the NAT tables that the record shows', () => {
    const ports = [{ port: 80 }];
    const { nft, sysctls } = deriveSetUp(wire({ masquerade: {}, ports }).slice(0, 1), MACS);
    const recorded = readFileSync(join(FIXTURES, 'netns-masquerade.txt'), 'utf8');
    const plain = (text: string) => text.replaceAll(/counter( packets 0 bytes 0)?/g, 'counter').replaceAll(/\s+/g, ' ');
    const tables = recorded.slice(recorded.indexOf('table ip nat'), recorded.indexOf('-- /var/run'));
    expect(plain(nft).trim()).toBe(plain(tables).trim());
    expect(sysctls).toContain('net.ipv4.ip_forward=1');
    expect(sysctls).toContain('net.ipv4.conf.k6t-eth0.route_localnet=1');
  });

  it('forwards every port when none is declared', () => {
    const { nft } = deriveSetUp(wire({ masquerade: {} }).slice(0, 1), MACS);
    expect(nft).toContain('chain KUBEVIRT_PREINBOUND {\n    counter dnat to 10.0.2.2\n  }');
  });

  it('leaves eth0 alone under masquerade', () => {
    const { links, bridge } = deriveSetUp(wire({ masquerade: {} }).slice(0, 1), MACS);
    expect(links.some((line) => / eth0( |$)/.test(line))).toBe(false);
    expect(bridge).toEqual([]);
  });
});

describe('what ip prints', () => {
  it('gives global addresses only', () => {
    const json = JSON.stringify([
      {
        ifname: 'eth0',
        address: '0a:58:0a:10:00:05',
        mtu: 1400,
        flags: ['UP'],
        addr_info: [
          { family: 'inet', local: '10.16.0.5', prefixlen: 24, scope: 'global' },
          { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
        ],
      },
    ]);
    expect(parseLinks(json)).toEqual([
      { name: 'eth0', mac: '0a:58:0a:10:00:05', mtu: 1400, ipv4: ['10.16.0.5/24'], ipv6: [], up: true },
    ]);
  });

  it('may be nothing at all', () => expect(parseRoutes('')).toEqual([]));
});
