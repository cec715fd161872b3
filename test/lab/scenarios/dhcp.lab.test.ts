import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, findThing, getThing, listThings, type Thing } from '../demo/context.ts';
import { findPodPid } from '../demo/pods.ts';
import { startMove } from './moving.ts';
import { expectReady, formatSubnet, formatWebPod, pings, removeAll } from './things.ts';
import { expectGuest6, expectPort, formatMachine, inGuest, type Machine } from './vms.ts';
import { closeNamespace, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'dhcp';
const SUBNETS = ['dhcp-ovn', 'dhcp-kubevirt'];
const ROUTES = [{ dst: '192.0.2.0/24', gw: '10.71.0.9' }];
const on = (subnet: string) => ({
  'ovn.kubernetes.io/logical_switch': subnet,
  'kubevirt.io/allow-pod-bridge-network-live-migration': '',
});
const vm = (name: string): Machine => ({ namespace: NAMESPACE, name });
const [BRIDGED, TAPPED, SERVED] = [vm('bridged'), vm('tapped'), vm('served')];
const CLIENT = vm('client');

let context: Context;

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await openNamespace(context, NAMESPACE);
  await applyThings(context, [
    formatSubnet('dhcp-ovn', {
      cidrBlock: '10.71.0.0/24,fd00:71::/64',
      enableDHCP: true,
      enableIPv6RA: true,
      mtu: 1300,
      dhcp: {
        dnsServers: ['10.96.0.10', 'fd00:96::10'],
        ntpServers: ['10.71.0.5'],
        domainName: 'guests.example.org',
        searchDomains: ['guests.example.org', 'example.org'],
        leaseSeconds: 7200,
        routes: ROUTES,
      },
    }),
    formatSubnet('dhcp-kubevirt', {
      cidrBlock: '10.72.0.0/24,fd00:72::/64',
      enableDHCP: true,
      enableIPv6RA: true,
      mtu: 1300,
      dhcp: { server: 'KubeVirt', routes: [{ dst: '192.0.2.0/24', gw: '10.72.0.9' }] },
    }),
    formatWebPod({ ...CLIENT, annotations: on('dhcp-ovn') }),
  ]);
  await applyThings(context, [
    formatMachine({ ...BRIDGED, running: true, annotations: on('dhcp-ovn') }),
    formatMachine({ ...TAPPED, running: true, annotations: on('dhcp-ovn'), binding: 'managedtap' }),
    formatMachine({ ...SERVED, running: true, annotations: on('dhcp-kubevirt') }),
  ]);
  await expectReady(context, NAMESPACE, ['client']);
  await Promise.all([expectGuest6(context, BRIDGED), expectGuest6(context, TAPPED), expectGuest6(context, SERVED)]);
});

afterAll(tidy);

/** A hook of udhcpc that only keeps what the server said, one file for each event. */
const HOOK = `printf '#!/bin/sh\\nenv >/tmp/told.$1\\n' >/tmp/hook; chmod +x /tmp/hook`;
const ASKED = ['mtu', 'ntpsrv', 'domain', 'search', 'staticroutes'].map((option) => `-O ${option}`).join(' ');
const CLIENT_LINE = `udhcpc -i eth0 -s /tmp/hook ${ASKED}`;

const parseTold = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^(\w+)=(.*?)\r?$/gm)].map(([, key, value]) => [key, value]));

/** What the guest's own DHCP client is told when it asks. */
async function ask(machine: Machine): Promise<Record<string, string>> {
  const line = `${HOOK}; rm -f /tmp/told.*; ${CLIENT_LINE} -f -n -q -t 4 -T 1 >/dev/null 2>&1; cat /tmp/told.bound`;
  return parseTold(await inGuest(context, machine, line));
}

const addressesOf = (port: Thing): string[] => port.spec.ips as string[];
const findLp = (machine: Machine): Promise<Thing> =>
  expectPort(context, machine, ({ status }) => status?.phase === 'Bound');

