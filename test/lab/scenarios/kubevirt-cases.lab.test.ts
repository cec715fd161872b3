import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOOK_SIDECARS, NIC_DEVICES } from '../../../src/api/annotations.ts';
import { runCommand } from '../command.ts';
import { applyThings, type Context, expectSoon, getThing, listThings, type Thing } from '../demo/context.ts';
import { RELEASE_NAMESPACE } from '../demo/install.ts';
import { startKubelet } from '../node.ts';
import { stopProcess } from '../process.ts';
import { getNode } from '../state.ts';
import {
  describeDevices,
  expectEndpoints,
  findNetns,
  formatCaseVm,
  formatService,
  getLauncher,
  guestPings,
  listReported,
  moveVm,
  PING_HEADERS,
} from './case-vms.ts';
import {
  asks,
  expectReady,
  formatNad,
  formatSubnet,
  formatWebPod,
  patchThing,
  pings,
  removeAll,
  runIn,
} from './things.ts';
import { expectGuest, expectGuest6, expectPort, inGuest, type Machine } from './vms.ts';
import { closeNamespace, expectCondition, openNamespace, openWorld } from './world.ts';

/**
 * Cases of KubeVirt's own network suite, by the numbers of docs/developers/kubevirt-cases.md: guests by bridge on the pod
 * network (two families), on a network of ours that is defined in another namespace, and a guest without a NIC.
 */
const NAMESPACE = 'cases';
const NETS = 'cases-nets';
const BIZ = `${NETS}/biz`;
const SUBNETS = ['cases-net', 'cases-biz'];
const BIZ_MTU = 1300;
const at = (name: string): Machine => ({ namespace: NAMESPACE, name });
const [LEFT, RIGHT, FIRST, NONE] = [at('left'), at('right'), at('first'), at('none')];
const [ASIDE, SET] = [at('aside'), at('set')];
const [NEAR, FAR] = [at('near'), at('far')];
const MACS = { default: '02:00:00:60:00:01', biz: '02:00:00:61:00:01' };
const LABELS = { app: 'cases' };
const READY = { type: 'Ready', status: 'True', reason: 'Ready' };
const ECHO = 7;
const CPUS = 2;

let context: Context;

async function tidy(): Promise<void> {
  await Promise.all([closeNamespace(context, NAMESPACE), closeNamespace(context, NETS)]);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await Promise.all([openNamespace(context, NAMESPACE), openNamespace(context, NETS)]);
  const [one = '', two = '', three = ''] = context.lab.nodes.map(({ name }) => name);
  await applyThings(context, [
    formatSubnet('cases-net', {
      cidrBlock: '10.60.0.0/24,fd00:60::/64',
      namespaces: [NAMESPACE],
      enableDHCP: true,
      enableIPv6RA: true,
      // Case 8: KubeVirt reports the address of a bridged guest only where its own server has it to give.
      dhcp: { server: 'KubeVirt' },
    }),
    formatSubnet('cases-biz', {
      cidrBlock: '10.61.0.0/24',
      namespaces: [NAMESPACE],
      provider: `biz.${NETS}.ovn`,
      mtu: BIZ_MTU,
    }),
    formatNad(NETS, 'biz'),
  ]);
  for (const name of SUBNETS) await expectCondition(context, ['subnets.mooring.dev', name], READY);
  await applyThings(context, [
    formatCaseVm({ ...LEFT, node: one, nics: { default: { mac: MACS.default }, biz: { nad: BIZ, mac: MACS.biz } } }),
    formatCaseVm({ ...RIGHT, node: two, cpus: CPUS, labels: LABELS, nics: { default: {}, biz: { nad: BIZ } } }),
    formatCaseVm({ ...FIRST, node: three, nics: { biz: { nad: BIZ, first: true } } }),
    formatCaseVm({ ...NONE, node: three, nics: {} }),
    formatCaseVm({ ...ASIDE, nics: { biz: { nad: BIZ } } }),
    formatCaseVm({ ...SET, annotations: await formatDevices(), nics: { default: {}, biz: { nad: BIZ } } }),
    formatWebPod({ ...NEAR, node: one }),
    formatWebPod({ ...FAR, node: three }),
    formatService(NAMESPACE, 'cases', LABELS),
  ]);
  await expectReady(context, NAMESPACE, [NEAR.name, FAR.name]);
  for (const vm of [LEFT, RIGHT]) await expectGuest6(context, vm);
});

