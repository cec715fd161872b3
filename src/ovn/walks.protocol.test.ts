import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Content, startNb, type TestNb, wish } from '../../test/ovn/database.ts';
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
  SWITCH,
} from '../../test/ovn/wishes.ts';
import { applyPlan } from '../ovsdb/apply.ts';
import { deleteOp, insertOp, namedUuid, type Operation, wireMap } from '../ovsdb/operations.ts';
import { planOperations } from './plan-operations.ts';
import { NOTHING_WANTED, type Wanted } from './wanted.ts';

let db: TestNb;
beforeAll(async () => {
  db = await startNb();
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});
const clear = async (): Promise<void> => {
  const roots = ['Logical_Switch', 'Logical_Router', 'DHCP_Options'];
  await db.nb.client.transactAndSync(roots.map((table) => deleteOp(table, [])));
};
beforeEach(clear);

const plan = (wanted: Wanted): Operation[] =>
  planOperations(db.nb.observed, wanted, { cluster: CLUSTER, owners: ALL_OWNERS });
const apply = (wanted: Wanted): Promise<void> => applyPlan(db.nb.client, () => plan(wanted), { attempts: 1 });

const { nexthop: _nexthop, ...OUT } = POLICY;

/** Whole wishes in the order in which a network and a VM live. */
const STATES: readonly (readonly [string, Wanted])[] = [
  ['nothing', NOTHING_WANTED],
  ['a switch', wish({ switches: [SWITCH] })],
  ['a router beside it', wish({ switches: [SWITCH], routers: [ROUTER] })],
  ['both joined', wish({ switches: [SWITCH], routers: [ROUTER], routerPorts: [ROUTER_PORT], routes: [ROUTE] })],
  [
    'a VM that is stopped',
    wish({ ...NETWORK, ports: [{ ...PORT, options: new Map([['requested-chassis', 'mooring/unattached']]) }] }),
  ],
  ['a VM that runs', wish(NETWORK)],
  [
    'a VM that migrates',
    wish({ ...NETWORK, ports: [{ ...PORT, options: new Map([['requested-chassis', 'node1,node2']]) }] }),
  ],
  ['a VM that moved', wish({ ...NETWORK, ports: [{ ...PORT, options: new Map([['requested-chassis', 'node2']]) }] })],
  [
    'a second port',
    wish({
      ...NETWORK,
      ports: [PORT, { ...PORT, name: 'vm/ns/vm/second', addresses: ['00:00:00:00:00:02 10.0.0.6'] }],
    }),
  ],
  [
    'the VM in another subnet',
    wish({ ...NETWORK, switches: [SWITCH, OTHER_SWITCH], ports: [{ ...PORT, switch: OTHER_SWITCH.name }] }),
  ],
  ['a way out by another node', wish({ ...NETWORK, policies: [{ ...POLICY, nexthop: '100.64.0.4' }] })],
  ['no way out', wish({ ...NETWORK, policies: [{ ...OUT, action: 'drop' }] })],
  [
    'open to one more',
    wish({ ...NETWORK, acls: [ACL, { ...ACL, row: 'net1-in', match: 'ip4', action: 'allow-related' }] }),
  ],
  [
    'router advertisements',
    wish({
      ...NETWORK,
      routerPorts: [{ ...ROUTER_PORT, ipv6RaConfigs: new Map([['address_mode', 'dhcpv6_stateful']]) }],
    }),
  ],
  ['a changed DHCP row', wish({ ...NETWORK, dhcpOptions: [{ ...DHCP, options: new Map([['lease_time', '60']]) }] })],
  ['no VM any more', wish({ ...NETWORK, ports: [] })],
];

type Named = (typeof STATES)[number];
const expected = new Map<string, Content>();

/** Walks through the states and after each compares with what the state alone gives. */
async function walk(states: readonly Named[]): Promise<void> {
  for (const [name, wanted] of states) {
    await apply(wanted);
    expect(await db.dump(), name).toEqual(expected.get(name));
    expect(plan(wanted), name).toEqual([]);
  }
}

