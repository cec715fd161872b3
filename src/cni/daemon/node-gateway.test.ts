import { describe, expect, test } from 'vitest';
import { formatNodeNetwork, NODE_NETWORK_ANNOTATION, type NodeNetwork } from '../../api/node-network.ts';
import type { Subnet } from '../../api/types.gen.ts';
import type { ConfigureNodePorts } from '../../netlink/jobs.ts';
import type { Context } from './context.ts';
import { createNodeGateway, planNodePorts } from './node-gateway.ts';
import { createFakeWorld } from './testing/fake-context.ts';

const network: NodeNetwork = {
  nodeIps: ['100.64.0.5/16', 'fd00:100:64::5/112'],
  nodeMac: '0a:58:64:40:00:05',
  gatewayIps: ['100.64.0.2', 'fd00:100:64::2'],
  gatewayMac: '0a:58:64:40:00:02',
  routerIps: ['100.64.0.1', 'fd00:100:64::1'],
  podCidrs: ['10.16.0.0/16', 'fd10::/64'],
  masqueradeCidrs: ['10.16.0.0/16'],
  vpcs: [{ name: 'blue', routerIps: ['100.64.0.9', 'fd00:100:64::9'] }],
  mtu: 1400,
};

describe('the two ports of a node', () => {
  test('the gateway answers for itself alone, the node port leads to the pods', () => {
    expect(planNodePorts('n1', network, false)).toEqual({
      ports: [
        { name: 'gw0', ifaceId: 'gateway', mac: '0a:58:64:40:00:02', mtu: 1400 },
        { name: 'mo0', ifaceId: 'node/n1', mac: '0a:58:64:40:00:05', mtu: 1400 },
      ],
      configure: {
        kind: 'configureNodePorts',
        ports: [
          {
            name: 'gw0',
            mac: '0a:58:64:40:00:02',
            mtu: 1400,
            addresses: ['100.64.0.2/32', 'fd00:100:64::2/128'],
            routes: [],
            disableTxChecksum: false,
          },
          {
            name: 'mo0',
            mac: '0a:58:64:40:00:05',
            mtu: 1400,
            addresses: ['100.64.0.5/16', 'fd00:100:64::5/112'],
            routes: [
              { dst: '10.16.0.0/16', gw: '100.64.0.1' },
              { dst: 'fd10::/64', gw: 'fd00:100:64::1' },
            ],
            yieldingRoutes: [],
            disableTxChecksum: false,
          },
        ],
        forwarding: { ipv4: true, ipv6: true },
        rules: {
          sources: ['10.16.0.0/16'],
          ownPorts: ['gw0', 'mo0'],
          vpcMacPrefix: '0e',
          nodePort: 'mo0',
          routerIps: ['100.64.0.1', 'fd00:100:64::1'],
        },
      },
    });
  });

  test('in user space the sender does its checksums', () => {
    const { configure } = planNodePorts('n1', network, true);
    expect(configure.ports.map((port) => port.disableTxChecksum)).toEqual([true, true]);
  });

  test('pods without a router of their family have no route, and a node without IPv6 pods forwards none', () => {
    const four = { ...network, nodeIps: ['100.64.0.5/16'], gatewayIps: ['100.64.0.2'], routerIps: ['100.64.0.1'] };
    expect(planNodePorts('n1', four, false).configure.ports[1]?.routes).toEqual([
      { dst: '10.16.0.0/16', gw: '100.64.0.1' },
    ]);
    const { configure } = planNodePorts('n1', { ...network, podCidrs: ['10.16.0.0/16'] }, false);
    expect(configure.forwarding).toEqual({ ipv4: true, ipv6: false });
  });
});

