import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCutter } from '../../test/ovn/cutter.ts';
import { startNb, type TestNb, wish } from '../../test/ovn/database.ts';
import { CLUSTER, DHCP, idsOfOwner, ROUTE, ROUTER, SUBNET, SWITCH, VPC } from '../../test/ovn/wishes.ts';
import { insertOp, type Operation, updateOp, whereUuid } from '../ovsdb/operations.ts';
import { createNbClient, type NbClient } from './database.ts';
import { takeEpoch } from './epoch.ts';
import { planOperations } from './plan-operations.ts';
import { EpochLost, ParentMissing } from './problems.ts';
import type { Wanted, WantedSwitch } from './wanted.ts';
import { createWriter, type Writer } from './writer.ts';

let db: TestNb;
let sent: number[];
beforeEach(async () => {
  db = await startNb();
  sent = [];
});
afterEach(async () => {
  await db[Symbol.asyncDispose]();
});

/** A writer that notes how many operations each of its transactions had. */
async function makeWriter(nb: NbClient = db.nb, batchSize = 256): Promise<Writer> {
  const epoch = await takeEpoch(nb.client, CLUSTER, 1);
  const { client } = nb;
  return createWriter({
    epoch,
    batchSize,
    client: {
      whenLive: (signal) => client.whenLive(signal),
      transact: (operations, options) => client.transact(operations, options),
      transactAndSync: (operations, options) => {
        sent.push(operations.length);
        return client.transactAndSync(operations, options);
      },
    },
  });
}

const switchOf = (name: string): WantedSwitch => ({ name, externalIds: idsOfOwner(`Subnet/${name}`) });
const planSwitch =
  (name: string, nb: NbClient = db.nb) =>
  (): Operation[] =>
    planOperations(nb.observed, wish({ switches: [switchOf(name)] }), { cluster: CLUSTER, owners: [`Subnet/${name}`] });
const listSwitches = async (): Promise<string[]> => Object.keys((await db.dump()).Logical_Switch ?? {});

describe('batches', () => {
  it('puts plans that come together into one transaction', async () => {
    const writer = await makeWriter();
    await Promise.all(['a', 'b', 'c'].map((name) => writer.apply(planSwitch(name))));
    expect(await listSwitches()).toEqual(['a', 'b', 'c']);
    expect(sent).toHaveLength(1);
  });

  it('sends nothing when nothing differs', async () => {
    const writer = await makeWriter();
    await writer.apply(planSwitch('a'));
    await writer.apply(planSwitch('a'));
    expect(sent).toHaveLength(1);
  });

  it('has the result in the replica when it resolves', async () => {
    const writer = await makeWriter();
    await writer.apply(planSwitch('a'));
    expect(planSwitch('a')()).toEqual([]);
  });

  it('harms no other plan when one is refused by the server', async () => {
    const writer = await makeWriter();
    const bad = (): Operation[] => [insertOp('Logical_Router_Static_Route', { policy: 'nonsense' })];
    const outcomes = await Promise.allSettled([
      writer.apply(planSwitch('a')),
      writer.apply(bad),
      writer.apply(planSwitch('b')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await listSwitches()).toEqual(['a', 'b']);
  });

  it('harms no other plan when one cannot be made', async () => {
    const writer = await makeWriter();
    const bad = (): Operation[] => {
      throw new ParentMissing('T', 'k', 'child');
    };
    const outcomes = await Promise.allSettled([writer.apply(bad), writer.apply(planSwitch('a'))]);
    expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'parent-missing' } });
    expect(await listSwitches()).toEqual(['a']);
  });

  it('tells apart plans that insert the same row: the second finds it done', async () => {
    const writer = await makeWriter();
    await Promise.all([writer.apply(planSwitch('a')), writer.apply(planSwitch('a'))]);
    expect(await listSwitches()).toEqual(['a']);
  });

  it('keeps the number of plans in one transaction bounded', async () => {
    const writer = await makeWriter(db.nb, 2);
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) void writer.apply(planSwitch(name));
    await writer.idle();
    expect(await listSwitches()).toEqual(names);
    expect(sent).toHaveLength(3);
  });
});

describe('a replica that is behind', () => {
  it('an update of a row that is gone is no success', async () => {
    const writer = await makeWriter();
    const gone = '00000000-0000-4000-8000-000000000001';
    const update = (): Operation[] => [updateOp('Logical_Switch', whereUuid(gone), { name: 'x' })];
    await expect(writer.apply(update)).rejects.toMatchObject({ code: 'row-vanished', class: 'retry' });
  });

  it('the epoch ends for all plans of a batch and for all later ones', async () => {
    const writer = await makeWriter();
    await takeEpoch(db.nb.client, CLUSTER, 1);
    const outcomes = await Promise.allSettled(['a', 'b'].map((name) => writer.apply(planSwitch(name))));
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'epoch-lost' } });
    sent.length = 0;
    await expect(writer.apply(planSwitch('c'))).rejects.toThrow(EpochLost);
    expect(sent).toEqual([]);
    expect(await listSwitches()).toEqual([]);
  });
});

describe('a lost answer', () => {
  it.each(['before', 'after'] as const)('cut %s the server has the transaction: written once', async (when) => {
    await using cutter = await startCutter(db.server.socket);
    const nb = createNbClient({ remotes: [`unix:${cutter.socket}`], backoff: { minMs: 1, maxMs: 10 } });
    nb.client.start();
    try {
      const writer = await makeWriter(nb);
      cutter.cutOnce(when, '"Logical_Switch"');
      await writer.apply(planSwitch('a', nb));
      expect(cutter.cuts).toBe(1);
      expect(await listSwitches()).toEqual(['a']);
    } finally {
      await nb.client.stop();
    }
  });

  it('with a newer leader meanwhile: nothing is written again', async () => {
    await using cutter = await startCutter(db.server.socket);
    const nb = createNbClient({ remotes: [`unix:${cutter.socket}`], backoff: { minMs: 1, maxMs: 10 } });
    nb.client.start();
    try {
      const writer = await makeWriter(nb);
      await takeEpoch(db.nb.client, CLUSTER, 1);
      cutter.cutOnce('before', '"Logical_Switch"');
      await expect(writer.apply(planSwitch('a', nb))).rejects.toThrow(EpochLost);
      expect(await listSwitches()).toEqual([]);
    } finally {
      await nb.client.stop();
    }
  });

  it.each<[string, Partial<Wanted>, string]>([
    ['switch', { switches: [SWITCH] }, 'Logical_Switch'],
    ['router', { routers: [ROUTER] }, 'Logical_Router'],
    ['DHCP row', { dhcpOptions: [DHCP] }, 'DHCP_Options'],
    ['route', { routers: [ROUTER], routes: [ROUTE] }, 'Logical_Router_Static_Route'],
  ])('a %s is not inserted twice when the replica does not show the first one', async (_name, parts, table) => {
    const scope = { cluster: CLUSTER, owners: [SUBNET, VPC] };
    const { routes, ...parents } = { routes: [], ...parts };
    if (routes.length > 0) await db.nb.client.transactAndSync(planOperations(db.nb.observed, wish(parents), scope));
    const operations = planOperations(db.nb.observed, wish(parts), scope);
    await db.nb.client.transactAndSync(operations);
    await expect(db.nb.client.transactAndSync(operations)).rejects.toMatchObject({ code: 'wait-timed-out' });
    expect(Object.keys((await db.dump())[table] ?? {})).toHaveLength(1);
  });
});