describe('the content depends on the last wish only', () => {
  beforeAll(async () => {
    for (const [name, wanted] of STATES) {
      await clear();
      await apply(wanted);
      expected.set(name, await db.dump());
    }
  });

  it.each<[string, readonly Named[]]>([
    ['forward', STATES],
    ['reversed', STATES.toReversed()],
    ['each one twice', STATES.flatMap((state) => [state, state])],
    ['with nothing between any two', STATES.flatMap((state) => [STATES[0] ?? state, state])],
    ['to and fro', STATES.flatMap((state, i) => [state, STATES[i - 1] ?? state, state])],
  ])('%s', async (_name, states) => {
    await walk(states);
  });

  it('in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...STATES), { maxLength: 8 }), async (states) => {
        await walk(states);
      }),
      { numRuns: 25 },
    );
  });

  it('when each owner applies its own part', async () => {
    for (const [name, wanted] of [...STATES, ...STATES.toReversed()]) {
      await applyByOwner(wanted);
      expect(await db.dump(), name).toEqual(expected.get(name));
    }
  });
});

/** Owners in order of dependency when rows come, and the other way round for rows that go. */
async function applyByOwner(wanted: Wanted): Promise<void> {
  const only = (owner: string): Wanted => {
    const pick = <W extends { externalIds: ReadonlyMap<string, string> }>(rows: readonly W[]): readonly W[] =>
      rows.filter((row) => row.externalIds.get('mooring-owner') === owner);
    const { switches, routers, routerPorts, routes, policies, acls, dhcpOptions, ports } = wanted;
    return {
      ...NOTHING_WANTED,
      switches: pick(switches),
      routers: pick(routers),
      routerPorts: pick(routerPorts),
      routes: pick(routes),
      policies: pick(policies),
      acls: pick(acls),
      dhcpOptions: pick(dhcpOptions),
      ports: pick(ports),
    };
  };
  const [subnet, vpc, vm] = ALL_OWNERS;
  for (const owner of [vpc, subnet, vm]) {
    await applyPlan(db.nb.client, () =>
      planOperations(db.nb.observed, only(owner), { cluster: CLUSTER, owners: [owner] }),
    );
  }
}

describe('rows of others', () => {
  const name = fc.stringMatching(/^[a-z/]{1,12}$/);
  const foreignIds = fc.constantFrom<ReadonlyMap<string, string>>(
    new Map(),
    new Map([['neutron:id', 'x']]),
    new Map([...idsOfOwner('Subnet/net1')].map(([k, v]) => [k, k === 'mooring-cluster' ? 'c2' : v] as const)),
    idsOfOwner('Subnet/elsewhere'),
  );
  const foreign = fc.uniqueArray(fc.record({ name, ids: foreignIds }), { selector: (row) => row.name, maxLength: 5 });

  it('are never touched, whatever we want one after another', async () => {
    await fc.assert(
      fc.asyncProperty(foreign, fc.array(fc.constantFrom(...STATES), { maxLength: 5 }), async (rows, states) => {
        await clear();
        const inserts = rows.flatMap((row, i) => insertForeign(`f-${row.name}`, row.ids, i));
        if (inserts.length > 0) await db.nb.client.transactAndSync(inserts);
        const before = await db.dump();
        for (const [, wanted] of states) await apply(wanted);
        await apply(NOTHING_WANTED);
        expect(await db.dump()).toEqual(before);
      }),
      { numRuns: 30 },
    );
  });
});

function insertForeign(name: string, ids: ReadonlyMap<string, string>, i: number): Operation[] {
  const external_ids = wireMap(ids);
  return [
    insertOp('Logical_Switch_Port', { name: `${name}-port`, external_ids }, { uuidName: `p${i}` }),
    insertOp('Logical_Switch', { name, ports: namedUuid(`p${i}`), external_ids }),
    insertOp(
      'Logical_Router_Static_Route',
      { ip_prefix: '0.0.0.0/0', nexthop: `${i}`, external_ids },
      { uuidName: `r${i}` },
    ),
    insertOp('Logical_Router', { name, static_routes: namedUuid(`r${i}`), external_ids }),
    insertOp('DHCP_Options', { cidr: `10.${i}.0.0/16`, external_ids }),
  ];
}
