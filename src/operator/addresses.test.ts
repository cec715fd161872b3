import { describe, expect, it } from 'vitest';
import type { Node } from '../api/objects.ts';
import type { IPPool, LogicalPort, Subnet, Vpc } from '../api/types.gen.ts';
import { type Change, createStore, type KubeObject, keyOf } from '../kube/index.ts';
import { deriveRouterMac } from '../plan/networks/subnet.ts';
import type { Settings } from '../plan/settings.ts';
import { createAddresses } from './addresses.ts';
import type { World } from './world.ts';

/** A cache that is changed by hand, and counts who reads all of it. */
function createCache<T extends KubeObject>() {
  const store = createStore<T>({ subnet: () => [] });
  const handlers: ((change: Change<T>) => void)[] = [];
  let scans = 0;
  const tell = (changes: Change<T>[]) => {
    for (const change of changes) for (const handler of handlers) handler(change);
  };
  const counted = {
    ...store,
    list: () => {
      scans += 1;
      return store.list();
    },
  };
  return {
    watch: {
      store: counted,
      onChange: (handler: (change: Change<T>) => void) => {
        handlers.push(handler);
        return () => undefined;
      },
    },
    put: (object: T) => tell(store.set(object)),
    remove: (key: string) => {
      const change = store.delete(key);
      if (change !== undefined) tell([change]);
    },
    list: store.list,
    scans: () => scans,
  };
}

const settings = { defaultVpc: 'ovn-cluster', join: [] } as unknown as Settings;
const random = () => {
  let next = 0;
  return (length: number) => {
    next += 1;
    return Uint8Array.from({ length }, (_, index) => (next >> (8 * (length - 1 - index))) & 0xff);
  };
};

function makeWorld() {
  const ports = createCache<LogicalPort>();
  const subnets = createCache<Subnet>();
  const vpcs = createCache<Vpc>();
  const ipPools = createCache<IPPool>();
  const nodes = createCache<Node>();
  const sources = {
    nodes: nodes.watch,
    ports: ports.watch,
    subnets: subnets.watch,
    vpcs: vpcs.watch,
    ipPools: ipPools.watch,
  };
  const world = sources as unknown as World;
  return { nodes, ports, subnets, vpcs, ipPools, addresses: createAddresses(world, settings, random()) };
}
type Scene = ReturnType<typeof makeWorld>;

const makeSubnet = (
  name: string,
  spec: Partial<Subnet['spec']>,
  metadata: Partial<Subnet['metadata']> = {},
): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
  spec: { cidrBlock: '10.0.0.0/24', ...spec },
});
const makePool = (name: string, spec: IPPool['spec'], metadata: Partial<IPPool['metadata']> = {}): IPPool => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'IPPool',
  metadata: { name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
  spec,
});
type PortSpec = Partial<LogicalPort['spec']> & { age?: string };
function makePort(key: string, { age = '2026-01-01T00:00:00Z', ...spec }: PortSpec): LogicalPort {
  const [namespace = '', name = ''] = key.split('/');
  return {
    apiVersion: 'mooring.dev/v1alpha1',
    kind: 'LogicalPort',
    metadata: { namespace, name, uid: key, creationTimestamp: age },
    spec: { owner: { kind: 'Pod', name, uid: 'u' }, nic: 'eth0', subnet: 's', ips: [], mac: '', ...spec },
  };
}
const ask = ({ addresses }: Scene, holder: string, over: object = {}): string => {
  const result = addresses.allocate([{ holder, subnet: 's', ...over }]);
  return result.ok ? (result.value[0]?.ips.join() ?? '') : `${result.problem.reason}: ${result.problem.message}`;
};
const count = ({ addresses }: Scene, subnet = 's') =>
  addresses
    .counts(subnet)
    .map(({ used, available }) => `${used}/${available}`)
    .join();