describe('pods of other VPCs', () => {
  const start = (ip: string, reserved: string[] = [], refused: string[] = []) => {
    const world = createFakeWorld();
    const annotations = { [NODE_NETWORK_ANNOTATION]: formatNodeNetwork(network) };
    const port = { ifaceId: '', ifaceIdVer: '', containerId: '', ifname: '', installed: true, error: undefined };
    for (const name of ['gw0', 'mo0']) {
      world.ports.set(name, { ...port, name, pod: { namespace: '', name: '', uid: '' }, ifIndex: 7 });
    }
    if (world.port === undefined) throw new Error('fixture');
    world.port = { ...world.port, spec: { ...world.port.spec, ips: [ip], subnet: 'blue' } };
    world.subnet = { metadata: { name: 'blue' }, spec: { vpc: 'blue' } } as Subnet;
    const cluster = { ...world.context.cluster, findNode: () => ({ metadata: { name: 'n1', annotations } }) };
    const jobs: ConfigureNodePorts[] = [];
    const run = async (job: unknown) => {
      jobs.push(job as ConfigureNodePorts);
      return { ports: [], refused };
    };
    const links = { run } as unknown as Context['links'];
    const gateway = createNodeGateway({ ...world.context, cluster, links }, reserved);
    const ensure = async () => {
      await gateway.ensure(new AbortController().signal);
      return jobs.at(-1)?.ports[1]?.yieldingRoutes;
    };
    return { world, ensure };
  };

  test('get a host route by their own router, which goes with the port', async () => {
    const { world, ensure } = start('10.99.0.5');
    expect(await ensure()).toEqual([{ dst: '10.99.0.5/32', gw: '100.64.0.9' }]);
    world.port = undefined;
    expect(await ensure()).toEqual([]);
  });

  test('never draw the traffic for the API server to themselves', async () => {
    const { ensure } = start('10.99.0.5', ['10.99.0.5']);
    expect(await ensure()).toEqual([]);
  });

  test.each([
    ['of another node, which it reaches by its default route alone', '192.0.2.7'],
    ['of the central databases', '198.51.100.4'],
    ['where a cloud tells the node who it is', '169.254.169.254'],
  ])('never take an address %s, and are told', async (_cause, ip) => {
    const { world, ensure } = start(ip);
    world.peers.push('192.0.2.7', '198.51.100.4');
    expect(await ensure()).toEqual([]);
    expect(world.events.map(({ note }) => note)).toEqual([
      expect.stringContaining(`${ip} is an address that the node`),
    ]);
  });

  test('that the node has another route to are told of, once', async () => {
    const { world, ensure } = start('10.99.0.5', [], ['10.99.0.5/32']);
    await ensure();
    world.clock.advance(60_000);
    await ensure();
    expect(world.events.map(({ reason, note }) => `${reason}: ${note}`)).toEqual([
      'NotReachableFromNodes: the node has a route of its own that covers 10.99.0.5/32',
    ]);
  });
});

describe('the MTU for pods', () => {
  test.each([
    ['is what the operator tells the node', JSON.stringify({ ...network, mtu: 8900 }), 8900],
    ['is the usual one while the operator has told nothing', undefined, 1400],
    ['is the usual one while what it told cannot be read', '{}', 1400],
  ])('%s', (_cause, text, expected) => {
    const { context } = createFakeWorld();
    const annotations = text === undefined ? {} : { [NODE_NETWORK_ANNOTATION]: text };
    const cluster = { ...context.cluster, findNode: () => ({ metadata: { name: 'n1', annotations } }) };
    expect(createNodeGateway({ ...context, cluster }).findMtu()).toBe(expected);
  });
});

describe('the kernel gets its configuration', () => {
  const start = () => {
    const world = createFakeWorld();
    const annotations = { [NODE_NETWORK_ANNOTATION]: formatNodeNetwork(network) };
    const port = { ifaceId: '', ifaceIdVer: '', containerId: '', ifname: '', installed: true, error: undefined };
    const pod = { namespace: '', name: '', uid: '' };
    for (const name of ['gw0', 'mo0']) world.ports.set(name, { ...port, name, pod, ifIndex: 7 });
    const cluster = { ...world.context.cluster, findNode: () => ({ metadata: { name: 'n1', annotations } }) };
    const gateway = createNodeGateway({ ...world.context, cluster });
    const count = async () => {
      await gateway.ensure(new AbortController().signal);
      return world.steps.filter((step) => step === 'links.configureNodePorts').length;
    };
    return { world, gateway, count };
  };

  test('once while nothing changes', async () => {
    const { gateway, count } = start();
    expect(await count()).toBe(1);
    expect(await count()).toBe(1);
    expect(gateway.findObstacle()).toBeUndefined();
  });

  test('again after a minute: somebody may have flushed the rules or taken an address away', async () => {
    const { world, count } = start();
    await count();
    world.clock.advance(59_000);
    expect(await count()).toBe(1);
    world.clock.advance(1_000);
    expect(await count()).toBe(2);
    expect(await count()).toBe(2);
    expect(world.log.lines.filter(({ message }) => message === 'the node gateway is configured')).toHaveLength(1);
  });
});
