import { describe, expect, test } from 'vitest';
import { formatNodeNetwork, NODE_NETWORK_ANNOTATION, type NodeNetwork } from '../../api/node-network.ts';
import { createNodeGateway, planNodePorts } from './node-gateway.ts';
import { createFakeWorld } from './testing/fake-context.ts';

const network: NodeNetwork = {
  nodeIp: '100.64.0.5/16',
  nodeMac: '0a:58:64:40:00:05',
  gatewayIp: '100.64.0.2',
  gatewayMac: '0a:58:64:40:00:02',
  routerIp: '100.64.0.1',
  podCidrs: ['10.16.0.0/16', '10.17.0.0/16'],
  masqueradeCidrs: ['10.16.0.0/16'],
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
            addresses: ['100.64.0.2/32'],
            routes: [],
            disableTxChecksum: false,
          },
          {
            name: 'mo0',
            mac: '0a:58:64:40:00:05',
            mtu: 1400,
            addresses: ['100.64.0.5/16'],
            routes: [
              { dst: '10.16.0.0/16', gw: '100.64.0.1' },
              { dst: '10.17.0.0/16', gw: '100.64.0.1' },
            ],
            disableTxChecksum: false,
          },
        ],
        forwarding: { ipv4: true, ipv6: false },
        masquerade: { sources: ['10.16.0.0/16'], exceptInterfaces: ['gw0', 'mo0'] },
      },
    });
  });

  test('in user space the sender does its checksums', () => {
    const { configure } = planNodePorts('n1', network, true);
    expect(configure.ports.map((port) => port.disableTxChecksum)).toEqual([true, true]);
  });

  test('IPv6 has its own host prefix and forwarding', () => {
    const six = {
      ...network,
      nodeIp: 'fd64::5/64',
      gatewayIp: 'fd64::2',
      routerIp: 'fd64::1',
      podCidrs: ['fd10::/64'],
    };
    const { configure } = planNodePorts('n1', six, false);
    expect(configure.ports[0]?.addresses).toEqual(['fd64::2/128']);
    expect(configure.forwarding).toEqual({ ipv4: false, ipv6: true });
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
