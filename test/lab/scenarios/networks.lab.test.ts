import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyThings, type Context, expectSoon, getThing, startChild, type Thing } from '../demo/context.ts';
import { kubectl } from '../kubectl.ts';
import { findProcess, signalProcess } from '../process.ts';
import { asks, expectReady, formatSubnet, formatVpc, formatWebPod, patchThing, pings, removeAll } from './things.ts';
import { closeNamespace, expectCondition, openNamespace, openWorld } from './world.ts';

const NAMESPACE = 'nets';
const SUBNETS = ['nets-vault', 'nets-friend', 'nets-exit', 'nets-red', 'nets-blue', 'nets-clash', 'nets-six'];
const VPCS = ['nets-red', 'nets-blue'];
const SHARED = '10.44.0.10';
const MIRROR = 8099;
/** Plain connections are enough: a kubelet answers a request without TLS with a line that says so. */
const KUBELET = 10250;
const NODES = ['node1', 'node2', 'node3'] as const;
/** Name, subnet, node, and what else is asked for; all of them are judged by their kubelet's probes. */
const PODS = [
  ['vault', 'nets-vault', 'node1', {}],
  ['friend', 'nets-friend', 'node2', {}],
  ['stranger', 'default', 'node3', {}],
  ['exit1', 'nets-exit', 'node1', {}],
  ['exit2', 'nets-exit', 'node2', {}],
  ['exit3', 'nets-exit', 'node3', {}],
  ['red', 'nets-red', 'node1', { 'ovn.kubernetes.io/ip_address': SHARED }],
  ['blue', 'nets-blue', 'node2', { 'ovn.kubernetes.io/ip_address': SHARED }],
  ['six', 'nets-six', 'node3', {}],
  ['red-peer', 'nets-red', 'node3', { 'ovn.kubernetes.io/ip_address': '10.44.0.20' }],
] as const;

let context: Context;
let pods: Map<string, Thing>;
let mirror: ReturnType<typeof startChild>;

const pod = (name: string) => ({ namespace: NAMESPACE, name });
const ipsOf = (name: string): string[] =>
  ((pods.get(name)?.status.podIPs ?? []) as { ip: string }[]).map(({ ip }) => ip);
const ipOf = (name: string): string => ipsOf(name)[0] ?? '';

/** A server in the outside world that says by which address a connection came. */
function startMirror(): ReturnType<typeof startChild> {
  const script = `require('node:net').createServer((s) => { s.on('error', () => {}); s.end(s.remoteAddress + '\\n'); }).listen(${MIRROR}, '::', () => console.log('ready'))`;
  return startChild(context, ['ip', 'netns', 'exec', context.lab.outside.netns, process.execPath, '-e', script]);
}

/** By which address the outside world sees a pod; empty when nothing comes through. */
const seenAs = async (name: string, target: string): Promise<string> =>
  (await asks(context, pod(name), target, { port: MIRROR })).replace('::ffff:', '');

const mgmtIp = (node: string): string => context.lab.nodes.find(({ name }) => name === node)?.mgmtIp ?? '';
const mgmtIp6 = (node: string): string => context.lab.nodes.find(({ name }) => name === node)?.mgmtIp6 ?? '';

async function tidy(): Promise<void> {
  await closeNamespace(context, NAMESPACE);
  await removeAll(context, 'subnets.mooring.dev', SUBNETS);
  await removeAll(context, 'vpcs.mooring.dev', VPCS);
}

