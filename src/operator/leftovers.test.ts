import { describe, expect, it } from 'vitest';
import type { Node } from '../api/objects.ts';
import type { IPPool, LogicalPort, Subnet, Vpc } from '../api/types.gen.ts';
import { type Change, createStore, type KubeObject } from '../kube/index.ts';
import { createRecordingLogger } from '../kube/testing/recording-logger.ts';
import type { RowChange } from '../ovsdb/index.ts';
import type { Row } from '../ovsdb/values.ts';
import type { Settings } from '../plan/settings.ts';
import { createAddresses } from './addresses.ts';
import type { Context } from './context.ts';
import { followLeftovers } from './leftovers.ts';
import type { World } from './world.ts';

function createCache<T extends KubeObject>() {
  const store = createStore<T>();
  const handlers = new Set<(change: Change<T>) => void>();
  const tell = (changes: readonly Change<T>[]) => {
    for (const change of changes) for (const handler of handlers) handler(change);
  };
  return {
    store,
    onNews: (handler: (change: Change<T>) => void) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onChange: (handler: (change: Change<T>) => void) => {
      handlers.add(handler);
      for (const object of store.list()) handler({ type: 'added', key: `${object.metadata?.name}`, object });
      return () => handlers.delete(handler);
    },
    put: (object: T) => tell(store.set(object)),
    remove: (key: string) => tell([store.delete(key) ?? []].flat()),
  };
}

const settings = { cluster: 'test', defaultVpc: 'default', join: [] } as unknown as Settings;

/** Caches, the allocator and the rows of one switch, each changed by hand. */
function makeScene() {
  const ports = createCache<LogicalPort>();
  const subnets = createCache<Subnet>();
  const others = { nodes: createCache<Node>(), vpcs: createCache<Vpc>(), ipPools: createCache<IPPool>() };
  const world = { ...others, ports, subnets } as unknown as World;
  const addresses = createAddresses(world, settings, (length) => new Uint8Array(length));
  subnets.put({ metadata: { name: 'net' }, spec: { cidrBlock: '10.0.0.0/29' } } as unknown as Subnet);
  const rows = new Map<string, Row>();
  const listeners = new Set<(changes: readonly RowChange[]) => void>();
  const observed = {
    findByOwner: (_kind: unknown, _cluster: string, owner: string) => [rows.get(owner) ?? []].flat(),
    findByCluster: () => [...rows.values()],
    findParents: () => [{ _uuid: 'home', name: 'subnet/net' }],
  };
  const client = {
    onChange: (listener: (changes: readonly RowChange[]) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const freed: string[] = [];
  const context = { nb: { observed, client }, settings, addresses, world, log: createRecordingLogger() };
  const write = (name: string, addressesOf: string | undefined) => {
    const owner = `LogicalPort/a/${name}`;
    const old = rows.get(owner);
    const ids = new Map([
      ['mooring-cluster', 'test'],
      ['mooring-owner', owner],
    ]);
    const row = { _uuid: name, name, addresses: [addressesOf ?? ''], external_ids: ids } as unknown as Row;
    if (addressesOf === undefined) rows.delete(owner);
    else rows.set(owner, row);
    const change = { table: 'Logical_Switch_Port', uuid: name, ...(old && { old }), ...(addressesOf && { new: row }) };
    for (const listener of listeners) listener([change]);
  };
  return {
    freed,
    addresses,
    write,
    follow: () => followLeftovers(context as unknown as Context, (subnet) => freed.push(subnet)),
    say: (name: string, ip: string) =>
      ports.put({
        metadata: { name, namespace: 'a', uid: name },
        spec: { subnet: 'net', ips: [ip], mac: MAC },
      } as unknown as LogicalPort),
    remove: (name: string) => ports.remove(`a/${name}`),
    ask: (holder: string, ip: string) => {
      const result = addresses.allocate([{ holder, subnet: 'net', ips: [ip] }]);
      addresses.giveBack('net', holder);
      return result.ok ? 'given' : result.problem.reason;
    },
  };
}

const MAC = '0a:00:00:00:00:07';

describe('what a switch port of ours has and its LogicalPort does not say', () => {
  it('is nobody else’s after a leader died between the two writes of a change, until the row is rewritten', () => {
    const scene = makeScene();
    scene.say('db', '10.0.0.4');
    scene.write('db', `${MAC} 10.0.0.3`);
    expect(scene.ask('a/other', '10.0.0.3')).toBe('given');
    scene.follow();
    expect(scene.ask('a/other', '10.0.0.3')).toBe('AddressInUse');
    expect(scene.ask('a/other', '10.0.0.4')).toBe('AddressInUse');
    expect(scene.freed).toEqual([]);
    scene.write('db', `${MAC} 10.0.0.4`);
    expect(scene.ask('a/other', '10.0.0.3')).toBe('given');
    expect(scene.freed).toEqual(['net']);
  });

  it('is its own port’s to ask for again', () => {
    const scene = makeScene();
    scene.say('db', '10.0.0.4');
    scene.write('db', `${MAC} 10.0.0.3`);
    scene.follow();
    const back = scene.addresses.reserveChange({ holder: 'a/db', subnet: 'net', ips: ['10.0.0.3'] });
    expect(back).toMatchObject({ ok: true, value: { ips: ['10.0.0.3'], mac: MAC } });
  });

  it('is held while the row of a LogicalPort that was taken away by force is there, and keeps the subnet in use', () => {
    const scene = makeScene();
    scene.say('db', '10.0.0.3');
    scene.write('db', `${MAC} 10.0.0.3`);
    scene.follow();
    scene.remove('db');
    expect(scene.ask('a/other', '10.0.0.3')).toBe('AddressInUse');
    expect(scene.addresses.isInUse('net')).toBe(true);
    scene.write('db', undefined);
    expect(scene.ask('a/other', '10.0.0.3')).toBe('given');
    expect(scene.addresses.isInUse('net')).toBe(false);
  });

  it('is no news where the row came before the event of its LogicalPort', () => {
    const scene = makeScene();
    scene.follow();
    scene.write('db', `${MAC} 10.0.0.3`);
    expect(scene.ask('a/other', '10.0.0.3')).toBe('AddressInUse');
    scene.say('db', '10.0.0.3');
    expect(scene.ask('a/other', '10.0.0.3')).toBe('AddressInUse');
    scene.write('db', undefined);
    expect(scene.ask('a/other', '10.0.0.3')).toBe('AddressInUse');
    scene.remove('db');
    expect(scene.ask('a/other', '10.0.0.3')).toBe('given');
    expect(scene.freed).toEqual([]);
  });

  it('is forgotten with the term', () => {
    const scene = makeScene();
    scene.write('db', `${MAC} 10.0.0.3`);
    const end = scene.follow();
    end();
    expect(scene.ask('a/other', '10.0.0.3')).toBe('given');
    scene.write('db', `${MAC} 10.0.0.5`);
    expect(scene.ask('a/other', '10.0.0.5')).toBe('given');
  });
});
