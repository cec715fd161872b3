import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { expectReady, formatNad, formatSubnet, formatWebPod, patchThing, pings, removeAll, runIn } from './things.ts';
import {
  annotateTemplate,
  conditionOf,
  expectGuest,
  expectGuest6,
  expectPort,
  formatMachine,
  inGuest,
  setRunning,
} from './vms.ts';
import { closeNamespace, expectEvent, openNamespace, openWorld, UNJUDGED } from './world.ts';

const NAMESPACE = 'guests';
const SUBNETS = ['guests-net', 'guests-one', 'guests-two'];
const ON_NET = { 'ovn.kubernetes.io/logical_switch': 'guests-net' };
const FIRST = { ips: ['10.51.0.60', 'fd00:51::60'], mac: '02:00:00:51:00:60' };
const LATER = ['10.51.0.77', 'fd00:51::77'];
const TAP = { namespace: NAMESPACE, name: 'tap' };
const KEPT = { namespace: NAMESPACE, name: 'kept' };
const CLIENT = { namespace: NAMESPACE, name: 'client' };
const asking = (ips: readonly string[]) => ({ ...ON_NET, 'ovn.kubernetes.io/ip_address': ips.join(',') });
const tap = (name: string, ips: readonly string[] = FIRST.ips): object =>
  formatMachine({
    namespace: NAMESPACE,
    name,
    running: true,
    binding: 'managedtap',
    mac: FIRST.mac,
    annotations: asking(ips),
  });

let context: Context;

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'lp', '--all', '--ignore-not-found', '--timeout=60s']);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
}

const answers = async (ips: readonly string[]): Promise<boolean[]> =>
  Promise.all(ips.map((ip) => pings(context, CLIENT, ip)));

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await openNamespace(context, NAMESPACE, UNJUDGED);
  await applyThings(context, [
    formatSubnet('guests-net', {
      cidrBlock: '10.51.0.0/24,fd00:51::/64',
      enableDHCP: true,
      enableIPv6RA: true,
      mtu: 1300,
      dhcp: { dnsServers: ['10.96.0.10', 'fd00:96::10'], leaseSeconds: 7200 },
    }),
    formatSubnet('guests-one', { cidrBlock: '10.52.0.0/24', provider: `one.${NAMESPACE}.ovn` }),
    formatSubnet('guests-two', { cidrBlock: '10.53.0.0/24', provider: `two.${NAMESPACE}.ovn` }),
    formatNad(NAMESPACE, 'one'),
    formatNad(NAMESPACE, 'two'),
    formatWebPod({ ...CLIENT, annotations: ON_NET }),
  ]);
  await applyThings(context, [
    tap('tap'),
    formatMachine({ ...KEPT, running: false, nads: { extra: 'one' }, annotations: RETAIN }),
  ]);
  await expectReady(context, NAMESPACE, ['client']);
  await expectGuest6(context, TAP);
});

const RETAIN = { 'mooring.dev/release-policy': 'Retain' };

afterAll(tidy);

describe('a guest that OVN itself serves by DHCP and advertisements', () => {
  it('has exactly the addresses and the MAC of its LogicalPort', async () => {
    const { spec } = await expectPort(context, TAP, ({ status }) => status?.phase === 'Bound');
    expect(spec).toMatchObject(FIRST);
    const links = await inGuest(context, TAP, 'ip addr show eth0');
    expect(links).toContain(`link/ether ${FIRST.mac}`);
    const found = [...links.matchAll(/inet6? (\S+)\/\d+ .*scope global/g)].map(([, ip]) => ip);
    expect(found).toEqual(FIRST.ips);
    expect(await answers(FIRST.ips)).toEqual([true, true]);
  });

  it('case 4: is told router, name server, MTU and lease time', async () => {
    const lease = (await inGuest(context, TAP, 'cat /run/lease.eth0')).split(/\r?\n/);
    const told = ['router=10.51.0.1', 'dns=10.96.0.10', 'mtu=1300', 'serverid=10.51.0.1', 'lease=7200'];
    expect(lease).toEqual(expect.arrayContaining(told));
    expect(await inGuest(context, TAP, 'cat /sys/class/net/eth0/mtu')).toContain('1300');
    expect(await inGuest(context, TAP, 'ip -6 route')).toMatch(/default via fe80::\S+ dev eth0/);
  });

  it('reaches the outside world in both families', async () => {
    const { address, address6 } = context.lab.outside;
    const line = `ping -c 2 -W 3 ${address} >/dev/null && ping6 -c 2 -W 3 ${address6} >/dev/null && echo both`;
    // The guest copies what was advertised into the routing table of its NIC every few seconds.
    await expectSoon('an answer of the outside world in both families', 20, async () =>
      (await inGuest(context, TAP, line)).includes('both') ? true : undefined,
    );
  });
});