describe('addresses follow the cache', () => {
  it('holds what LogicalPorts have, whether they come before their subnet or after it', () => {
    const scene = makeWorld();
    scene.ports.put(makePort('n/early', { ips: ['10.0.0.2'], mac: '02:00:00:00:00:01' }));
    scene.subnets.put(makeSubnet('s', {}));
    scene.ports.put(makePort('n/late', { ips: ['10.0.0.3'], mac: '02:00:00:00:00:02' }));
    expect(count(scene)).toBe('2/251');
    expect(ask(scene, 'n/new')).toBe('10.0.0.4');
    scene.ports.remove('n/early');
    expect(count(scene)).toBe('2/251');
    scene.ports.put(makePort('n/late', { ips: ['10.0.0.9'], mac: '02:00:00:00:00:02' }));
    expect(ask(scene, 'n/other', { ips: ['10.0.0.3'] })).toBe('10.0.0.3');
  });

  it('refuses a subnet that is missing, not usable, of a VPC that is missing, or being deleted', () => {
    const scene = makeWorld();
    expect(ask(scene, 'n/a')).toBe('SubnetNotFound: subnet s does not exist');
    scene.subnets.put(makeSubnet('s', { cidrBlock: 'x' }));
    expect(ask(scene, 'n/a')).toMatch(/^SubnetNotReady: .*"x" is not a CIDR/);
    scene.subnets.put(makeSubnet('s', { vpc: 'v' }));
    expect(ask(scene, 'n/a')).toMatch(/^SubnetNotReady: /);
    scene.vpcs.put({ apiVersion: 'mooring.dev/v1alpha1', kind: 'Vpc', metadata: { name: 'v', uid: 'v' }, spec: {} });
    expect(ask(scene, 'n/a')).toBe('10.0.0.2');
    scene.subnets.put(makeSubnet('s', { vpc: 'v' }, { deletionTimestamp: '2026-01-02T00:00:00Z' }));
    expect(ask(scene, 'n/b')).toBe('SubnetNotReady: subnet s is being deleted');
    expect(scene.addresses.isInUse('s')).toBe(true);
    scene.addresses.giveBack('s', 'n/a');
    expect(scene.addresses.isInUse('s')).toBe(false);
  });

  it('gives a reservation back, but nothing that a LogicalPort has', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    expect(ask(scene, 'n/a')).toBe('10.0.0.2');
    scene.ports.put(makePort('n/a', { ips: ['10.0.0.2'], mac: '0a:00:00:00:00:01' }));
    scene.addresses.giveBack('s', 'n/a');
    scene.addresses.forgetPending();
    expect(count(scene)).toBe('1/252');
    expect(ask(scene, 'n/b', { ips: ['10.0.0.2'] })).toBe('AddressInUse: 10.0.0.2 in subnet s is held by n/a');
  });

  it('follows IPPools at run time and leaves live addresses where they are', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', { cidrBlock: '10.0.0.0/28' }));
    scene.ports.put(makePort('n/a', { ips: ['10.0.0.5'], mac: '02:00:00:00:00:01' }));
    scene.ipPools.put(makePool('p', { subnet: 's', ips: ['10.0.0.4/30'] }));
    expect(scene.addresses.poolPlans().get('p')).toMatchObject({ usable: true, subnet: 's' });
    expect(scene.addresses.poolCounts('p')).toEqual([{ family: 4, used: 1n, available: 3n }]);
    expect(ask(scene, 'n/b', { pool: 'p' })).toBe('10.0.0.4');
    expect(ask(scene, 'n/c', { ips: ['10.0.0.6'] })).toMatch(/^PoolNotAllowed/);
    scene.ipPools.put(makePool('p', { subnet: 's', ips: ['10.0.0.4/30', '10.0.9.9'] }));
    expect(scene.addresses.poolPlans().get('p')?.problem?.message).toContain('"10.0.9.9" is not in 10.0.0.0/28');
    expect(ask(scene, 'n/d', { pool: 'p' })).toMatch(/^InvalidPool/);
    scene.ipPools.remove('p');
    expect(ask(scene, 'n/c', { ips: ['10.0.0.6'] })).toBe('10.0.0.6');
    expect(count(scene)).toBe('3/10');
  });

  it('makes no new plans for a status, and the pools keep their order', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.ipPools.put(makePool('p', { subnet: 's', ips: ['10.0.0.9'] }));
    const [plans, pools] = [scene.addresses.plans(), scene.addresses.poolPlans()];
    scene.subnets.put({ ...makeSubnet('s', {}), status: { v4usingIPs: 1 } });
    scene.ipPools.put({ ...makePool('p', { subnet: 's', ips: ['10.0.0.9'] }), status: { v4usingIPs: 1 } });
    expect(scene.addresses.plans()).toBe(plans);
    expect(scene.addresses.poolPlans()).toBe(pools);
    scene.subnets.put(makeSubnet('s', { excludeIps: ['10.0.0.2'] }));
    expect(scene.addresses.plans()).not.toBe(plans);
    expect(ask(scene, 'n/a')).toBe('10.0.0.3');
  });

  it('reads all objects once for a thousand subnets, and never again for 10,000 ports', () => {
    const scene = makeWorld();
    for (let index = 0; index < 1000; index += 1) {
      scene.subnets.put(makeSubnet(`s${index}`, { cidrBlock: `10.${index >> 8}.${index & 255}.0/24` }));
    }
    scene.subnets.put(makeSubnet('s', { cidrBlock: '10.128.0.0/16' }));
    expect(count(scene)).toBe('0/65533');
    for (let index = 0; index < 10_000; index += 1) {
      const ip = `10.128.${(index >> 8) + 1}.${index & 255}`;
      scene.ports.put(makePort(`n/p${index}`, { ips: [ip], mac: '' }));
      if (index % 3 === 0) scene.ports.remove(`n/p${index}`);
      if (index % 100 === 0) {
        scene.addresses.isInUse('s');
        scene.addresses.listOlderRivals(makePort(`n/p${index}`, { ips: [ip] }));
        scene.addresses.giveBack('s', `n/q${index}`);
        ask(scene, `n/q${index}`);
      }
    }
    expect([scene.subnets.scans(), scene.ports.scans()]).toEqual([1, 0]);
  });
});

