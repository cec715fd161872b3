import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNb, type TestNb, wish } from '../../test/ovn/database.ts';
import { CLUSTER, idsOfOwner, SUBNET, SWITCH } from '../../test/ovn/wishes.ts';
import { deleteOp, insertOp, updateOp, wireMap } from '../ovsdb/operations.ts';
import { createNbClient } from './database.ts';
import { formatEpochName, guardOps, takeEpoch } from './epoch.ts';
import { planOperations } from './plan-operations.ts';
import { EpochLost, RowOwnedByOther } from './problems.ts';
import { createWriter } from './writer.ts';

let db: TestNb;
beforeEach(async () => {
  db = await startNb();
});
afterEach(async () => {
  await db[Symbol.asyncDispose]();
});

const SCOPE = { cluster: CLUSTER, owners: [SUBNET] };

describe('formatEpochName', () => {
  it('keeps a name that address sets allow', () => expect(formatEpochName('c1')).toBe('mooring_epoch_c1'));
  it('is different for clusters that differ only in what address sets forbid', () => {
    const names = ['a-b', 'a_b', 'a.b', 'a b', 'a/b'].map(formatEpochName);
    expect(new Set(names).size).toBe(5);
    for (const name of names) expect(name).toMatch(/^[A-Za-z_.][A-Za-z0-9_.]*$/);
  });
});

describe('takeEpoch', () => {
  it.each([
    [0, 1n],
    [1, 1n],
    [7, 7n],
  ])('term %i on an empty database is epoch %s', async (term, value) => {
    const epoch = await takeEpoch(db.nb.client, CLUSTER, term);
    expect(epoch.value).toBe(value);
    expect((await db.dump()).Address_Set).toEqual({
      mooring_epoch_c1: {
        name: 'mooring_epoch_c1',
        external_ids: { 'mooring-cluster': 'c1', 'mooring-epoch': String(value) },
      },
    });
  });

  it.each([
    ['a term that does not grow', 3, 8n],
    ['a term far ahead', 100, 100n],
  ])('is higher than the one before with %s', async (_name, term, value) => {
    await takeEpoch(db.nb.client, CLUSTER, 7);
    expect((await takeEpoch(db.nb.client, CLUSTER, term)).value).toBe(value);
  });

  it('gives every one of many leaders at once another number', async () => {
    const others = Array.from({ length: 3 }, () => createNbClient({ remotes: [db.server.remote] }));
    for (const { client } of others) client.start();
    try {
      const epochs = await Promise.all(others.map(({ client }) => takeEpoch(client, CLUSTER, 1)));
      expect(new Set(epochs.map(({ value }) => value)).size).toBe(3);
    } finally {
      await Promise.all(others.map(({ client }) => client.stop()));
    }
  });

  it('starts anew over a value that nobody can read', async () => {
    await db.nb.client.transactAndSync([
      insertOp('Address_Set', {
        name: 'mooring_epoch_c1',
        external_ids: wireMap([
          ['mooring-cluster', 'c1'],
          ['mooring-epoch', '1e9'],
        ]),
      }),
    ]);
    expect((await takeEpoch(db.nb.client, CLUSTER, 2)).value).toBe(2n);
  });

  it("leaves another system's row of that name alone", async () => {
    await db.nb.client.transactAndSync([insertOp('Address_Set', { name: 'mooring_epoch_c1' })]);
    await expect(takeEpoch(db.nb.client, CLUSTER, 1)).rejects.toThrow(RowOwnedByOther);
    expect((await db.dump()).Address_Set).toEqual({ mooring_epoch_c1: { name: 'mooring_epoch_c1' } });
  });
});

describe('two leaders', () => {
  it('the older one changes nothing any more, and knows', async () => {
    const older = createWriter({ client: db.nb.client, epoch: await takeEpoch(db.nb.client, CLUSTER, 1) });
    const newer = createWriter({ client: db.nb.client, epoch: await takeEpoch(db.nb.client, CLUSTER, 1) });
    const wanted = wish({ switches: [SWITCH] });
    const before = await db.dump();
    await expect(older.apply(() => planOperations(db.nb.observed, wanted, SCOPE))).rejects.toThrow(EpochLost);
    expect(await db.dump()).toEqual(before);
    await newer.apply(() => planOperations(db.nb.observed, wanted, SCOPE));
    expect(Object.keys((await db.dump()).Logical_Switch ?? {})).toEqual([SWITCH.name]);
  });

  it.each([
    ['the row was deleted', [deleteOp('Address_Set', [])]],
    [
      'the database was emptied and begun anew with the same number',
      [
        deleteOp('Address_Set', []),
        insertOp('Address_Set', { name: 'other', external_ids: wireMap([...idsOfOwner(SUBNET)]) }),
      ],
    ],
    [
      'somebody changed its number',
      [
        updateOp('Address_Set', [], {
          external_ids: wireMap([
            ['mooring-cluster', 'c1'],
            ['mooring-epoch', '2'],
          ]),
        }),
      ],
    ],
  ])('the guard fails when %s', async (_name, operations) => {
    const epoch = await takeEpoch(db.nb.client, CLUSTER, 1);
    await db.nb.client.transactAndSync([...guardOps(epoch)]);
    await db.nb.client.transactAndSync(operations);
    await expect(db.nb.client.transactAndSync([...guardOps(epoch)])).rejects.toMatchObject({ code: 'wait-timed-out' });
  });
});