describe('a clone that claims address and MAC of a running VM', () => {
  it('gets a condition that says whose they are, and the first one answers all along', async () => {
    const stream = runIn(context, NAMESPACE, 'client', `ping -c 30 -i 0.2 -W 2 ${FIRST.ips[0]}`);
    await applyThings(context, [tap('clone')]);
    const clone = { namespace: NAMESPACE, name: 'clone' };
    const port = await expectPort(context, clone, (found) => found.status?.phase === 'Conflict');
    expect(port.spec.ips).toEqual([]);
    expect(conditionOf(port, 'Allocated')).toMatchObject({ status: 'False', reason: 'AddressInUse' });
    expect(conditionOf(port, 'Allocated').message).toContain('tap');
    expect(await stream).toContain('30 packets transmitted, 30 packets received');
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', 'clone', '--timeout=60s']);
  });
});

describe('another address for a running VM', () => {
  it('waits with ChangePending; the guest keeps the old one', async () => {
    await annotateTemplate(context, TAP, asking(LATER));
    const port = await expectPort(context, TAP, (found) => conditionOf(found, 'Allocated').reason === 'ChangePending');
    expect(port.spec.ips).toEqual(FIRST.ips);
    expect(conditionOf(port, 'Allocated')).toMatchObject({ status: 'True' });
    expect(conditionOf(port, 'Allocated').message).toContain(LATER[0]);
    expect(await answers(FIRST.ips)).toEqual([true, true]);
  });

  it('comes with the next start, and the old one is free for others', async () => {
    await setRunning(context, TAP, false);
    await expectPort(context, TAP, ({ spec }) => JSON.stringify(spec.ips) === JSON.stringify(LATER));
    await setRunning(context, TAP, true);
    await applyThings(context, [formatWebPod({ namespace: NAMESPACE, name: 'heir', annotations: asking(FIRST.ips) })]);
    await expectReady(context, NAMESPACE, ['heir']);
    await expectGuest6(context, TAP);
    expect(await inGuest(context, TAP, 'cat /run/lease.eth0')).toContain(`ip=${LATER[0]}`);
    expect(await answers(LATER)).toEqual([true, true]);
  });
});

describe('a subnet that is made too small for a running VM', () => {
  it('says so on the port and disturbs nobody; widened again all is well', async () => {
    const target = ['subnets.mooring.dev', 'guests-net'];
    await patchThing(context, target, { spec: { cidrBlock: '10.51.0.0/26,fd00:51::/64' } });
    const port = await expectPort(context, TAP, ({ status }) => status?.phase === 'Conflict');
    expect(conditionOf(port, 'Allocated')).toMatchObject({ status: 'False', reason: 'AddressOutsideSubnet' });
    expect(port.spec.ips).toEqual(LATER);
    expect(await answers(LATER)).toEqual([true, true]);
    await patchThing(context, target, { spec: { cidrBlock: '10.51.0.0/24,fd00:51::/64' } });
    await expectPort(context, TAP, ({ status }) => status?.phase === 'Bound');
  });
});

