import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNb, type TestNb, wish } from '../../test/ovn/database.ts';
import {
  ACL,
  ALL_OWNERS,
  CLUSTER,
  DHCP,
  idsOfOwner,
  NETWORK,
  OTHER_SWITCH,
  POLICY,
  PORT,
  ROUTE,
  ROUTER,
  ROUTER_PORT,
  SUBNET,
  SWITCH,
  VM,
  VPC,
} from '../../test/ovn/wishes.ts';
import { applyPlan } from '../ovsdb/apply.ts';
import {
  deleteOp,
  insertOp,
  mutateOp,
  namedUuid,
  type Operation,
  updateOp,
  whereUuid,
  wireMap,
  wireSet,
} from '../ovsdb/operations.ts';
import { planOperations } from './plan-operations.ts';
import { InvalidWish, ParentMissing, RowOwnedByOther } from './problems.ts';
import type { Wanted } from './wanted.ts';

let db: TestNb;
beforeAll(async () => {
  db = await startNb();
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});
beforeEach(async () => {
  const roots = ['Logical_Switch', 'Logical_Router', 'DHCP_Options'];
  await db.nb.client.transactAndSync(roots.map((table) => deleteOp(table, [])));
});

const plan = (wanted: Wanted, owners: readonly string[] = ALL_OWNERS): Operation[] =>
  planOperations(db.nb.observed, wanted, { cluster: CLUSTER, owners });
const apply = (wanted: Wanted, owners?: readonly string[]): Promise<void> =>
  applyPlan(db.nb.client, () => plan(wanted, owners), { attempts: 1 });
const write = (...operations: Operation[]) => db.nb.client.transactAndSync(operations);
const uuidOf = (table: string, name: string): string => {
  for (const row of db.nb.client.table(table).values()) if (row.name === name) return row._uuid;
  throw new Error(`no ${name} in ${table}`);
};

const subnetIds = { 'mooring-cluster': 'c1', 'mooring-owner': SUBNET, 'mooring-uid': 'u1' };
const vmIds = { ...subnetIds, 'mooring-owner': VM };
const vpcIds = { ...subnetIds, 'mooring-owner': VPC };

const { dhcpv4: _dhcp, ...WITHOUT_DHCP } = PORT;

const NETWORK_CONTENT = {
  Logical_Switch: {
    'subnet/net1': {
      name: 'subnet/net1',
      ports: ['vm/ns/vm/default'],
      acls: ['net1-rest'],
      other_config: { subnet: '10.0.0.0/24' },
      external_ids: subnetIds,
    },
  },
  Logical_Switch_Port: {
    'vm/ns/vm/default': {
      name: 'vm/ns/vm/default',
      addresses: ['00:00:00:00:00:01 10.0.0.5'],
      port_security: ['00:00:00:00:00:01 10.0.0.5'],
      options: { 'requested-chassis': 'node1' },
      dhcpv4_options: 'net1-v4',
      external_ids: vmIds,
    },
  },
  Logical_Router: {
    'vpc/blue': {
      name: 'vpc/blue',
      ports: ['vpc/blue/subnet/net1'],
      static_routes: ['0.0.0.0/0 100.64.0.2 Vpc/blue'],
      policies: ['net1-out-v4'],
      external_ids: vpcIds,
    },
  },
  Logical_Router_Port: {
    'vpc/blue/subnet/net1': {
      name: 'vpc/blue/subnet/net1',
      mac: '00:00:00:00:01:01',
      networks: ['10.0.0.1/24', 'fd00::1/64'],
      external_ids: subnetIds,
    },
  },
  Logical_Router_Static_Route: {
    '0.0.0.0/0 100.64.0.2 Vpc/blue': {
      ip_prefix: '0.0.0.0/0',
      nexthop: '100.64.0.2',
      output_port: 'vpc/blue/join',
      external_ids: vpcIds,
    },
  },
  Logical_Router_Policy: {
    'net1-out-v4': {
      priority: 2000n,
      match: 'ip4.src == 10.0.0.0/24',
      action: 'reroute',
      nexthops: ['100.64.0.3'],
      external_ids: { ...subnetIds, 'mooring-row': 'net1-out-v4' },
    },
  },
  ACL: {
    'net1-rest': {
      priority: 1800n,
      direction: 'to-lport',
      match: 'ip',
      action: 'drop',
      external_ids: { ...subnetIds, 'mooring-row': 'net1-rest' },
    },
  },
  DHCP_Options: {
    'net1-v4': {
      cidr: '10.0.0.0/24',
      options: { server_id: '10.0.0.1', lease_time: '3600' },
      external_ids: { ...subnetIds, 'mooring-row': 'net1-v4' },
    },
  },
};

