import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { NicConfig } from '../../api/network-config.ts';
import { planCloudInit } from './cloud-init.ts';
import { macOf, makeCloudInit, makeNicConfig, makeVmi } from './testing/guest.ts';

const nic = makeNicConfig;

/** The network data that a guest gets, read as cloud-init would. */
function configure(nics: readonly NicConfig[], dataSource: string, vmi = makeVmi(nics)): unknown {
  const { cloudInit, note } = planCloudInit(makeCloudInit({ DataSource: dataSource }), vmi);
  expect(note).toBeUndefined();
  const { NetworkData } = JSON.parse(String(cloudInit.data));
  return dataSource === 'noCloud' ? parseYaml(NetworkData) : JSON.parse(NetworkData);
}

const dual = nic(1, {
  ips: ['10.1.0.5/24', 'fd00:1::5/64'],
  gateways: ['10.1.0.1', 'fd00:1::1'],
  dns: ['10.1.0.2', 'fd00:1::2'],
  search: ['a.example', 'example'],
  mtu: 1380,
  routes: [
    { dst: '192.168.0.0/16', gw: '10.1.0.9' },
    { dst: 'fd00:9::/48', gw: 'fd00:1::9' },
  ],
});

const OFF = { dhcp4: false, dhcp6: false };
const match = (index: number) => ({ match: { macaddress: macOf(index) } });

describe('network-config of NoCloud', () => {
  it('one NIC, one family', () => {
    expect(configure([nic(1)], 'noCloud')).toEqual({
      version: 2,
      ethernets: {
        nic0: { ...match(1), ...OFF, addresses: ['10.1.0.5/24'], routes: [{ to: '0.0.0.0/0', via: '10.1.0.1' }] },
      },
    });
  });

  it('both families, with DNS, domains, routes and MTU', () => {
    expect(configure([dual], 'noCloud')).toEqual({
      version: 2,
      ethernets: {
        nic0: {
          ...match(1),
          ...OFF,
          'accept-ra': false,
          mtu: 1380,
          addresses: ['10.1.0.5/24', 'fd00:1::5/64'],
          nameservers: { addresses: ['10.1.0.2', 'fd00:1::2'], search: ['a.example', 'example'] },
          gateway6: 'fd00:1::1',
          routes: [
            { to: '0.0.0.0/0', via: '10.1.0.1' },
            { to: '192.168.0.0/16', via: '10.1.0.9' },
            { to: 'fd00:9::/48', via: 'fd00:1::9' },
          ],
        },
      },
    });
  });

  it('four NICs in the order of the VM: the first way out of each family, and no second one', () => {
    const v6 = nic(3, { ips: ['fd00:3::5/64'], gateways: ['fd00:3::1'] });
    const nics = [nic(1, { gateways: [] }), nic(2), v6, nic(4, { mtu: 9000 })];
    expect(configure(nics, 'noCloud')).toEqual({
      version: 2,
      ethernets: {
        nic0: { ...match(1), ...OFF, addresses: ['10.1.0.5/24'] },
        nic1: { ...match(2), ...OFF, addresses: ['10.2.0.5/24'], routes: [{ to: '0.0.0.0/0', via: '10.2.0.1' }] },
        nic2: {
          ...match(3),
          ...OFF,
          'accept-ra': false,
          addresses: ['fd00:3::5/64'],
          gateway6: 'fd00:3::1',
        },
        nic3: { ...match(4), ...OFF, mtu: 9000, addresses: ['10.4.0.5/24'] },
      },
    });
  });

  it('a gateway outside of a /32 is on-link', () => {
    const far = nic(1, { ips: ['10.1.0.5/32', 'fd00:1::5/128'], gateways: ['10.9.9.1', 'fe80::1'] });
    expect(configure([far], 'noCloud')).toMatchObject({
      ethernets: {
        nic0: {
          routes: [
            { to: '0.0.0.0/0', via: '10.9.9.1', 'on-link': true },
            { to: '::/0', via: 'fe80::1', 'on-link': true },
          ],
        },
      },
    });
  });

  it('no gateway: no route, and none by advertisement', () => {
    expect(configure([{ ...dual, gateways: [], routes: [] }], 'noCloud')).toMatchObject({
      ethernets: { nic0: { 'accept-ra': false } },
    });
    expect(JSON.stringify(configure([{ ...dual, gateways: [], routes: [] }], 'noCloud'))).not.toMatch(/routes|gateway/);
  });
});