describe('a VM that is deleted without its guest', () => {
  it('leaves it its address, and the next VM of that name takes both over', async () => {
    const before = await expectPort(context, TAP, ({ status }) => status?.phase === 'Bound');
    const stream = runIn(context, NAMESPACE, 'client', `ping -c 30 -i 0.2 -W 2 ${LATER[0]}`);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', 'tap', '--cascade=orphan', '--timeout=30s']);
    await applyThings(context, [tap('tap', LATER)]);
    const after = await expectPort(context, TAP, ({ spec }) => spec.owner.uid !== before.spec.owner.uid);
    expect([after.metadata.uid, after.spec.ips, after.spec.mac]).toEqual([
      before.metadata.uid,
      before.spec.ips,
      before.spec.mac,
    ]);
    expect(await stream).toContain('30 packets transmitted, 30 packets received');
  });
});

describe('another network for a stopped VM', () => {
  it('is taken at once: subnet of the first NIC, NAD of the second', async () => {
    await expectPort(context, KEPT, ({ spec }) => spec.subnet === 'default' && spec.ips.length === 1);
    await expectPort(context, KEPT, ({ spec }) => spec.subnet === 'guests-one', 'extra');
    await annotateTemplate(context, KEPT, ON_NET);
    const networks = [
      { name: 'default', pod: {} },
      { name: 'extra', multus: { networkName: 'two' } },
    ];
    await patchThing(context, ['-n', NAMESPACE, 'vm', 'kept'], { spec: { template: { spec: { networks } } } });
    const first = await expectPort(context, KEPT, ({ spec }) => spec.subnet === 'guests-net');
    const second = await expectPort(context, KEPT, ({ spec }) => spec.subnet === 'guests-two', 'extra');
    expect(first.spec.ips).toEqual([expect.stringMatching(/^10\.51\.0\./), expect.stringMatching(/^fd00:51::/)]);
    expect(second.spec.ips).toEqual([expect.stringMatching(/^10\.53\.0\./)]);
  });
});

describe('a VM that is deleted with the policy Retain', () => {
  const ours = { running: false, nads: { extra: 'two' }, annotations: { ...RETAIN, ...ON_NET } };

  it('leaves its address to nobody else', async () => {
    const { spec } = await expectPort(context, KEPT, () => true);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'vm', 'kept', '--timeout=60s']);
    const port = await expectPort(context, KEPT, ({ status }) => status?.phase === 'Released');
    expect(port.spec).toMatchObject({ ips: spec.ips, mac: spec.mac });
    await applyThings(context, [formatWebPod({ namespace: NAMESPACE, name: 'thief', annotations: asking(spec.ips) })]);
    expect(await expectEvent(context, NAMESPACE, 'thief', 'AddressInUse')).toContain(spec.ips[0]);
    await kubectl(context.lab, ['-n', NAMESPACE, 'delete', 'pod', 'thief']);
  });

  it('is followed by one of its name only when that says so, with the same IP and MAC', async () => {
    const before = (await expectPort(context, KEPT, () => true)).spec;
    await applyThings(context, [formatMachine({ ...KEPT, ...ours })]);
    expect(await expectEvent(context, NAMESPACE, 'kept', 'AddressRetained')).toContain('mooring.dev/adopt');
    expect((await expectPort(context, KEPT, () => true)).status.phase).toBe('Released');
    await annotateTemplate(context, KEPT, { 'mooring.dev/adopt': 'true' });
    await expectPort(context, KEPT, ({ status }) => status?.phase !== 'Released');
    await setRunning(context, KEPT, true);
    await expectGuest(context, KEPT);
    const after = (await expectPort(context, KEPT, ({ status }) => status?.phase === 'Bound')).spec;
    expect([after.ips, after.mac]).toEqual([before.ips, before.mac]);
    expect(after.owner.uid).not.toBe(before.owner.uid);
    expect(await inGuest(context, KEPT, 'ip addr show eth0')).toContain(String(before.mac));
    expect((await answers(before.ips))[0]).toBe(true);
  });
});