afterAll(tidy);

/** What a hook sidecar is asked for: by a user's own entry for it, as without the webhook. */
async function formatDevices(): Promise<Record<string, string>> {
  const { spec } = await getThing(context, 'deployment', 'mooring-hook', RELEASE_NAMESPACE);
  const { image, imagePullPolicy } = spec.template.spec.containers[0];
  return {
    [HOOK_SIDECARS]: JSON.stringify([{ image, imagePullPolicy, command: ['mooring-hook'], args: ['sidecar'] }]),
    [NIC_DEVICES]: JSON.stringify({ default: { mtu: 1280 }, biz: { model: 'e1000e' } }),
  };
}

const boundPort = (vm: Machine, nic = 'default'): Promise<Thing> =>
  expectPort(context, vm, ({ status }) => status?.phase === 'Bound', nic);

async function findIps(vm: Machine, nic = 'default'): Promise<string[]> {
  return (await boundPort(vm, nic)).spec.ips;
}

describe('case 1: virtual machines by bridge on the pod network', () => {
  it('have the address of their launcher, and the MAC that was asked for', async () => {
    const { spec } = await boundPort(LEFT);
    expect(spec.mac).toBe(MACS.default);
    const { podIPs } = (await getLauncher(context, LEFT)).status;
    expect(podIPs.map(({ ip }: { ip: string }) => ip)).toEqual(spec.ips);
    const link = await inGuest(context, LEFT, 'ip addr show eth0');
    expect(link).toContain(`link/ether ${MACS.default}`);
    for (const ip of spec.ips) expect(link).toContain(`${ip}/`);
  });

  it.each([
    ['left to right', LEFT, RIGHT],
    ['right to left', RIGHT, LEFT],
  ])('reach each other across nodes in both families, %s', async (_way, from, to) => {
    for (const ip of await findIps(to)) expect(await guestPings(context, from, ip)).toBe(true);
  });
});

describe('case 1: a virtual machine with several queues', () => {
  it('has as many of them on each NIC as it has CPUs, and is the one that all others here reach', async () => {
    const nics = await listReported(context, RIGHT);
    expect([...nics.values()].map(({ queueCount }) => queueCount)).toEqual([CPUS, CPUS]);
    const devices = await describeDevices(context, RIGHT);
    expect(devices.match(/nic0: index=\d+,type=nic,/g)).toHaveLength(CPUS);
    expect(devices.match(/net0: index=\d+,type=tap,ifname=tap0/g)).toHaveLength(CPUS);
  });
});

describe('case 2: pods', () => {
  it.each([
    ['on the same node', NEAR],
    ['on another node', FAR],
  ])('%s reach the virtual machine by its pod address', async (_where, pod) => {
    const { podIPs } = (await getLauncher(context, LEFT)).status;
    for (const { ip } of podIPs) {
      expect(await pings(context, pod, ip)).toBe(true);
      expect(await asks(context, pod, ip, { port: ECHO })).toContain('GET /');
    }
  });
});

describe('case 7: the MTU of a guest', () => {
  it('is that of its launcher, and packets of that size pass to another node in both families', async () => {
    const netns = await findNetns(context, await getLauncher(context, LEFT), 'compute');
    const [link] = JSON.parse(await runCommand(['nsenter', `--net=${netns}`, 'ip', '-j', 'link', 'show', 'eth0'])) as {
      mtu: number;
    }[];
    const mtu = Number(await inGuest(context, LEFT, 'cat /sys/class/net/eth0/mtu'));
    expect(mtu).toBe(link?.mtu);
    const [v4 = '', v6 = ''] = await findIps(RIGHT);
    // The kernel sets "do not fragment" on what fits into the MTU of the link; with IPv6 nobody on the way fragments.
    expect(await guestPings(context, LEFT, v4, { size: mtu - PING_HEADERS.ping })).toBe(true);
    expect(await guestPings(context, LEFT, v6, { size: mtu - PING_HEADERS.ping6 })).toBe(true);
  });
});

