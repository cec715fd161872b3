import { describe, expect, it } from 'vitest';
import { type BindingRow, checkBindings, deriveBindings, type Look, nameServer, parseLook } from './bindings.ts';
import type { Migration } from './migrations.ts';
import type { Restart } from './vms.ts';

const OUTPUT = `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc pfifo_fast state UP qlen 1000
    link/ether 0a:bb:50:e0:13:9d brd ff:ff:ff:ff:ff:ff
    inet 10.16.0.15/16 scope global eth0
       valid_lft forever preferred_lft forever
ip=10.16.0.15
mask=16
router=10.16.0.1
serverid=169.254.75.10
lease=86313600
seen 10.16.0.15
`;

describe('what a guest says of itself', () => {
  it('is its address, who served it, and how a pod sees it', () => {
    expect(parseLook(OUTPUT)).toEqual({ guestIp: '10.16.0.15', outsideIp: '10.16.0.15', dhcpServer: 'KubeVirt' });
  });

  it('is empty where it says nothing', () => {
    expect(parseLook('cat: /run/lease.eth0: No such file')).toEqual({ guestIp: '', outsideIp: '', dhcpServer: '' });
  });

  it.each([
    ['169.254.75.10', 'KubeVirt'],
    ['10.0.2.1', 'KubeVirt'],
    ['10.17.0.1', 'OVN'],
    ['10.16.0.1', '10.16.0.1'],
    ['169.254.76.10', '169.254.76.10'],
  ])('the server at %s is %s', (address, name) => expect(nameServer(address)).toBe(name));
});

const look: Look = { binding: 'bridge', vm: 'v', guestIp: '10.16.0.9', outsideIp: '10.16.0.9', dhcpServer: 'KubeVirt' };
const restart: Restart = {
  ...{ vm: 'v', nodeBefore: 'a', nodeAfter: 'b' },
  ...{ ipBefore: '10.16.0.9', ipAfter: '10.16.0.9', macBefore: '0a:00', macAfter: '0a:00' },
};
const migration: Migration = {
  ...{ vm: 'v', binding: 'bridge', from: 'a', to: 'b', sent: 9, lost: 0, longestGapMs: 1, qemuDowntimeMs: 1 },
  ...{ tcpSurvived: true, operatorKilled: false, memory: 'Migration' },
};
const held = { migrated: true, tcpSurvived: true, restartedSameAddress: true };

describe('a row', () => {
  it('holds when every restart and migration of that VM did', () => {
    expect(deriveBindings([look], [restart, restart], [migration])).toEqual([{ ...look, ...held }]);
  });

  it.each<[string, Restart[], Migration[], Partial<BindingRow>]>([
    ['a VM that never migrated', [restart], [], { migrated: false, tcpSurvived: false }],
    ['a migration that stayed', [restart], [migration, { ...migration, to: 'a' }], { migrated: false }],
    [
      'a connection that broke once',
      [restart],
      [{ ...migration, tcpSurvived: false }, migration],
      { tcpSurvived: false },
    ],
    ['a VM that never restarted', [], [migration], { restartedSameAddress: false }],
    ['another MAC', [restart, { ...restart, macAfter: '0a:01' }], [migration], { restartedSameAddress: false }],
    [
      "another address than the port's seen outside",
      [{ ...restart, ipBefore: '10.16.0.8', ipAfter: '10.16.0.8' }],
      [migration],
      { restartedSameAddress: false },
    ],
    ["another VM's migration", [restart], [{ ...migration, vm: 'w' }], { migrated: false, tcpSurvived: false }],
  ])('does not hold after %s', (_, restarts, migrations, broken) => {
    expect(deriveBindings([look], restarts, migrations)).toEqual([{ ...look, ...held, ...broken }]);
  });
});

const rows: BindingRow[] = [
  { ...look, ...held },
  { ...look, ...held, binding: 'masquerade', vm: 'n', guestIp: '10.0.2.2' },
  { ...look, ...held, binding: 'managedTap', vm: 't', dhcpServer: 'OVN' },
];
const change = (at: number, more: Partial<BindingRow>): BindingRow[] =>
  rows.map((row, index) => (index === at ? { ...row, ...more } : row));

describe('promises about bindings', () => {
  it('hold when each guest has its address, its server and its life', () => expect(checkBindings(rows)).toEqual([]));

  it.each<[string, BindingRow[]]>([
    ['no VM with managedTap', rows.slice(0, 2)],
    ['v (bridge): the guest has 10.16.0.7 instead of 10.16.0.9', change(0, { guestIp: '10.16.0.7' })],
    ['n (masquerade): the guest has 10.16.0.9 instead of 10.0.2.2', change(1, { guestIp: '10.16.0.9' })],
    ["t (managedTap): the guest's DHCP server was KubeVirt instead of OVN", change(2, { dhcpServer: 'KubeVirt' })],
    ["n (masquerade): the guest's DHCP server was none instead of KubeVirt", change(1, { dhcpServer: '' })],
    ['n (masquerade): nobody saw a connection of the guest', change(1, { outsideIp: '' })],
    ['v (bridge): it did not migrate', change(0, { migrated: false })],
    ['t (managedTap): its TCP connection did not survive the migration', change(2, { tcpSurvived: false })],
    ['v (bridge): it had another address after a restart', change(0, { restartedSameAddress: false })],
  ])('%s', (sentence, broken) => {
    expect(checkBindings(broken)).toEqual([sentence]);
  });
});
