import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatNodeLabel } from '../../api/names.ts';
import { NODE_NETWORK_ANNOTATION, parseNodeNetwork } from '../../api/node-network.ts';
import type { Subnet } from '../../api/types.gen.ts';
import type { KubeObject } from '../../kube/types.ts';
import { allocateNode, allocateVpc, planNode } from '../../plan/networks/node.ts';
import { planSubnets } from '../../plan/networks/subnet.ts';
import { planVpc } from '../../plan/networks/vpc.ts';
import { createJoinPool, planJoin, type Settings } from '../../plan/settings.ts';
import { eventually, PORTS } from './testing/berths.ts';
import { NODE, startTestNode, type TestNode, type TestPod } from './testing/node.ts';
import { run } from './testing/processes.ts';

/**
 * Real packets over a node's gateway, as the operator's own plans make it: the default VPC with both families, and two
 * VPCs that have the same CIDRs. Beyond the node is a host that knows of no pod.
 */
const join = planJoin('100.64.0.0/16,fd00:100:64::/112');
if (!join.ok) throw new Error('fixture');
const settings: Settings = {
  cluster: 'c',
  join: join.value,
  mtu: 1400,
  defaultVpc: 'default',
  defaultSubnet: 'default',
  primary: true,
};
const SUBNETS = [
  { name: 'default', vpc: 'default', cidrs: ['10.16.0.0/16', 'fd10::/64'], gateways: ['10.16.0.1/16', 'fd10::1/64'] },
  { name: 'blue', vpc: 'blue', cidrs: ['10.99.0.0/24', 'fd99::/64'], gateways: ['10.99.0.1/24', 'fd99::1/64'] },
  { name: 'red', vpc: 'red', cidrs: ['10.99.0.0/24', 'fd99::/64'], gateways: ['10.99.0.1/24', 'fd99::1/64'] },
] as const;
const OUTSIDE = { name: `mct-out-${process.pid}`, ips: ['198.18.5.1', 'fd55::1'], node: ['198.18.5.2', 'fd55::2'] };
const NODE_IPS = ['100.64.0.3', 'fd00:100:64::3'];

type Berth = { readonly pod: TestPod; readonly ips: readonly [string, string] };

let node: TestNode;
let inside: Berth;
let blue: Berth;
let red: Berth;

beforeAll(async () => {
  node = await startTestNode();
  await connectOutside();
  await programNetworks();
  await node.startAgent();
  await eventually('ready', async () => (await askStatus()).exit === 0);
  inside = await attach('inside', 'default', ['10.16.0.50', 'fd10::50']);
  blue = await attach('blue', 'blue', ['10.99.0.5', 'fd99::5']);
  red = await attach('red', 'red', ['10.99.0.6', 'fd99::6']);
});
afterAll(async () => {
  await node.stop();
  await run(['ip', 'netns', 'delete', OUTSIDE.name]).catch(() => undefined);
});

async function askStatus() {
  const pod = { name: 'x', uid: 'x', containerId: 'x', netns: 'x' };
  const env = { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '', CNI_ARGS: '' };
  return node.cni({ command: 'STATUS', pod, env, config: { cniVersion: '1.1.0', name: 'mooring', type: 'mooring' } });
}

async function connectOutside(): Promise<void> {
  await run(['ip', 'netns', 'add', OUTSIDE.name]);
  await node.exec(
    undefined,
    'ip',
    'link',
    'add',
    'uplink',
    'type',
    'veth',
    'peer',
    'name',
    'out0',
    'netns',
    OUTSIDE.name,
  );
  const sides: [string | undefined, string, readonly string[]][] = [
    [undefined, 'uplink', OUTSIDE.node],
    [OUTSIDE.name, 'out0', OUTSIDE.ips],
  ];
  for (const [netns, device, [four, six]] of sides) {
    await node.exec(netns, 'ip', 'addr', 'add', `${four}/24`, 'dev', device);
    await node.exec(netns, 'ip', 'addr', 'add', `${six}/64`, 'dev', device, 'nodad');
    await node.exec(netns, 'ip', 'link', 'set', device, 'up');
  }
}

