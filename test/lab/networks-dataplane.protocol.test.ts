import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOvn, type TestOvn } from '../../src/cni/daemon/testing/ovn.ts';
import { createProcesses, run } from '../../src/cni/daemon/testing/processes.ts';
import { createNbClient } from '../../src/ovn/database.ts';
import { planOperations } from '../../src/ovn/plan-operations.ts';
import type { WantedPort } from '../../src/ovn/wanted.ts';
import { applyPlan } from '../../src/ovsdb/apply.ts';
import { formatDhcpRow, planSubnets } from '../../src/plan/networks/subnet.ts';
import { planSubnetRows } from '../../src/plan/networks/subnet-rows.ts';
import { makeSubnet, makeTestSettings } from '../../src/plan/networks/testing/subnets.ts';
import { planVpc } from '../../src/plan/networks/vpc.ts';
import { mergeWanted, NOTHING } from '../../src/plan/rows.ts';

/**
 * Packets through one real OVN: a private subnet, one that leaves by a chosen node, and one beside them. Guests and the
 * node are network namespaces; the node also has the addresses of "the outside".
 */
const settings = makeTestSettings();
const SUBNETS = [
  makeSubnet('net1', {
    cidrBlock: '10.0.1.0/24,fd01:1::/64',
    private: true,
    allowSubnets: ['10.0.3.0/24'],
    enableDHCP: true,
    enableIPv6RA: true,
    dhcp: { leaseSeconds: 7200, searchDomains: ['example.org'], routes: [{ dst: '192.0.2.0/24', gw: '10.0.1.9' }] },
  }),
  makeSubnet('net2', { cidrBlock: '10.0.2.0/24,fd01:2::/64', gatewayType: 'centralized', gatewayNode: 'n2' }),
  makeSubnet('net3', { cidrBlock: '10.0.3.0/24,fd01:3::/64' }),
];
const OUTSIDE = ['198.51.100.1', '2001:db8::1'] as const;
const NODE = { mac: '00:00:00:00:09:04', ips: ['100.64.0.4', 'fd00:100:64::4'] } as const;
/** Name, index of the subnet, last part of the addresses. */
const GUESTS = [
  ['g1', 1, 10],
  ['g2', 1, 11],
  ['g3', 2, 10],
  ['g4', 3, 10],
] as const;

const IDS = planVpc('default', settings).routers[0]?.externalIds ?? new Map();
const macOf = (index: number, last: number): string => `00:00:00:00:0${index}:${last}`;
const netnsOf = (name: string): string => `mdp-${process.pid}-${name}`;
const folder = mkdtempSync(join(tmpdir(), 'mooring-dataplane-'));
const processes = createProcesses();
const ip = (...args: string[]) => run(['ip', ...args]);
const inside = (name: string, ...command: string[]) => run(['ip', 'netns', 'exec', netnsOf(name), ...command]);

function planRows() {
  const plans = planSubnets(SUBNETS, settings, new Set());
  const rows = SUBNETS.map((subnet) => {
    const plan = plans.get(subnet.metadata.name);
    if (plan === undefined) throw new Error('fixture');
    return planSubnetRows(subnet, plan, settings, { node: 'n2', ips: NODE.ips });
  });
  const guests = GUESTS.map(([name, index, last]): WantedPort => {
    const address = `${macOf(index, last)} 10.0.${index}.${last} fd01:${index}::${last}`;
    const dhcp = index === 1 ? { dhcpv4: formatDhcpRow('net1', 4), dhcpv6: formatDhcpRow('net1', 6) } : {};
    const place = { switch: `subnet/net${index}`, name, type: '' as const, options: new Map(), externalIds: IDS };
    return { ...place, addresses: [address], portSecurity: [address], ...dhcp };
  });
  const addresses = [[NODE.mac, ...NODE.ips].join(' ')];
  const place = { switch: 'join', name: 'n2', type: '' as const, options: new Map(), externalIds: IDS };
  const node: WantedPort = { ...place, addresses, portSecurity: [] };
  return mergeWanted([planVpc('default', settings), ...rows, { ...NOTHING, ports: [...guests, node] }]);
}