describe('what several subnets have in common', () => {
  it('the MACs of one VLAN or of one network of another plugin, not those of subnets of ours', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.subnets.put(makeSubnet('t', { cidrBlock: '10.1.0.0/24', provider: 'net.ns.ovn' }));
    scene.subnets.put(makeSubnet('m', { cidrBlock: '10.2.0.0/24', provider: 'mac.ns' }));
    scene.subnets.put(makeSubnet('n', { cidrBlock: '10.3.0.0/24', provider: 'mac.ns' }));
    const mac = '02:00:00:00:00:01';
    expect(ask(scene, 'n/a', { mac })).toBe('10.0.0.2');
    expect(ask(scene, 'n/b', { mac, subnet: 't' })).toBe('10.1.0.2');
    expect(ask(scene, 'n/c', { mac, subnet: 'm' })).toBe('10.2.0.2');
    expect(ask(scene, 'n/d', { mac, subnet: 'n' })).toMatch(/^AddressInUse/);
  });

  it('nothing, when one is a network of another plugin with the same CIDR', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.subnets.put(makeSubnet('m', { provider: 'mac.ns' }));
    expect(ask(scene, 'n/a', { ips: ['10.0.0.9'] })).toBe('10.0.0.9');
    expect(ask(scene, 'n/b', { ips: ['10.0.0.9'], subnet: 'm' })).toBe('10.0.0.9');
  });
});