/** What the operator plans, brought into NB and onto the Node. */
async function programNetworks(): Promise<void> {
  const pool = createJoinPool(settings.join);
  const own = must(allocateNode(pool, NODE));
  const vpcs = ['blue', 'red'].map((name) => ({ name, lease: must(allocateVpc(pool, name, settings)) }));
  const plans = [planVpc('default', settings), ...vpcs.map(({ name, lease }) => planVpc(name, settings, lease))];
  const subnets = [...planSubnets(SUBNETS.map(formatSubnet), settings, new Set(['blue', 'red'])).values()];
  const { annotation, port } = planNode({ metadata: { name: NODE } }, own, { subnets, vpcs }, settings);
  const commands = plans.flatMap((plan) => [
    ...plan.switches.map(({ name }) => ['ls-add', name]),
    ...plan.routers.map(({ name }) => ['lr-add', name]),
    ...plan.routerPorts.map(({ router, name, mac, networks }) => ['lrp-add', router, name, mac, ...networks]),
    ...plan.routes.map(({ router, ipPrefix, nexthop }) => ['lr-route-add', router, ipPrefix, nexthop]),
  ]);
  for (const command of commands) await node.ovn.nbctl(...command);
  for (const row of [...plans.flatMap((plan) => plan.ports), port]) {
    await node.ovn.nbctl('lsp-add', row.switch, row.name, '--', 'lsp-set-addresses', row.name, ...row.addresses);
    if (row.type !== '') await node.ovn.nbctl('lsp-set-type', row.name, row.type);
    for (const [key, value] of row.options) await node.ovn.nbctl('lsp-set-options', row.name, `${key}=${value}`);
  }
  await Promise.all(SUBNETS.map(programSubnet));
  const annotations = { [NODE_NETWORK_ANNOTATION]: annotation };
  expect(parseNodeNetwork(annotation)).toMatchObject({
    ok: true,
    network: { nodeIps: [`${NODE_IPS[0]}/16`, `${NODE_IPS[1]}/112`] },
  });
  await node.put('v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, annotations } } as KubeObject);
}

function formatSubnet({ name, vpc, cidrs }: (typeof SUBNETS)[number]): Subnet {
  const spec = { vpc, cidrBlock: cidrs.join(), mtu: 1400 };
  return { apiVersion: 'mooring.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec };
}

async function programSubnet(subnet: (typeof SUBNETS)[number]): Promise<void> {
  const { name, vpc, gateways } = subnet;
  await node.put('mooring.dev/v1alpha1/subnets', formatSubnet(subnet) as KubeObject);
  const [port, cable] = [`vpc/${vpc}/subnet/${name}`, `subnet/${name}/vpc/${vpc}`];
  const mac = `0a:00:00:00:00:${(0x10 + SUBNETS.indexOf(subnet)).toString(16)}`;
  await node.ovn.nbctl('ls-add', `subnet/${name}`, '--', 'lrp-add', `vpc/${vpc}`, port, mac, ...gateways);
  await node.ovn.nbctl('lsp-add', `subnet/${name}`, cable, '--', 'lsp-set-type', cable, 'router');
  await node.ovn.nbctl('lsp-set-addresses', cable, 'router', '--', 'lsp-set-options', cable, `router-port=${port}`);
}

function must<T>(result: { ok: true; value: T } | { ok: false; problem: { message: string } }): T {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

/** A pod with its port in API and NB, attached by ADD. */
async function attach(name: string, subnet: string, ips: readonly [string, string]): Promise<Berth> {
  const pod = await node.addPod(name);
  const mac = `02:00:00:00:00:${(Number(ips[0].split('.')[3]) % 256).toString(16).padStart(2, '0')}`;
  const attachments = [{ podName: name, podUID: pod.uid, node: NODE, interface: 'eth0', role: 'Source' }];
  const port = await node.put(PORTS, {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { name: `${name}.eth0.pod`, namespace: 'default', labels: { [formatNodeLabel(NODE)]: '' } },
    spec: { owner: { kind: 'Pod', name, uid: pod.uid }, nic: 'eth0', subnet, ips, mac, attachments },
  } as KubeObject);
  const lsp = `pod/default/${name}/eth0`;
  const options = [`requested-chassis=${NODE}`, `iface-id-ver=${port.metadata?.uid}`];
  await node.ovn.nbctl(
    ...['lsp-add', `subnet/${subnet}`, lsp, '--', 'lsp-set-addresses', lsp, [mac, ...ips].join(' '), '--'],
    ...['lsp-set-options', lsp, ...options],
  );
  expect(await node.cni({ command: 'ADD', pod })).toMatchObject({ exit: 0 });
  return { pod, ips };
}

/** Whether one of three pings is answered. */
const reaches = async (netns: string | undefined, ip: string): Promise<boolean> =>
  node.exec(netns, 'busybox', 'ping', '-c', '3', '-i', '0.3', '-W', '1', ip).then(
    () => true,
    () => false,
  );

/** Packets that have come in by one of the node's interfaces. */
const countReceived = async (device: string): Promise<number> =>
  JSON.parse(await node.exec(undefined, 'ip', '-j', '-s', 'link', 'show', 'dev', device))[0].stats64.rx.packets;

const countDropped = async (family: string, chain: string): Promise<number> => {
  const text = await node.exec(undefined, 'nft', 'list', 'chain', family, 'mooring', chain);
  return Number(/counter packets (\d+) bytes \d+ drop/.exec(text)?.[1]);
};

test('pods of the default VPC reach the outside in both families, and it answers one that it has no route to', async () => {
  const before = await countReceived('gw0');
  for (const ip of OUTSIDE.ips) expect([ip, await reaches(inside.pod.netns, ip)]).toEqual([ip, true]);
  expect(await countReceived('gw0')).toBeGreaterThan(before + 3);
  for (const ip of NODE_IPS) expect([ip, await reaches(inside.pod.netns, ip)]).toEqual([ip, true]);
});

test('the node reaches its pods in two VPCs with the same CIDRs, and each is the right one', async () => {
  for (const { pod, ips } of [blue, red]) {
    for (const ip of ips) {
      expect([ip, await reaches(undefined, ip)]).toEqual([ip, true]);
      const address = await node.exec(pod.netns, 'ip', '-br', 'addr', 'show', 'eth0');
      expect(address).toContain(`${ip}/`);
    }
  }
});

test('of two pods with one address the older keeps the route; when it goes, the other gets it', async () => {
  const gatewayOf = async () => /via (\S+)/.exec(await node.exec(undefined, 'ip', 'route', 'show', '10.99.0.7'))?.[1];
  const first = await attach('twin-a', 'blue', ['10.99.0.7', 'fd99::7']);
  await eventually('route', async () => (await gatewayOf()) !== undefined);
  const way = await gatewayOf();
  const second = await attach('twin-b', 'red', ['10.99.0.7', 'fd99::7']);
  await eventually('told', async () =>
    (await node.readLog()).some(({ port, note }) => port === 'default/twin-b.eth0.pod' && /older/.test(String(note))),
  );
  expect(await gatewayOf()).toBe(way);
  expect(await reaches(undefined, '10.99.0.7')).toBe(true);
  await node.cni({ command: 'DEL', pod: first.pod });
  await node.remove(PORTS, 'default/twin-a.eth0.pod');
  await eventually('the other router', async () => (await gatewayOf()) !== undefined && (await gatewayOf()) !== way);
  expect(await reaches(undefined, '10.99.0.7')).toBe(true);
  await node.cni({ command: 'DEL', pod: second.pod });
  await node.remove(PORTS, 'default/twin-b.eth0.pod');
  await eventually('no route', async () => (await gatewayOf()) === undefined);
  await eventually(
    'no route of IPv6, which goes after it',
    async () => !(await node.exec(undefined, 'ip', '-6', 'route')).includes('fd99::7'),
  );
});

test('a pod of a VPC opens no connection to the node, nor by it to anywhere', async () => {
  const before = await Promise.all(['ip', 'ip6'].map((family) => countDropped(family, 'prerouting')));
  const targets = [...NODE_IPS, '100.64.0.2', 'fd00:100:64::2', ...OUTSIDE.ips, ...inside.ips];
  const reached = await Promise.all(targets.map((ip) => reaches(blue.pod.netns, ip)));
  expect(targets.filter((_, index) => reached[index])).toEqual([]);
  const after = await Promise.all(['ip', 'ip6'].map((family) => countDropped(family, 'prerouting')));
  expect(after.map((count, index) => count - (before[index] ?? 0) > 0)).toEqual([true, true]);
  expect(await reaches(undefined, blue.ips[0])).toBe(true);
});

test('neither a pod of another VPC nor the outside gets into a VPC by the node', async () => {
  await node.exec(OUTSIDE.name, 'ip', 'route', 'add', '10.99.0.0/24', 'via', OUTSIDE.node[0] ?? '');
  await node.exec(OUTSIDE.name, 'ip', 'route', 'add', 'fd99::/64', 'via', OUTSIDE.node[1] ?? '');
  const watch =
    'table inet watch { chain in { type filter hook input priority 0; icmp type echo-request counter; icmpv6 type echo-request counter; }; }';
  await node.exec(blue.pod.netns, 'nft', watch);
  const tries = blue.ips.flatMap((ip) => [OUTSIDE.name, inside.pod.netns].map((from) => reaches(from, ip)));
  expect(await Promise.all(tries)).toEqual([false, false, false, false]);
  expect(await node.exec(blue.pod.netns, 'nft', 'list', 'table', 'inet', 'watch')).not.toMatch(/packets [1-9]/);
  expect(await countDropped('ip', 'forward')).toBeGreaterThan(0);
  expect(await countDropped('ip6', 'forward')).toBeGreaterThan(0);
});

test('what a centralized subnet sends to the node by its own address leaves there masqueraded, and answers return', async () => {
  const policies = [
    ['31000', 'ip4.dst == {10.16.0.0/16, 100.64.0.0/16}', 'allow'],
    ['31000', 'ip6.dst == {fd10::/64, fd00:100:64::/112}', 'allow'],
    ['29000', 'ip4.src == 10.16.0.0/16', 'reroute', NODE_IPS[0] ?? ''],
    ['29000', 'ip6.src == fd10::/64', 'reroute', NODE_IPS[1] ?? ''],
  ];
  for (const policy of policies) await node.ovn.nbctl('lr-policy-add', 'vpc/default', ...policy);
  await node.ovn.nbctl('--wait=hv', 'sync');
  const before = { gw0: await countReceived('gw0'), mo0: await countReceived('mo0') };
  for (const ip of OUTSIDE.ips) expect([ip, await reaches(inside.pod.netns, ip)]).toEqual([ip, true]);
  expect(await countReceived('mo0')).toBeGreaterThan(before.mo0 + 3);
  expect(await countReceived('gw0')).toBe(before.gw0);
});

test('what the node tells of its uplink arrives at its chassis', async () => {
  await node.ovn.vsctl('set', 'Open_vSwitch', '.', 'external_ids:ovn-cms-options="mooring-mtu=1400,x=1"');
  await eventually('the chassis', async () =>
    (await node.ovn.sbctl('get', 'Chassis', NODE, 'other_config:ovn-cms-options').catch(() => '')).includes(
      'mooring-mtu=1400,x=1',
    ),
  );
});