describe('case 8: what KubeVirt reports of a NIC by bridge', () => {
  it('is the address of the pod', async () => {
    const { podIP } = (await getLauncher(context, LEFT)).status;
    expect((await listReported(context, LEFT)).get('default')).toMatchObject({ ipAddress: podIP, mac: MACS.default });
  });
});

describe('case 9: a Service for a virtual machine by bridge', () => {
  it('finds it by the labels of its launcher, at an address that answers', async () => {
    const [ip = ''] = await findIps(RIGHT);
    await expectEndpoints(context, { namespace: NAMESPACE, name: 'cases' }, [ip]);
    expect(await asks(context, NEAR, ip, { port: ECHO })).toContain('GET /');
  });
});

describe('case 12: a network that is defined in another namespace', () => {
  it('joins the second NICs of two virtual machines', async () => {
    const [ip = ''] = await findIps(RIGHT, 'biz');
    expect(ip).toMatch(/^10\.61\.0\./);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });

  it('joins them as well when the guest was given its address by hand', async () => {
    const [own = ''] = await findIps(LEFT, 'biz');
    const [ip = ''] = await findIps(RIGHT, 'biz');
    await inGuest(context, LEFT, `ip -4 addr flush dev eth1; ip rule del from ${own}; ip addr add ${own}/24 dev eth1`);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });

  it("can be a virtual machine's first one in place of the pod network", async () => {
    await expectGuest(context, FIRST);
    const [ip = ''] = await findIps(FIRST, 'biz');
    expect((await getLauncher(context, FIRST)).status.podIP).toBe(ip);
    expect(await inGuest(context, FIRST, 'cat /run/lease.eth0')).toContain(`ip=${ip}\n`);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });
});

describe('case 12: a virtual machine without a NIC on the pod network', () => {
  it('runs on the other network alone, and has its address there after a live migration', async () => {
    await expectGuest(context, ASIDE);
    const { spec } = await boundPort(ASIDE, 'biz');
    const [ip = ''] = spec.ips as string[];
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
    const after = await moveVm(context, ASIDE, 'aside', 'biz');
    expect([after.spec.ips, after.spec.mac]).toEqual([spec.ips, spec.mac]);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });
});

describe('case 18: the link of a NIC', () => {
  /** As the VM's owner sets it; awaits that KubeVirt says so and the guest sees it. */
  async function setLink(state: 'up' | 'down'): Promise<void> {
    const devices = { interfaces: [{ name: 'biz', bridge: {}, state }] };
    const body = { spec: { template: { spec: { domain: { devices } } } } };
    await patchThing(context, ['-n', NAMESPACE, 'vm', ASIDE.name], body);
    await expectSoon(`link ${state}`, 30, async () =>
      (await listReported(context, ASIDE)).get('biz')?.linkState === state ? true : undefined,
    );
    await expectSoon(`link ${state} in the guest`, 10, async () =>
      (await hasCarrier()) === (state === 'up') ? true : undefined,
    );
  }

  const hasCarrier = async () => (await inGuest(context, ASIDE, 'cat /sys/class/net/eth0/carrier')).startsWith('1');

  it('that is down takes the guest its traffic, over a live migration too, and leaves the port as it is', async () => {
    await expectGuest(context, ASIDE);
    const { spec } = await boundPort(ASIDE, 'biz');
    const [ip = ''] = spec.ips as string[];
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
    await setLink('down');
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1', tries: 2 })).toBe(false);
    const { spec: still } = await boundPort(ASIDE, 'biz');
    expect([still.ips, still.mac, still.attachments]).toEqual([spec.ips, spec.mac, spec.attachments]);
    const moved = await moveVm(context, ASIDE, 'linkless', 'biz');
    expect([moved.spec.ips, moved.spec.mac]).toEqual([spec.ips, spec.mac]);
    expect((await listReported(context, ASIDE)).get('biz')).toMatchObject({ linkState: 'down', mac: spec.mac });
    expect(await hasCarrier()).toBe(false);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1', tries: 2 })).toBe(false);
    await setLink('up');
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });
});