beforeAll(async () => {
  context = await openWorld();
  await tidy();
  await openNamespace(context, NAMESPACE);
  mirror = startMirror();
  await once(mirror.stdout ?? mirror, 'data');
  await applyThings(context, [
    ...VPCS.map((name) => formatVpc(name, { namespaces: [NAMESPACE] })),
    formatSubnet('nets-vault', {
      cidrBlock: '10.41.0.0/24,fd00:41::/64',
      private: true,
      allowSubnets: ['10.42.0.0/24'],
    }),
    formatSubnet('nets-friend', { cidrBlock: '10.42.0.0/24,fd00:42::/64' }),
    formatSubnet('nets-exit', {
      cidrBlock: '10.43.0.0/24,fd00:43::/64',
      gatewayType: 'centralized',
      gatewayNode: 'node1,node2',
    }),
    formatSubnet('nets-six', { cidrBlock: 'fd00:46::/64' }),
    formatSubnet('nets-red', { vpc: 'nets-red', cidrBlock: '10.44.0.0/24' }),
    formatSubnet('nets-blue', { vpc: 'nets-blue', cidrBlock: '10.44.0.0/24' }),
    formatSubnet('nets-clash', { vpc: 'nets-red', cidrBlock: '10.42.0.0/24' }),
    ...PODS.map(([name, subnet, node, more]) =>
      formatWebPod({
        namespace: NAMESPACE,
        name,
        node,
        probed: true,
        annotations: { 'ovn.kubernetes.io/logical_switch': subnet, ...more },
      }),
    ),
  ]);
  const names = PODS.map(([name]) => name);
  pods = await expectReady(context, NAMESPACE, names);
});

afterAll(async () => {
  mirror.kill('SIGKILL');
  await tidy();
});

describe('a private subnet', () => {
  it('lets its kubelet probe, as its pod is Ready', () => {
    expect(ipsOf('vault')).toHaveLength(2);
  });

  it('is closed to a foreign subnet, and open in the family that allowSubnets names', async () => {
    const [four = '', six = ''] = ipsOf('vault');
    const foreign = [asks(context, pod('stranger'), four), asks(context, pod('friend'), six)];
    expect(await asks(context, pod('friend'), four)).toContain('vault');
    expect(await Promise.all(foreign)).toEqual(['', '']);
  });

  it('begins connections itself and gets the answers, inside and outside', async () => {
    expect(await asks(context, pod('vault'), ipOf('stranger'))).toContain('stranger');
    expect(await asks(context, pod('vault'), ipsOf('friend')[1] ?? '')).toContain('friend');
    expect(await seenAs('vault', context.lab.outside.address)).toBe(mgmtIp('node1'));
  });
});

describe('the way out', () => {
  it('of a dual-stack subnet leaves by the own node in both families', async () => {
    const { address, address6 } = context.lab.outside;
    expect(await pings(context, pod('friend'), address6)).toBe(true);
    expect([await seenAs('friend', address), await seenAs('friend', address6)]).toEqual([
      mgmtIp('node2'),
      mgmtIp6('node2'),
    ]);
  });

  it('of a subnet with IPv6 alone leaves by the own node, and leads to dual-stack pods', async () => {
    expect(ipsOf('six')).toEqual([expect.stringMatching(/^fd00:46::/)]);
    expect(await seenAs('six', context.lab.outside.address6)).toBe(mgmtIp6('node3'));
    expect(await asks(context, pod('six'), ipsOf('friend')[1] ?? '')).toContain('friend');
  });

  it('of a centralized subnet leaves by the first of the chosen nodes, wherever the pod is', async () => {
    await expectGateway('node1');
    expect(await lookFrom('exit1', 'exit2', 'exit3')).toEqual([mgmtIp('node1'), mgmtIp('node1'), mgmtIp('node1')]);
    expect(await seenAs('exit3', context.lab.outside.address6)).toBe(mgmtIp6('node1'));
    expect(await asks(context, pod('exit3'), ipOf('stranger'))).toContain('stranger');
  });

  it('changes over to the second node when the first is no longer Ready, and back', async () => {
    const kubelet = findProcess(context.lab.dir, 'kubelet-node1');
    if (kubelet === undefined) throw new Error('node1 has no kubelet');
    signalProcess(kubelet, 'SIGSTOP');
    try {
      await markUnready('node1');
      await expectGateway('node2');
      // The pod on node1 cannot be entered: its kubelet is frozen.
      await expectSoon('the pods of the subnet leaving by node2', 10, async () =>
        (await lookFrom('exit2', 'exit3')).every((ip) => ip === mgmtIp('node2')) ? true : undefined,
      );
    } finally {
      signalProcess(kubelet, 'SIGCONT');
    }
    await expectGateway('node1');
    await expectSoon('the way back by node1', 10, async () =>
      (await lookFrom('exit3'))[0] === mgmtIp('node1') ? true : undefined,
    );
  });
});

