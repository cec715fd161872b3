import { describe, expect, it } from 'vitest';
import type { Node } from '../api/objects.ts';
import type { Subnet } from '../api/types.gen.ts';
import { judgeSubnets, makeSubnet } from '../plan/networks/testing/subnets.ts';
import type { Context } from './context.ts';
import { routeNetworks } from './route-networks.ts';

type Handler = (change: { type: string; object: object; previous?: object }) => void;

/** The part of the world that networks depend on, changed by hand. */
function createScene(first: Subnet[], nodes: Node[]) {
  const subnets = new Map(first.map((subnet) => [subnet.metadata.name, subnet]));
  const handlers = new Map<string, Handler>();
  let onChassis = () => {};
  let plans = new Map(judgeSubnets(first).map((plan) => [plan.name, plan]));
  const watch = (kind: string, list: () => unknown[]) => ({
    onNews: (handler: Handler) => {
      handlers.set(kind, handler);
      return () => {};
    },
    store: { list, byIndex: () => [] },
  });
  const context = {
    world: {
      subnets: watch('subnets', () => [...subnets.values()]),
      vpcs: watch('vpcs', () => []),
      ipPools: watch('ipPools', () => []),
      nodes: watch('nodes', () => nodes),
      ports: watch('ports', () => []),
    },
    addresses: { plans: () => plans, poolPlans: () => new Map() },
    bindings: {
      onChassisChange: (handler: () => void) => {
        onChassis = handler;
        return () => {};
      },
    },
  };
  let keys = new Set<string>();
  const inbox = { add: (key: string) => void keys.add(key), addAfter: () => {} };
  routeNetworks(context as unknown as Context, inbox, () => void keys.add('wake'));
  /** The keys that an action brings. */
  const during = (act: () => void): string[] => {
    keys = new Set();
    act();
    return [...keys].sort();
  };
  return {
    update: (next: Subnet) =>
      during(() => {
        const previous = subnets.get(next.metadata.name);
        subnets.set(next.metadata.name, next);
        if (JSON.stringify(previous?.spec) !== JSON.stringify(next.spec)) {
          plans = new Map(judgeSubnets([...subnets.values()]).map((plan) => [plan.name, plan]));
        }
        handlers.get('subnets')?.({ type: 'updated', object: next, ...(previous === undefined ? {} : { previous }) });
      }),
    node: (previous: Node, object: Node) =>
      during(() => handlers.get('nodes')?.({ type: 'updated', object, previous })),
    chassis: () => during(() => onChassis()),
  };
}

const node = (name: string, ready: string, annotation = 'x'): Node => ({
  metadata: { name, annotations: { 'mooring.dev/node-network': annotation } },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
const many = Array.from({ length: 50 }, (_, index) => makeSubnet(`s${index}`, { cidrBlock: `10.1.${index}.0/24` }));
const nodes = [node('n1', 'True'), node('n2', 'True')];
const scene = (...subnets: Subnet[]) => createScene([...many, ...subnets], nodes);
const net = (spec: Subnet['spec'] | object) => makeSubnet('net', { cidrBlock: '10.9.0.0/24', ...spec });
const central = { gatewayType: 'centralized', gatewayNode: 'n1' } as const;

describe('a change of one Subnet', () => {
  it('in its status concerns nothing else', () => {
    expect(scene(net({})).update({ ...net({}), status: { v4usingIPs: 7 } })).toEqual(['subnet/net']);
  });

  it('of what guests are told concerns itself and its VPC', () => {
    expect(scene(net({})).update(net({ enableDHCP: true }))).toEqual(['subnet/net', 'vpc/default', 'wake']);
  });

  it('of its range concerns the nodes too', () => {
    const keys = ['node/n1', 'node/n2', 'subnet/net', 'vpc/default', 'wake'];
    expect(scene(net({})).update(net({ cidrBlock: '10.10.0.0/24' }))).toEqual(keys);
  });

  it('that another one waited for concerns that one', () => {
    const waiting = makeSubnet('waiting', { cidrBlock: '10.9.0.0/16' }, '2027-01-01T00:00:00Z');
    expect(scene(net({}), waiting).update(net({ cidrBlock: '10.10.0.0/24' }))).toContain('subnet/waiting');
  });

  it('to another VPC concerns both', () => {
    const keys = scene(net({})).update(net({ vpc: 'blue' }));
    expect(keys).toEqual(['node/n1', 'node/n2', 'subnet/net', 'vpc/blue', 'vpc/default', 'wake']);
  });

  it('to the first centralized one concerns all of its VPC, and the second only itself', () => {
    const other = makeSubnet('other', { cidrBlock: '10.8.0.0/24', ...central });
    expect(
      scene(net({}))
        .update(net(central))
        .filter((key) => key.startsWith('subnet/')),
    ).toHaveLength(51);
    expect(
      scene(net({}), other)
        .update(net(central))
        .filter((key) => key.startsWith('subnet/')),
    ).toEqual(['subnet/net']);
  });
});

describe('a change of a node', () => {
  it.each<[string, Node, Node, string[]]>([
    ['a heartbeat', node('n1', 'True'), node('n1', 'True'), []],
    ['no longer ready', node('n1', 'True'), node('n1', 'Unknown'), ['subnet/net']],
    ['of another node', node('n2', 'True'), node('n2', 'False'), []],
    ['its annotation', node('n1', 'True', 'x'), node('n1', 'True', 'y'), ['node/n1', 'subnet/net']],
  ])('%s', (_cause, before, now, expected) => {
    expect(scene(net(central)).node(before, now)).toEqual(expected);
  });

  it('in OVN concerns centralized subnets only', () => {
    expect(scene(net(central)).chassis()).toEqual(['subnet/net']);
    expect(scene(net({})).chassis()).toEqual([]);
  });
});