describe('the whole database after one transaction', () => {
  it('holds a network wanted from nothing, and then nothing is left to do', async () => {
    await apply(wish(NETWORK));
    expect(await db.dump()).toEqual(NETWORK_CONTENT);
    expect(plan(wish(NETWORK))).toEqual([]);
  });

  it('is empty when nothing is wanted any more', async () => {
    await apply(wish(NETWORK));
    await apply(wish({}));
    expect(await db.dump()).toEqual({});
    expect(plan(wish({}))).toEqual([]);
  });

  it.each<[string, Partial<Wanted>, object]>([
    [
      'a changed option',
      { ports: [{ ...PORT, options: new Map([['requested-chassis', 'node1,node2']]) }] },
      { options: { 'requested-chassis': 'node1,node2' } },
    ],
    ['an option that is no longer wanted', { ports: [{ ...PORT, options: new Map() }] }, { options: undefined }],
    [
      'another address',
      { ports: [{ ...PORT, addresses: ['00:00:00:00:00:01 10.0.0.6', 'x'] }] },
      { addresses: ['00:00:00:00:00:01 10.0.0.6', 'x'] },
    ],
    ['no DHCP any more', { ports: [WITHOUT_DHCP] }, { dhcpv4_options: undefined }],
    [
      'another life of the owner',
      { ports: [{ ...PORT, externalIds: idsOfOwner(VM, 'u2') }] },
      { external_ids: { ...vmIds, 'mooring-uid': 'u2' } },
    ],
  ])('differs only by %s', async (_name, change, expected) => {
    await apply(wish(NETWORK));
    const before = uuidOf('Logical_Switch_Port', PORT.name);
    const wanted = wish({ ...NETWORK, ...change });
    await apply(wanted);
    const port = { ...NETWORK_CONTENT.Logical_Switch_Port['vm/ns/vm/default'], ...expected };
    expect(await db.dump()).toEqual({ ...NETWORK_CONTENT, Logical_Switch_Port: { [PORT.name]: port } });
    expect(uuidOf('Logical_Switch_Port', PORT.name)).toBe(before);
    expect(plan(wanted)).toEqual([]);
  });

  it('has a port in its new switch when the subnet changed, as a new row', async () => {
    const network = { ...NETWORK, switches: [SWITCH, OTHER_SWITCH] };
    await apply(wish(network));
    const before = uuidOf('Logical_Switch_Port', PORT.name);
    await apply(wish({ ...network, ports: [{ ...PORT, switch: OTHER_SWITCH.name }] }));
    const after = await db.dump();
    expect(after.Logical_Switch?.['subnet/net1']?.ports).toBeUndefined();
    expect(after.Logical_Switch?.['subnet/net2']?.ports).toEqual([PORT.name]);
    expect(Object.keys(after.Logical_Switch_Port ?? {})).toEqual([PORT.name]);
    expect(uuidOf('Logical_Switch_Port', PORT.name)).not.toBe(before);
  });

  it('has a port in a switch that the same transaction made, in the place of one that it deleted', async () => {
    await apply(wish({ ...NETWORK }));
    const ports = [{ ...PORT, switch: OTHER_SWITCH.name }];
    await apply(wish({ ...NETWORK, switches: [OTHER_SWITCH], acls: [], ports }));
    const after = await db.dump();
    expect(Object.keys(after.Logical_Switch ?? {})).toEqual(['subnet/net2']);
    expect(after.Logical_Switch?.['subnet/net2']?.ports).toEqual([PORT.name]);
  });

  it('has a port only in its own switch when somebody put it into a second one', async () => {
    await apply(wish({ ...NETWORK, switches: [SWITCH, OTHER_SWITCH] }));
    const ports = wireSet([['uuid', uuidOf('Logical_Switch_Port', PORT.name)]]);
    await write(
      mutateOp('Logical_Switch', whereUuid(uuidOf('Logical_Switch', 'subnet/net2')), [['ports', 'insert', ports]]),
    );
    await apply(wish({ ...NETWORK, switches: [SWITCH, OTHER_SWITCH] }));
    expect((await db.dump()).Logical_Switch?.['subnet/net2']?.ports).toBeUndefined();
  });

  it('has one switch where there were two of the same name', async () => {
    await apply(wish(NETWORK));
    const ids = wireMap(idsOfOwner(SUBNET));
    await write(insertOp('Logical_Switch', { name: SWITCH.name, external_ids: ids }));
    await apply(wish(NETWORK));
    expect(await db.dump()).toEqual(NETWORK_CONTENT);
  });

  it('heals what somebody changed by hand', async () => {
    await apply(wish(NETWORK));
    const where = whereUuid(uuidOf('Logical_Switch_Port', PORT.name));
    await write(updateOp('Logical_Switch_Port', where, { options: wireMap([]), addresses: 'unknown' }));
    await apply(wish(NETWORK));
    expect(await db.dump()).toEqual(NETWORK_CONTENT);
  });
});