describe('network_data.json of a config drive', () => {
  it('one NIC, one family', () => {
    expect(configure([nic(1)], 'configDrive')).toEqual({
      links: [{ id: 'nic0', type: 'phy', ethernet_mac_address: macOf(1) }],
      networks: [
        {
          id: 'nic0-ipv4',
          link: 'nic0',
          type: 'ipv4',
          ip_address: '10.1.0.5',
          netmask: '255.255.255.0',
          routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.1.0.1' }],
        },
      ],
      services: [],
    });
  });

  it('both families, with DNS, domains, routes and MTU', () => {
    expect(configure([dual], 'configDrive')).toEqual({
      links: [{ id: 'nic0', type: 'phy', ethernet_mac_address: macOf(1), mtu: 1380 }],
      networks: [
        {
          id: 'nic0-ipv4',
          link: 'nic0',
          type: 'ipv4',
          ip_address: '10.1.0.5',
          netmask: '255.255.255.0',
          dns_nameservers: ['10.1.0.2', 'fd00:1::2'],
          dns_search: ['a.example', 'example'],
          routes: [
            { network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.1.0.1' },
            { network: '192.168.0.0', netmask: '255.255.0.0', gateway: '10.1.0.9' },
          ],
        },
        {
          id: 'nic0-ipv6',
          link: 'nic0',
          type: 'ipv6',
          ip_address: 'fd00:1::5',
          netmask: 'ffff:ffff:ffff:ffff::',
          routes: [
            { network: '::', netmask: '::', gateway: 'fd00:1::1' },
            { network: 'fd00:9::', netmask: 'ffff:ffff:ffff::', gateway: 'fd00:1::9' },
          ],
        },
      ],
      services: [
        { type: 'dns', address: '10.1.0.2' },
        { type: 'dns', address: 'fd00:1::2' },
      ],
    });
  });

  it('four NICs: the way out is on the first', () => {
    const data = configure([nic(1), nic(2), nic(3), nic(4)], 'configDrive') as { networks: { routes: object[] }[] };
    expect(data).toMatchObject({ links: [1, 2, 3, 4].map((index) => ({ ethernet_mac_address: macOf(index) })) });
    expect(data.networks.map(({ routes }) => routes.length)).toEqual([1, 0, 0, 0]);
  });

  it('a gateway outside of a /32 stands as gateway, which cloud-init calls on-link', () => {
    const far = nic(1, { ips: ['10.1.0.5/32'], gateways: ['10.9.9.1'] });
    expect(configure([far], 'configDrive')).toMatchObject({
      networks: [{ netmask: '255.255.255.255', gateway: '10.9.9.1', routes: [] }],
    });
  });
});

describe('what KubeVirt or another network configures', () => {
  it('a masquerade NIC and the pod network of others ask by DHCP, and keep the way out', () => {
    const vmi = makeVmi([nic(2)], {
      interfaces: [
        { name: 'default', masquerade: {}, macAddress: '02-00-5E-00-00-01' },
        { name: 'nic2', bridge: {} },
        { name: 'foreign', bridge: {} },
        { name: 'going', bridge: {}, state: 'absent' },
      ],
      networks: [{ name: 'default', pod: {} }],
    });
    const ethernets = {
      nic0: { ...match(1), dhcp4: true },
      nic1: { ...match(2), ...OFF, addresses: ['10.2.0.5/24'] },
    };
    expect(configure([nic(2)], 'noCloud', vmi)).toEqual({ version: 2, ethernets });
    expect(configure([nic(2)], 'configDrive', vmi)).toMatchObject({
      networks: [
        { link: 'nic0', type: 'ipv4_dhcp' },
        { link: 'nic1', routes: [] },
      ],
    });
  });

  it('the MAC that the guest has is that of the spec, where the spec has one', () => {
    const vmi = makeVmi([nic(1)], { interfaces: [{ name: 'nic1', bridge: {}, macAddress: macOf(7) }] });
    expect(configure([nic(1)], 'noCloud', vmi)).toMatchObject({ ethernets: { nic0: match(7) } });
  });
});

describe('what comes back as it came', () => {
  const [vmi, cloudInit] = [makeVmi([nic(1)]), makeCloudInit()];
  const without = (key: string) => makeVmi([nic(1)], { annotations: { [key]: '' } });
  const asked = 'mooring.dev/configure-guest';

  it.each<[string, ReturnType<typeof makeCloudInit>, Buffer, string]>([
    ['a guest that is not to be configured', cloudInit, without(asked), `${asked} is not "true"`],
    ['a wish of another form', cloudInit, makeVmi([nic(1)], { annotations: { [asked]: 'True' } }), 'is not "true"'],
    ['network data of the user', makeCloudInit({ NetworkData: 'version: 2' }), vmi, 'the user gave network data'],
    ['network data of another type', makeCloudInit({ NetworkData: 0 }), vmi, 'the user gave network data'],
    ['a data source that is not known', makeCloudInit({ DataSource: 'constructor' }), vmi, 'the data source is not'],
    ['no cloud-init data', { ...cloudInit, data: Buffer.from('null') }, vmi, 'there are no cloud-init data'],
    ['cloud-init data that are no JSON', { ...cloudInit, data: Buffer.from('{') }, vmi, 'there are no cloud-init data'],
    [
      'cloud-init data of 10 MB',
      makeCloudInit({ UserData: 'x'.repeat(10_000_000) }),
      vmi,
      'there are no cloud-init data',
    ],
    ['no VMI', cloudInit, Buffer.from(''), 'the VMI cannot be read'],
    ['a VMI of 10 MB', cloudInit, Buffer.alloc(10_000_000, '['), 'the VMI cannot be read'],
    ['a VMI nested without end', cloudInit, Buffer.from('['.repeat(100_000)), 'the VMI cannot be read'],
    ['a VMI that is a list', cloudInit, Buffer.from('[]'), 'the VMI cannot be read'],
    ['a VMI of wrong types', cloudInit, Buffer.from('{"metadata":[],"spec":7}'), 'is not "true"'],
    [
      'a configuration that cannot be read',
      cloudInit,
      without('mooring.dev/network-config'),
      'mooring.dev/network-config: not JSON',
    ],
    ['no NIC of ours', cloudInit, makeVmi([nic(1)], { interfaces: [] }), 'no NIC has an address that is known'],
    [
      'a masquerade NIC whose MAC nobody knows',
      cloudInit,
      makeVmi([nic(1)], {
        interfaces: [
          { name: 'nic1', bridge: {} },
          { name: 'm', masquerade: {} },
        ],
      }),
      'NIC m has no macAddress',
    ],
    [
      'two NICs that cannot be told apart',
      cloudInit,
      makeVmi([nic(1), nic(2)], {
        interfaces: [
          { name: 'nic1', macAddress: macOf(1) },
          { name: 'nic2', macAddress: macOf(1) },
        ],
      }),
      'two NICs have one macAddress',
    ],
  ])('%s', (_cause, given, json, note) => {
    const plan = planCloudInit(given, json);
    expect(plan.cloudInit).toEqual(given);
    expect(plan.note).toContain(note);
  });

  it('without the operator’s annotation there is nothing to say', () => {
    const bare = Buffer.from(JSON.stringify({ metadata: { annotations: { [asked]: 'true' } } }));
    expect(planCloudInit(cloudInit, bare)).toEqual({
      cloudInit,
      note: 'the VMI has no mooring.dev/network-config',
    });
  });

  it('all of the data but NetworkData, in both forms, also what is not known', () => {
    const given = makeCloudInit({ NewInKubevirt: { a: [1] } });
    const { data, noCloudSource } = planCloudInit(given, vmi).cloudInit;
    const { NetworkData, ...rest } = JSON.parse(String(data));
    expect({ ...rest, NetworkData: '' }).toEqual(JSON.parse(String(given.data)));
    expect(JSON.parse(String(noCloudSource))).toEqual({
      ...JSON.parse(String(given.noCloudSource)),
      networkData: NetworkData,
    });
  });

  it('what the sidecar filled in: it is there then, and stays', () => {
    const once = planCloudInit(cloudInit, vmi).cloudInit;
    expect(planCloudInit(once, vmi)).toEqual({ cloudInit: once, note: 'the user gave network data' });
  });
});