/** A namespace whose eth0 is a port of the switch; checksums are made, for the switch is in user space. */
async function plug(ovn: TestOvn, name: string, mac: string): Promise<void> {
  const [netns, cable] = [netnsOf(name), `v${name}`];
  await ip('netns', 'add', netns);
  await ip('link', 'add', cable, 'netns', netnsOf('ovn'), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
  await ip('-n', netnsOf('ovn'), 'link', 'set', cable, 'up');
  await inside(name, 'ethtool', '-K', 'eth0', 'tx', 'off');
  await ip('-n', netns, 'link', 'set', 'lo', 'up');
  await ip('-n', netns, 'link', 'set', 'eth0', 'address', mac, 'up');
  await ovn.vsctl('add-port', 'br-int', cable, '--', 'set', 'interface', cable, `external_ids:iface-id=${name}`);
}

async function addAddresses(name: string, addresses: readonly string[], routes: readonly string[][]): Promise<void> {
  for (const address of addresses) {
    const device = address.endsWith('/32') || address.endsWith('/128') ? 'lo' : 'eth0';
    const flags = address.includes(':') ? ['nodad'] : [];
    await ip('-n', netnsOf(name), 'addr', 'add', address, 'dev', device, ...flags);
  }
  for (const route of routes) await ip('-n', netnsOf(name), ...route);
}

let ovn: TestOvn;
beforeAll(async () => {
  await ip('netns', 'add', netnsOf('ovn'));
  await ip('-n', netnsOf('ovn'), 'link', 'set', 'lo', 'up');
  ovn = await startOvn(processes, folder, { netns: netnsOf('ovn'), node: 'n1' });
  const nb = createNbClient({ remotes: [`unix:${folder}/nb.sock`] });
  nb.client.start();
  await nb.client.whenLive();
  const owners = ['Vpc/default', ...SUBNETS.map(({ metadata }) => `Subnet/${metadata.name}`)];
  await applyPlan(nb.client, () => planOperations(nb.observed, planRows(), { cluster: settings.cluster, owners }));
  await nb.client.stop();
  for (const [name, index, last] of GUESTS) {
    await plug(ovn, name, macOf(index, last));
    await addAddresses(
      name,
      [`10.0.${index}.${last}/24`, `fd01:${index}::${last}/64`],
      [
        ['route', 'add', 'default', 'via', `10.0.${index}.1`],
        ['-6', 'route', 'add', 'default', 'via', `fd01:${index}::1`],
      ],
    );
  }
  await plug(ovn, 'n2', NODE.mac);
  await addAddresses(
    'n2',
    ['100.64.0.4/16', 'fd00:100:64::4/112', `${OUTSIDE[0]}/32`, `${OUTSIDE[1]}/128`],
    [
      ['route', 'add', '10.0.0.0/16', 'via', '100.64.0.1'],
      ['-6', 'route', 'add', 'fd01::/16', 'via', 'fd00:100:64::1'],
    ],
  );
  const ports = [...GUESTS.map(([name]) => name), 'n2'];
  for (const port of ports) await ovn.nbctl('wait-until', 'Logical_Switch_Port', port, 'up=true');
  await ovn.nbctl('--wait=hv', 'sync');
}, 120_000);

afterAll(async () => {
  await processes.stop();
  const names = [...GUESTS.map(([name]) => name), 'n2', 'ovn'];
  await Promise.allSettled(names.map((name) => ip('netns', 'del', netnsOf(name))));
  rmSync(folder, { recursive: true, force: true });
});

/** Whether an answer comes within two seconds. */
async function reaches(from: string, to: string): Promise<boolean> {
  const output = await inside(from, 'sh', '-c', `busybox ping -c 2 -W 2 ${to} 2>&1 || true`);
  if (!output.includes('packets transmitted')) throw new Error(output);
  return !output.includes(' 100% packet loss');
}

describe('a private subnet', () => {
  it.each([
    ['a neighbour', 'g1', ['10.0.1.11', 'fd01:1::11'], [true, true]],
    ['a stranger', 'g3', ['10.0.1.10', 'fd01:1::10'], [false, false]],
    ['one that is allowed, in one family', 'g4', ['10.0.1.10', 'fd01:1::10'], [true, false]],
    ['a node', 'n2', ['10.0.1.10', 'fd01:1::10'], [true, true]],
    ['its own port, out of it', 'g1', ['10.0.2.10', 'fd01:2::10'], [true, true]],
  ])('lets begin: %s', async (_who, from, targets, expected) => {
    expect(await Promise.all(targets.map((to) => reaches(from, to)))).toEqual(expected);
  });
});

describe('a centralized subnet', () => {
  it('leaves by its node, and stays inside for the rest', async () => {
    expect(await Promise.all(OUTSIDE.map((to) => reaches('g3', to)))).toEqual([true, true]);
    expect(await reaches('g4', OUTSIDE[0])).toBe(false);
    expect(await reaches('g3', '10.0.3.10')).toBe(true);
  });
});

describe('a guest without address', () => {
  it('gets its reserved one by DHCP, and by advertisements a router but no address', async () => {
    const netns = netnsOf('g1');
    await ip('-n', netns, 'addr', 'flush', 'dev', 'eth0');
    await ip('-n', netns, 'link', 'set', 'eth0', 'down');
    await ip('-n', netns, 'link', 'set', 'eth0', 'up');
    const script = ['busybox', 'udhcpc', '-n', '-q', '-t', '5', '-i', 'eth0', '-s', '/bin/true'];
    const lease = await inside('g1', 'sh', '-c', `${script.join(' ')} 2>&1`);
    expect(lease).toContain('lease of 10.0.1.10 obtained from 10.0.1.1, lease time 7200');
    const routes = () => inside('g1', 'ip', '-6', 'route', 'show', 'default');
    for (let tries = 0; tries < 200 && !(await routes()).includes('proto ra'); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await routes()).toMatch(/via fe80::.*proto ra .*mtu 1400/);
    expect(await inside('g1', 'ip', '-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'global')).toBe('');
  });
});