describe('a centralized subnet without a node that could carry its traffic', () => {
  it('says so and lets nothing out, by no other node either; inside it works', async () => {
    await patchThing(context, ['subnets.mooring.dev', 'nets-exit'], { spec: { gatewayNode: 'node9' } });
    const ready = { type: 'Ready', status: 'False', reason: 'GatewayNodeUnavailable' };
    expect(await expectCondition(context, ['subnets.mooring.dev', 'nets-exit'], ready)).toContain('node9');
    expect(await lookFrom('exit1', 'exit3')).toEqual(['', '']);
    expect(await asks(context, pod('exit3'), ipOf('stranger'))).toContain('stranger');
  });
});

const lookFrom = (...names: string[]): Promise<string[]> =>
  Promise.all(names.map((name) => seenAs(name, context.lab.outside.address)));

const expectGateway = (node: string): Promise<true> =>
  expectSoon(`${node} as the gateway of nets-exit`, 30, async () =>
    (await getThing(context, 'subnets.mooring.dev', 'nets-exit')).status?.activateGateway === node ? true : undefined,
  );

/** What the node controller writes when a kubelet has been silent for its grace period, without waiting for that. */
async function markUnready(node: string): Promise<void> {
  const { status } = await getThing(context, 'node', node);
  const conditions = (status.conditions as { type: string }[]).map((condition) =>
    condition.type === 'Ready' ? { ...condition, status: 'Unknown', reason: 'NodeStatusUnknown' } : condition,
  );
  await patchThing(context, ['node', node, '--subresource=status'], { status: { conditions } });
}

describe('two VPCs with the same addresses', () => {
  it('have pods with one address, each probed by the kubelet of its node', () => {
    expect([ipOf('red'), ipOf('blue')]).toEqual([SHARED, SHARED]);
  });

  it('reach their own pods and nobody of the other', async () => {
    expect(await asks(context, pod('red'), ipOf('red-peer'))).toContain('red-peer');
    expect(await asks(context, pod('red-peer'), SHARED)).toContain('red');
    const across = [
      asks(context, pod('blue'), ipOf('red-peer')),
      asks(context, pod('blue'), ipOf('stranger')),
      asks(context, pod('stranger'), SHARED),
    ];
    expect(await Promise.all(across)).toEqual(['', '', '']);
  });

  it('reach neither a node, by whichever address, nor the outside world', async () => {
    const answers = (await listNodeAddresses()).map(async (target) => [
      await asks(context, pod('red'), target, { port: KUBELET, seconds: 2 }),
      await pings(context, pod('red'), target, 1),
    ]);
    expect(new Set((await Promise.all(answers)).flat())).toEqual(new Set(['', false]));
    expect(await asks(context, pod('stranger'), mgmtIp('node1'), { port: KUBELET })).toContain('HTTP');
    expect(await seenAs('red', context.lab.outside.address)).toBe('');
  });

  it('of which one overlaps with the default VPC says that nodes cannot reach it', async () => {
    const message = await expectCondition(context, ['subnets.mooring.dev', 'nets-clash'], {
      type: 'Ready',
      status: 'True',
      reason: 'NotReachableFromNodes',
    });
    expect(message).toContain('10.42.0.0/24');
  });
});

/** The nodes' addresses on the management and on the join network. */
async function listNodeAddresses(): Promise<string[]> {
  const text = await kubectl(context.lab, ['get', 'nodes', '-o', 'json']);
  const nodes = (JSON.parse(text) as { items: Thing[] }).items;
  const join = nodes.map(({ metadata }) => JSON.parse(metadata.annotations?.['mooring.dev/node-network'] ?? '{}'));
  return [...NODES.map(mgmtIp), ...join.map(({ nodeIps }) => String(nodeIps[0]).replace(/\/.*/, ''))];
}