describe('rivals', () => {
  it('F32: of 20 LogicalPorts with one address, in whatever order they come, only the oldest has no older rival', () => {
    for (let round = 0; round < 20; round += 1) {
      const scene = makeWorld();
      scene.subnets.put(makeSubnet('s', {}));
      const ports = Array.from({ length: 20 }, (_, index) =>
        makePort(`n${(index * 13) % 20}/vm`, {
          ips: ['10.0.0.9'],
          mac: `02:00:00:00:00:${10 + index}`,
          age: `2026-01-01T00:00:${10 + ((index * 7) % 20)}Z`,
        }),
      );
      for (let index = 0; index < ports.length; index += 1) {
        const port = ports[(index * 3 + round) % 20];
        if (port !== undefined) scene.ports.put(port);
      }
      const winners = ports.filter((port) => scene.addresses.listOlderRivals(port).length === 0);
      expect(winners.map(keyOf)).toEqual(['n0/vm']);
      expect(ports.every((port) => scene.addresses.listRivals(port).length === 19)).toBe(true);
    }
  });

  it('the MAC of the router is older than anything, and what foreign rows have never is', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.addresses.holdForeign([{ subnet: 's', name: 'x', lease: { ips: ['10.0.0.9'], mac: '' } }]);
    const taken = makePort('n/a', { ips: ['10.0.0.9'], mac: '02:00:00:00:00:01' });
    scene.ports.put(taken);
    expect(scene.addresses.listRivals(taken)).toEqual(['ovn:x']);
    expect(scene.addresses.listOlderRivals(taken)).toEqual([]);
    const router = makePort('n/b', { ips: ['10.0.0.10'], mac: deriveRouterMac('ovn-cluster', 's') });
    scene.ports.put(router);
    expect(scene.addresses.listOlderRivals(router)).toEqual(['router']);
  });

  it('are not those who take turns with a MAC, unless they have an address in common', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    const make = (key: string, n: number, more: object = {}) => {
      const owner = { kind: 'VirtualMachine' as const, name: key.slice(2), uid: key };
      const port = makePort(key, { ips: [`10.0.0.${n}`], mac: '02:00:00:00:00:07', owner, ...more });
      scene.ports.put(port);
      return port;
    };
    const port = make('n/a', 9);
    make('n/b', 10);
    make('m/c', 11);
    make('n/d', 12, { ipamOnly: true });
    make('n/e', 9);
    make('n/f', 13, { owner: { kind: 'Pod', name: 'f', uid: 'f' } });
    make('n/g', 14, { owner: { kind: 'VirtualMachine', name: 'a', uid: 'n/a' } });
    expect(scene.addresses.listMacPartners(port).map(keyOf)).toEqual(['n/b', 'n/e']);
    expect(scene.addresses.listRivals(port)).toEqual(['m/c', 'n/d', 'n/e', 'n/f', 'n/g']);
    scene.ports.remove('n/b');
    expect(scene.addresses.listMacPartners(port).map(keyOf)).toEqual(['n/e']);
  });

  it('of a port that the cache does not have yet are those of the address that it is written with', () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.ports.put(makePort('n/old', { ips: ['10.0.0.9'] }));
    const written = makePort('n/new', { ips: ['10.0.0.9'], age: '2026-01-02T00:00:00Z' });
    expect(scene.addresses.listOlderRivals(written)).toEqual(['n/old']);
  });
});

describe('F38 a change of address', () => {
  const begin = () => {
    const scene = makeWorld();
    scene.subnets.put(makeSubnet('s', {}));
    scene.subnets.put(makeSubnet('t', { cidrBlock: '10.1.0.0/24' }));
    scene.ports.put(makePort('n/vm', { ips: ['10.0.0.9'], mac: '02:00:00:00:00:01' }));
    const lease = scene.addresses.reserveChange({ holder: 'n/vm', subnet: 't' });
    expect(lease).toMatchObject({ value: { ips: ['10.1.0.2'], mac: '02:00:00:00:00:01' } });
    return scene;
  };
  const probe = (scene: Scene, ip: string, subnet: string) =>
    ask(scene, 'x/probe', { ips: [ip], subnet }).replace(/:.*/, '');
  const written = makePort('n/vm', { subnet: 't', ips: ['10.1.0.2'], mac: '02:00:00:00:00:01' });

  it('holds both addresses until it is settled', () => {
    const scene = begin();
    expect(scene.addresses.findChange('n/vm')).toMatchObject({ from: { subnet: 's' }, to: { subnet: 't' } });
    scene.ports.put(written);
    expect([probe(scene, '10.0.0.9', 's'), probe(scene, '10.1.0.2', 't')]).toEqual(['AddressInUse', 'AddressInUse']);
    scene.addresses.settleChange('n/vm');
    expect([probe(scene, '10.0.0.9', 's'), probe(scene, '10.1.0.2', 't')]).toEqual(['10.0.0.9', 'AddressInUse']);
    expect(scene.addresses.isInUse('s')).toBe(true);
    scene.addresses.giveBack('s', 'x/probe');
    expect(scene.addresses.isInUse('s')).toBe(false);
  });

  it.each([
    ['before the LogicalPort was written', false, ['AddressInUse', '10.1.0.2']],
    ['after it', true, ['10.0.0.9', 'AddressInUse']],
  ])('loses neither to a restart %s: the LogicalPort says which one the port has', (_cause, isWritten, expected) => {
    const scene = begin();
    if (isWritten) scene.ports.put(written);
    // A new process reads everything: its cache tells what is there as added.
    const fresh = makeWorld();
    for (const subnet of scene.subnets.list()) fresh.subnets.put(subnet);
    for (const port of scene.ports.list()) fresh.ports.put(port);
    expect([probe(fresh, '10.0.0.9', 's'), probe(fresh, '10.1.0.2', 't')]).toEqual(expected);
    // The same for a process that followed all along and becomes leader.
    scene.addresses.forgetPending();
    expect([probe(scene, '10.0.0.9', 's'), probe(scene, '10.1.0.2', 't')]).toEqual(expected);
  });

  it('is not begun in a subnet that cannot be used, and the port keeps what it has', () => {
    const scene = begin();
    scene.addresses.dropChange('n/vm');
    const refused = scene.addresses.reserveChange({ holder: 'n/vm', subnet: 'gone' });
    expect(refused).toMatchObject({ problem: { reason: 'SubnetNotFound' } });
    expect(probe(scene, '10.0.0.9', 's')).toBe('AddressInUse');
  });
});