/** The running launcher of a VM, and a command in its namespace. */
async function inLauncher(machine: Machine, ...command: string[]): Promise<{ pod: Thing; output: string }> {
  const { status } = await getThing(context, 'vmi', machine.name, NAMESPACE);
  const pods = await listThings(context, 'pods', ['-n', NAMESPACE, '-l', `vm.kubevirt.io/name=${machine.name}`]);
  const pod = pods.find(({ spec }) => spec.nodeName === status.nodeName);
  if (pod === undefined) throw new Error(`${machine.name} has no launcher on ${status.nodeName}`);
  const pid = await findPodPid(context, pod, 'compute');
  const output = await runCommand(['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...command]);
  return { pod, output };
}

const podIps = (pod: Thing): string[] => ((pod.status.podIPs ?? []) as { ip: string }[]).map(({ ip }) => ip);
const vmiIps = async ({ name }: Machine): Promise<string[]> =>
  (await getThing(context, 'vmi', name, NAMESPACE)).status.interfaces[0].ipAddresses ?? [];

const OVN_SAYS = {
  ...{ router: '10.71.0.1', serverid: '10.71.0.1', mask: '24', mtu: '1300', lease: '7200' },
  ...{ dns: '10.96.0.10', ntpsrv: '10.71.0.5', domain: 'guests.example.org' },
  search: 'guests.example.org example.org',
  staticroutes: '192.0.2.0/24 10.71.0.9 0.0.0.0/0 10.71.0.1',
};

describe("where the subnet's DHCP serves", () => {
  it.each([
    ['bridge', BRIDGED],
    ['managedTap', TAPPED],
  ])(
    "a guest under %s is told its LogicalPort's address and all that the subnet says, by OVN",
    async (_how, machine) => {
      const [ip] = addressesOf(await findLp(machine));
      expect(await ask(machine)).toMatchObject({ ip, ...OVN_SAYS });
    },
  );

  it.each([
    ['bridge', BRIDGED],
    ['managedTap', TAPPED],
  ])('a guest under %s has its IPv6 address by DHCPv6, route and MTU by advertisements', async (_how, machine) => {
    const [, ip6] = addressesOf(await findLp(machine));
    expect(await inGuest(context, machine, 'cat /run/lease6.eth0')).toContain(`ip=${ip6}`);
    expect(await inGuest(context, machine, 'ip -6 route')).toMatch(/default via fe80::\S+ dev eth0/);
    expect(await inGuest(context, machine, 'cat /proc/sys/net/ipv6/conf/eth0/mtu')).toContain('1300');
    expect(await pings(context, CLIENT, ip6 ?? '')).toBe(true);
  });

  it('the link of a bridged launcher has no address; its pod and its LogicalPort say it all the same', async () => {
    const ips = addressesOf(await findLp(BRIDGED));
    const { pod, output } = await inLauncher(BRIDGED, 'ip', 'addr');
    expect(output.match(/inet6? \S+.*scope global/g) ?? []).toEqual([]);
    expect(podIps(pod)).toEqual(ips);
    expect(await vmiIps(BRIDGED)).toEqual([]);
  });

  it('the launcher of a managedTap has its addresses, and the VMI shows the first', async () => {
    const ips = addressesOf(await findLp(TAPPED));
    const { pod, output } = await inLauncher(TAPPED, 'ip', 'addr', 'show', 'eth0');
    for (const ip of ips) expect(output).toContain(`${ip}/`);
    expect(podIps(pod)).toEqual(ips);
    expect(await vmiIps(TAPPED)).toEqual(ips.slice(0, 1));
  });

  it('a pod has its addresses on its link', async () => {
    const pod = await getThing(context, 'pod', CLIENT.name, NAMESPACE);
    const pid = await findPodPid(context, pod, 'main');
    const output = await runCommand(['nsenter', `--net=/proc/${pid}/ns/net`, '--', 'ip', 'addr', 'show', 'eth0']);
    for (const ip of podIps(pod)) expect(output).toContain(`inet${ip.includes(':') ? '6' : ''} ${ip}/`);
  });
});

describe("where bridged guests are left to KubeVirt's server", () => {
  it("a bridged guest is told the same by the launcher: its LogicalPort's address, router, MTU and routes", async () => {
    const [ip, ip6] = addressesOf(await findLp(SERVED));
    const told = await ask(SERVED);
    expect(told).toMatchObject({
      ip,
      router: '10.72.0.1',
      mtu: '1300',
      serverid: expect.stringMatching(/^169\.254\./),
    });
    expect(told.staticroutes).toContain('192.0.2.0/24 10.72.0.9');
    expect(await vmiIps(SERVED)).toEqual([ip]);
    expect(await inGuest(context, SERVED, 'cat /run/lease6.eth0')).toContain(`ip=${ip6}`);
  });
});

describe('a lease', () => {
  it.each([
    ['of OVN under bridge', BRIDGED, OVN_SAYS.serverid],
    ['of OVN under managedTap', TAPPED, OVN_SAYS.serverid],
  ])(
    '%s survives a live migration and is renewed after it, by the server that gave it',
    async (_whose, machine, serverid) => {
      const [ip] = addressesOf(await findLp(machine));
      const start = `${HOOK}; rm -f /tmp/told.*; setsid ${CLIENT_LINE} -f -p /tmp/client.pid >/dev/null 2>&1 &`;
      await inGuest(context, machine, start);
      await expectSoon('a lease', 20, async () =>
        (await inGuest(context, machine, 'cat /tmp/told.bound')).includes(`ip=${ip}`) ? true : undefined,
      );
      await move(machine);
      await inGuest(context, machine, 'kill -USR1 $(cat /tmp/client.pid)');
      const renewed = await expectSoon('the lease renewed', 20, async () => {
        const told = parseTold(await inGuest(context, machine, 'cat /tmp/told.renew').catch(() => ''));
        return told.ip === undefined ? undefined : told;
      });
      expect(renewed).toMatchObject({ ip, serverid, lease: '7200' });
      expect(await inGuest(context, machine, 'ls /tmp')).not.toContain('told.nak');
      await inGuest(context, machine, 'kill $(cat /tmp/client.pid)');
      expect(await pings(context, CLIENT, ip ?? '')).toBe(true);
      expect(await ask(machine)).toMatchObject({ ip, ...OVN_SAYS });
    },
  );
});

it("KubeVirt's lease survives a live migration too: the launcher on the target says the same", async () => {
  const before = await ask(SERVED);
  await move(SERVED);
  expect(await ask(SERVED)).toMatchObject({ ip: before.ip, router: before.router, serverid: before.serverid });
});

/** A live migration, from its order to its end. */
async function move(machine: Machine): Promise<void> {
  const before = (await getThing(context, 'vmi', machine.name, NAMESPACE)).status.nodeName;
  await startMove(context, machine, `${machine.name}-moves`);
  await expectSoon(`${machine.name} on another node`, 120, async () => {
    const status = (await findThing(context, 'vmi', machine.name, NAMESPACE))?.status;
    return status?.migrationState?.completed === true && status.nodeName !== before ? true : undefined;
  });
  await expectSoon(`the guest of ${machine.name} to answer there`, 20, async () =>
    (await inGuest(context, machine, 'echo here').catch(() => '')).includes('here') ? true : undefined,
  );
}