describe('scope', () => {
  it('leaves the rows of owners outside of it alone', async () => {
    await apply(wish(NETWORK));
    expect(plan(wish({}), [VM])).toHaveLength(1);
    await apply(wish({}), [VM]);
    const { Logical_Switch_Port: _gone, ...rest } = await db.dump();
    const { ports: _ports, ...network } = NETWORK_CONTENT.Logical_Switch['subnet/net1'];
    expect(_gone).toBeUndefined();
    expect(rest).toMatchObject({ Logical_Switch: { 'subnet/net1': network } });
    expect(rest.DHCP_Options).toEqual(NETWORK_CONTENT.DHCP_Options);
  });

  it('finds parents and DHCP rows of other owners', async () => {
    const { ports, ...rest } = NETWORK;
    await apply(wish(rest));
    await apply(wish({ ports }), [VM]);
    expect(await db.dump()).toEqual(NETWORK_CONTENT);
  });

  it('holds only our own cluster', async () => {
    const ids = wireMap([...idsOfOwner(VM)].map(([k, v]) => [k, k === 'mooring-cluster' ? 'c2' : v] as const));
    await write(
      insertOp('Logical_Switch_Port', { name: 'theirs', external_ids: ids }, { uuidName: 'p' }),
      insertOp('Logical_Switch', { name: 'subnet/net1', ports: namedUuid('p'), external_ids: ids }),
    );
    expect(plan(wish({}))).toEqual([]);
  });

  it('lets the columns of northd and of others alone', async () => {
    await apply(wish(NETWORK));
    const where = whereUuid(uuidOf('Logical_Switch_Port', PORT.name));
    await write(updateOp('Logical_Switch_Port', where, { up: true, dynamic_addresses: 'x', enabled: true, tag: 5n }));
    expect(plan(wish(NETWORK))).toEqual([]);
  });
});