describe('a hook sidecar that a user has written', () => {
  it('sets the NICs as asked for: QEMU runs with that model, the guest with that MTU', async () => {
    await expectGuest(context, SET);
    const { spec } = await boundPort(SET, 'biz');
    const devices = await describeDevices(context, SET);
    expect(devices).toMatch(/nic0: index=0,type=nic,model=virtio-net-pci,/);
    expect(devices).toContain(`nic1: index=0,type=nic,model=e1000e,macaddr=${spec.mac}`);
    expect(await inGuest(context, SET, 'cat /sys/class/net/eth0/mtu')).toBe('1280\n');
  });
});

describe('case 13: a second NIC', () => {
  it('has the MAC that was asked for and the MTU of its network', async () => {
    expect((await boundPort(LEFT, 'biz')).spec.mac).toBe(MACS.biz);
    expect(await inGuest(context, LEFT, 'cat /sys/class/net/eth1/address /sys/class/net/eth1/mtu')).toMatch(
      new RegExp(`${MACS.biz}\\s+${BIZ_MTU}`),
    );
  });

  it('case 15: is reported beside the first one, as what the domain and the network status say', async () => {
    const reported = await listReported(context, LEFT);
    const [ip] = await findIps(LEFT, 'biz');
    expect([...reported.keys()].toSorted()).toEqual(['biz', 'default']);
    expect(reported.get('biz')).toMatchObject({ ipAddress: ip, mac: MACS.biz, infoSource: 'domain, multus-status' });
  });
});

describe('case 14: a guest that takes another MAC', () => {
  it('is silent until it has its own again', async () => {
    const [ip = ''] = await findIps(RIGHT, 'biz');
    const take = (mac: string) => inGuest(context, LEFT, `ip link set eth1 address ${mac}; ip neigh flush dev eth1`);
    await take('02:00:00:61:00:99');
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1', tries: 3 })).toBe(false);
    await take(MACS.biz);
    expect(await guestPings(context, LEFT, ip, { nic: 'eth1' })).toBe(true);
  });
});

describe('case 4: a virtual machine that wants no NIC', () => {
  it('has none and no port of its own, and runs', async () => {
    await expectSoon('the guest without a NIC', 60, async () =>
      (await inGuest(context, NONE, 'ls /sys/class/net').catch(() => '')).trim() === 'lo' ? true : undefined,
    );
    const ports = await listThings(context, 'lp', ['-n', NAMESPACE]);
    const launcher = await getLauncher(context, NONE);
    expect(ports.filter(({ spec }) => spec.owner.name === NONE.name)).toEqual([]);
    const own = ports.find(({ spec }) => spec.owner.uid === launcher.metadata.uid);
    expect(own?.spec).toMatchObject({ nic: 'eth0', subnet: 'cases-net', owner: { kind: 'Pod' } });
  });
});

describe('case 16: a virtual machine by bridge', () => {
  it('finds nobody else at its address when it asks for duplicates', async () => {
    const [ip = ''] = await findIps(LEFT);
    expect(await inGuest(context, LEFT, `arping -D -I eth0 -c 3 ${ip}; echo code $?`)).toContain('code 0');
    expect(await inGuest(context, LEFT, 'ip -6 addr show dev eth0')).not.toMatch(/dadfailed|tentative/);
  });

  it('lives through a restart of the kubelet, reachable and with its address', async () => {
    const { nodeName } = (await getThing(context, 'vmi', LEFT.name, NAMESPACE)).status;
    const before = await getLauncher(context, LEFT);
    const [ip = ''] = await findIps(LEFT);
    const node = getNode(context.lab, nodeName);
    const stream = runIn(context, NAMESPACE, FAR.name, `ping -c 50 -i 0.2 -W 2 ${ip}`);
    await stopProcess(context.lab, `kubelet-${nodeName}`);
    await startKubelet(context.lab, node);
    expect(await stream).toContain('50 packets transmitted, 50 packets received');
    await applyThings(context, [formatWebPod({ ...at('later'), node: nodeName })]);
    await expectReady(context, NAMESPACE, ['later', before.metadata.name]);
    const after = await getLauncher(context, LEFT);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.status.podIPs).toEqual(before.status.podIPs);
    expect(after.status.containerStatuses.map(({ restartCount }: { restartCount: number }) => restartCount)).toEqual(
      before.status.containerStatuses.map(({ restartCount }: { restartCount: number }) => restartCount),
    );
  });
});