describe("F33 a node's own address", () => {
  const node = (name: string, ...ips: string[]): Node => ({
    metadata: { name, uid: name },
    status: { addresses: ips.map((address) => ({ type: 'InternalIP', address })) },
  });

  it('is given to nobody, asked for or not, from when the node is known to when it is gone', () => {
    const { subnets, nodes, addresses } = makeWorld();
    subnets.put(makeSubnet('s', { cidrBlock: '10.0.0.0/29' }));
    const ask = (ips?: string[]) => {
      const result = addresses.allocate([{ holder: 'n/a', subnet: 's', ...(ips === undefined ? {} : { ips }) }]);
      addresses.giveBack('s', 'n/a');
      return result.ok ? result.value[0]?.ips[0] : result.problem;
    };
    expect(ask(['10.0.0.3'])).toBe('10.0.0.3');
    nodes.put(node('n1', '10.0.0.2', 'fd00::1'));
    nodes.put(node('n2', '10.0.0.3'));
    expect(ask()).toBe('10.0.0.4');
    expect(ask(['10.0.0.3'])).toMatchObject({
      reason: 'AddressReserved',
      message: expect.stringContaining('a node has it'),
    });
    expect(addresses.plans().get('s')?.warning).toMatchObject({
      reason: 'OverlapsNodes',
      message: expect.stringMatching(/^10\.0\.0\.0\/29 contains 10\.0\.0\.2 of node n1: /),
    });
    nodes.remove('n1');
    nodes.put(node('n2', '192.168.0.3'));
    expect(ask(['10.0.0.3'])).toBe('10.0.0.3');
    expect(addresses.plans().get('s')?.warning).toBeUndefined();
  });

  it('in a network of another plugin is no news, as its nodes are on it; a node without one changes nothing', () => {
    const { subnets, nodes, addresses } = makeWorld();
    subnets.put(makeSubnet('lan', { cidrBlock: '192.168.0.0/24', provider: 'lan.a' }));
    const before = addresses.plans();
    nodes.put({ metadata: { name: 'n0' } });
    expect(addresses.plans().get('lan')?.ranges).toBe(before.get('lan')?.ranges);
    nodes.put(node('n1', '192.168.0.2'));
    expect(addresses.plans().get('lan')).toMatchObject({ usable: true });
    expect(addresses.plans().get('lan')?.warning).toBeUndefined();
    const given = addresses.allocate([{ holder: 'n/a', subnet: 'lan' }]);
    expect(given).toMatchObject({ value: [{ ips: ['192.168.0.3'] }] });
  });
});
