import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNb, type TestNb, wish } from '../../test/ovn/database.ts';
import { ALL_OWNERS, CLUSTER, idsOfOwner, NETWORK, PORT, SUBNET, VM, VPC } from '../../test/ovn/wishes.ts';
import { deleteOp, insertOp, namedUuid, wireMap } from '../ovsdb/operations.ts';
import { takeEpoch } from './epoch.ts';
import { planOperations } from './plan-operations.ts';
import { planPrune } from './prune.ts';

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
  const wanted = wish(NETWORK);
  await db.nb.client.transactAndSync(planOperations(db.nb.observed, wanted, { cluster: CLUSTER, owners: ALL_OWNERS }));
});

const prune = async (...keep: string[]): Promise<void> => {
  const operations = planPrune(db.nb.observed, CLUSTER, new Set(keep));
  if (operations.length > 0) await db.nb.client.transactAndSync(operations);
  expect(planPrune(db.nb.observed, CLUSTER, new Set(keep))).toEqual([]);
};

describe('planPrune', () => {
  it('does nothing when all owners are still there', async () => {
    const before = await db.dump();
    await prune(...ALL_OWNERS);
    expect(await db.dump()).toEqual(before);
  });

  it('deletes the port of a VM that is gone, and nothing else', async () => {
    const before = await db.dump();
    await prune(SUBNET, VPC);
    const { Logical_Switch_Port: ports, ...rest } = await db.dump();
    expect(ports).toBeUndefined();
    expect(rest.Logical_Switch?.['subnet/net1']?.ports).toBeUndefined();
    expect(rest.Logical_Router).toEqual(before.Logical_Router);
  });

  it('deletes a route of an owner that is gone from a router that stays', async () => {
    await prune(SUBNET, VPC);
    const ids = wireMap(idsOfOwner('Vpc/gone'));
    const [router] = [...db.nb.client.table('Logical_Router').values()];
    await db.nb.client.transactAndSync([
      insertOp(
        'Logical_Router_Static_Route',
        { ip_prefix: '10.9.0.0/16', nexthop: '1.1.1.1', external_ids: ids },
        { uuidName: 'r' },
      ),
      {
        op: 'mutate',
        table: 'Logical_Router',
        where: [['_uuid', '==', ['uuid', router?._uuid ?? '']]],
        mutations: [['static_routes', 'insert', namedUuid('r')]],
      },
    ]);
    await prune(SUBNET, VPC);
    expect(Object.keys((await db.dump()).Logical_Router_Static_Route ?? {})).toEqual(['0.0.0.0/0 100.64.0.2 Vpc/blue']);
  });

  it('deletes a row of our cluster that names no owner', async () => {
    await db.nb.client.transactAndSync([
      insertOp('DHCP_Options', { cidr: '10.9.0.0/16', external_ids: wireMap([['mooring-cluster', CLUSTER]]) }),
    ]);
    const before = Object.keys((await db.dump()).DHCP_Options ?? {});
    await prune(...ALL_OWNERS);
    expect(before).toHaveLength(2);
    expect(Object.keys((await db.dump()).DHCP_Options ?? {})).toEqual(['net1-v4']);
  });

  it('keeps the epoch, and every row without our cluster id', async () => {
    const epoch = await takeEpoch(db.nb.client, CLUSTER, 1);
    const ids = wireMap([...idsOfOwner(VM)].map(([k, v]) => [k, k === 'mooring-cluster' ? 'c2' : v] as const));
    await db.nb.client.transactAndSync([
      insertOp('Logical_Switch_Port', { name: 'p1' }, { uuidName: 'p1' }),
      insertOp('Logical_Switch_Port', { name: 'p2', external_ids: ids }, { uuidName: 'p2' }),
      insertOp('Logical_Switch', { name: 'theirs', ports: ['set', [namedUuid('p1'), namedUuid('p2')]] }),
    ]);
    await prune();
    const { Address_Set: sets, ...rest } = await db.dump();
    expect(rest).toEqual({
      Logical_Switch: { theirs: { name: 'theirs', ports: ['p1', 'p2'] } },
      Logical_Switch_Port: {
        p1: { name: 'p1' },
        p2: { name: 'p2', external_ids: Object.fromEntries(new Map([...idsOfOwner(VM), ['mooring-cluster', 'c2']])) },
      },
    });
    expect(sets).toMatchObject({ mooring_epoch_c1: { external_ids: { 'mooring-epoch': String(epoch.value) } } });
    expect(PORT.name in (rest.Logical_Switch_Port ?? {})).toBe(false);
  });
});