describe('problems', () => {
  it.each<[string, Operation[], Partial<Wanted>, string]>([
    [
      'a switch of another system',
      [insertOp('Logical_Switch', { name: 'subnet/net1' })],
      { switches: [SWITCH] },
      'Logical_Switch subnet/net1 belongs to another system',
    ],
    [
      'a port of another system',
      [
        insertOp('Logical_Switch_Port', { name: PORT.name }, { uuidName: 'p' }),
        insertOp('Logical_Switch', { name: 'x', ports: namedUuid('p') }),
      ],
      { switches: [SWITCH], dhcpOptions: [DHCP], ports: [PORT] },
      'Logical_Switch_Port vm/ns/vm/default belongs to another system',
    ],
    [
      'a route of another system in our router',
      [
        insertOp('Logical_Router_Static_Route', { ip_prefix: '0.0.0.0/0', nexthop: '100.64.0.2' }, { uuidName: 'r' }),
        insertOp('Logical_Router', {
          name: 'vpc/blue',
          static_routes: namedUuid('r'),
          external_ids: wireMap(idsOfOwner(VPC)),
        }),
      ],
      { routers: [ROUTER], routes: [ROUTE] },
      'Logical_Router_Static_Route 0.0.0.0/0 100.64.0.2 belongs to another system',
    ],
    [
      'a switch of another owner of ours',
      [insertOp('Logical_Switch', { name: 'subnet/net1', external_ids: wireMap(idsOfOwner('Subnet/other')) })],
      { switches: [SWITCH] },
      'Logical_Switch subnet/net1 belongs to Subnet/other',
    ],
  ])('RowOwnedByOther: %s', async (_name, before, wanted, message) => {
    await write(...before);
    const content = await db.dump();
    expect(() => plan(wish(wanted))).toThrow(RowOwnedByOther);
    expect(() => plan(wish(wanted))).toThrow(message);
    expect(await db.dump()).toEqual(content);
  });

  it.each<[string, Partial<Wanted>, string]>([
    [
      'a port without its switch',
      { ports: [PORT], dhcpOptions: [DHCP] },
      'vm/ns/vm/default needs Logical_Switch subnet/net1',
    ],
    ['a router port without its router', { routerPorts: [ROUTER_PORT] }, 'needs Logical_Router vpc/blue'],
    ['a policy without its router', { policies: [POLICY] }, 'needs Logical_Router vpc/blue'],
    ['an ACL without its switch', { acls: [ACL] }, 'needs Logical_Switch subnet/net1'],
    ['a route without its router', { routes: [ROUTE] }, 'needs Logical_Router vpc/blue'],
    ['a port without its DHCP row', { switches: [SWITCH], ports: [PORT] }, 'needs DHCP_Options c1 net1-v4'],
  ])('ParentMissing: %s', (_name, wanted, message) => {
    expect(() => plan(wish(wanted))).toThrow(ParentMissing);
    expect(() => plan(wish(wanted))).toThrow(message);
  });

  it('ParentMissing: a port in a switch that this very plan deletes', async () => {
    await apply(wish(NETWORK));
    expect(() => plan(wish({ ports: [PORT], dhcpOptions: [DHCP] }))).toThrow(ParentMissing);
  });

  it.each<[string, Partial<Wanted>]>([
    ['the same row twice', { switches: [SWITCH, SWITCH] }],
    ['an owner outside the scope', { switches: [{ ...SWITCH, externalIds: idsOfOwner('Subnet/other') }] }],
    ['a row without owner', { switches: [{ ...SWITCH, externalIds: new Map() }] }],
  ])('InvalidWish: %s', (_name, wanted) => {
    expect(() => plan(wish(wanted))).toThrow(InvalidWish);
  });
});

describe('a policy', () => {
  it('gets another next hop by one update of the same row', async () => {
    await apply(wish(NETWORK));
    const wanted = wish({ ...NETWORK, policies: [{ ...POLICY, nexthop: '100.64.0.4' }] });
    expect(plan(wanted)).toEqual([expect.objectContaining({ op: 'update', table: 'Logical_Router_Policy' })]);
    await apply(wanted);
    expect((await db.dump()).Logical_Router_Policy?.[POLICY.row]?.nexthops).toEqual(['100.64.0.4']);
  });
});

describe('routes', () => {
  it('are told apart by their router', async () => {
    const red = { ...ROUTER, name: 'vpc/red' };
    const wanted = wish({ routers: [ROUTER, red], routes: [ROUTE, { ...ROUTE, router: 'vpc/red' }] });
    await apply(wanted);
    expect(Object.keys((await db.dump()).Logical_Router_Static_Route ?? {})).toHaveLength(2);
    expect(plan(wanted)).toEqual([]);
    await apply(wish({ routers: [ROUTER, red], routes: [{ ...ROUTE, router: 'vpc/red' }] }));
    const after = await db.dump();
    expect(after.Logical_Router?.['vpc/blue']?.static_routes).toBeUndefined();
    expect(after.Logical_Router?.['vpc/red']?.static_routes).toHaveLength(1);
  });
});
