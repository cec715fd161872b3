import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCast } from '../../../test/operator/objects.ts';
import { expectIdle, postSentinel, type Sentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { type Stage, startStage, until } from '../../../test/operator/stage.ts';
import { SCHEMA_FILES } from '../../../test/ovn/database.ts';
import { runTool } from '../../../test/ovsdb/tools.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { insertOp, type Operation, wireMap } from '../../ovsdb/operations.ts';
import type { WireValue } from '../../ovsdb/values.ts';

let stage: Stage;
let cast: ReturnType<typeof createCast>;
let sentinel: Sentinel;
beforeEach(async () => {
  stage = await startStage();
  cast = createCast(stage.api);
  sentinel = postSentinel(stage);
});
afterEach(async () => {
  sentinel[Symbol.dispose]();
  await stage[Symbol.asyncDispose]();
});

const findLsp = (name: string) => until(`switch port ${name}`, async () => (await stage.listLsps()).get(name));
const whenLsp = (name: string, chassis: string) =>
  until(`${name} on ${chassis}`, async () => {
    const lsp = (await stage.listLsps()).get(name);
    return lsp?.chassis === chassis ? lsp : undefined;
  });
const transact = (...operations: Operation[]) => stage.nb.nb.client.transactAndSync(operations);
const lspWhere: [string, '==', string][] = [['name', '==', 'pod/a/p1/eth0']];

/** Rows without the epoch, which goes up with every term. */
async function dumpRows() {
  const { Address_Set: _, ...rows } = await stage.nb.dump();
  return rows;
}

async function populate() {
  cast.node('n1');
  const vm = cast.vm('db');
  cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
  cast.vm('stopped');
  for (const name of ['p1', 'p2', 'p3']) cast.pod(name);
  await whenLsp('vm/a/db/default', 'n1');
  await findLsp('vm/a/stopped/default');
  for (const name of ['p1', 'p2', 'p3']) await whenLsp(`pod/a/${name}/eth0`, 'n1');
}

describe('a Northbound database that lost its past', () => {
  const file = () => join(stage.nb.server.dir, 'db');

  it('F49 wiped while the operator runs: every row is back with the same addresses', async () => {
    const operator = await stage.start();
    await populate();
    await whenSound(stage);
    const before = await dumpRows();
    await stage.nb.server.kill();
    await rm(file());
    await runTool('ovsdb-tool', ['create', file(), SCHEMA_FILES.nb.schemaPath]);
    await stage.nb.server.start();
    await until('all rows', async () => (await stage.listLsps()).size === 5);
    await whenSound(stage);
    expect(await dumpRows()).toEqual(before);
    expect(sentinel.wrong).toEqual([]);
    await expectIdle(stage, operator);
  });

  it.each([
    ['while the operator runs', true],
    ['while no operator runs', false],
  ])(
    'F49 restored from an old copy %s: what went is gone, what came is there, nobody has an address twice',
    async (_when, runs) => {
      const first = await stage.start();
      await populate();
      await whenSound(stage);
      await stage.nb.server.kill();
      await copyFile(file(), `${file()}.old`);
      await stage.nb.server.start();
      const freed = (await findLsp('pod/a/p1/eth0')).addresses.split(' ')[1] ?? '';
      cast.remove('pods', 'a/p1');
      await eventually('the release', () => stage.findPort('a/p1.eth0.pod') === undefined);
      cast.pod('heir', { annotations: { 'ovn.kubernetes.io/ip_address': freed } });
      expect((await findLsp('pod/a/heir/eth0')).addresses).toContain(freed);
      cast.remove('vms', 'a/stopped');
      await eventually('the release', () => stage.findPort('a/stopped.default.vm') === undefined);
      await whenSound(stage);
      const before = await dumpRows();
      if (!runs) await first.stop();
      await stage.nb.server.kill();
      await copyFile(`${file()}.old`, file());
      sentinel[Symbol.dispose]();
      await stage.nb.server.start();
      const operator = runs ? first : await stage.start();
      await until('the heir', async () => (await stage.listLsps()).has('pod/a/heir/eth0'));
      await whenSound(stage);
      expect(await dumpRows()).toEqual(before);
      await expectIdle(stage, operator);
    },
  );
});

describe('what somebody changes by hand', () => {
  const update = (row: Readonly<Record<string, WireValue>>): Operation => ({
    op: 'update',
    table: 'Logical_Switch_Port',
    where: lspWhere,
    row,
  });

  it.each<[string, () => Operation[]]>([
    ['another address', () => [update({ addresses: '0a:00:00:00:00:99 10.16.0.99' })]],
    ['no address', () => [update({ addresses: ['set', []] })]],
    ['no port security', () => [update({ port_security: ['set', []] })]],
    ['another chassis', () => [update({ options: wireMap([['requested-chassis', 'n7']]) })]],
    ['another type', () => [update({ type: 'localport' })]],
    ['disabled', () => [update({ enabled: false })]],
    [
      'all ports off the switch',
      () => [
        {
          op: 'update',
          table: 'Logical_Switch',
          where: [['name', '==', 'subnet/default']],
          row: { ports: ['set', []] },
        },
      ],
    ],
    ['the switch away', () => [{ op: 'delete', table: 'Logical_Switch', where: [['name', '==', 'subnet/default']] }]],
    ['the router away', () => [{ op: 'delete', table: 'Logical_Router', where: [['name', '==', 'vpc/default']] }]],
  ])('F52 %s: every row is as it was', async (_cause, change) => {
    const operator = await stage.start();
    await populate();
    await whenSound(stage);
    const before = await dumpRows();
    await transact(...change());
    await until('repaired', async () => JSON.stringify(await dumpRows()) === JSON.stringify(before)).catch(async () => {
      expect(await dumpRows()).toEqual(before);
    });
    await operator.stop();
  });
});

describe('another system on our switch', () => {
  const intrude = (name: string, addresses: string) =>
    transact(insertOp('Logical_Switch_Port', { name, addresses }, { uuidName: 'theirs' }), {
      op: 'mutate',
      table: 'Logical_Switch',
      where: [['name', '==', 'subnet/default']],
      mutations: [['ports', 'insert', ['named-uuid', 'theirs']]],
    });

  it('F53 takes an address that is free: it is given to nobody, and its row stays as it is', async () => {
    await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    await intrude('theirs', '0a:00:00:00:00:01 10.16.0.3');
    await until('it is seen', async () => (await stage.nb.dump()).Logical_Switch_Port?.theirs);
    for (const name of ['p2', 'p3']) cast.pod(name);
    const given = [await findLsp('pod/a/p2/eth0'), await findLsp('pod/a/p3/eth0')].map(({ addresses }) => addresses);
    expect(given.some((addresses) => addresses.endsWith(' 10.16.0.3'))).toBe(false);
    expect((await stage.nb.dump()).Logical_Switch_Port?.theirs).toMatchObject({
      addresses: ['0a:00:00:00:00:01 10.16.0.3'],
    });
    expect(sentinel.wrong).toEqual([]);
  });

  it("F53 bears the name of a port of ours: its row is left alone, and the port's condition says so", async () => {
    await stage.start();
    cast.pod('p1');
    await findLsp('pod/a/p1/eth0');
    const row = { external_ids: wireMap([['owner', 'somebody']]) };
    await transact({ op: 'update', table: 'Logical_Switch_Port', where: lspWhere, row });
    const getProgrammed = () =>
      stage.findPort('a/p1.eth0.pod')?.status?.conditions?.find(({ type }) => type === 'Programmed');
    await eventually('the condition', () => getProgrammed()?.reason === 'ProgrammingFailed');
    const now = (await stage.nb.dump()).Logical_Switch_Port?.['pod/a/p1/eth0'];
    expect(now).toMatchObject({ external_ids: { owner: 'somebody' } });
  });

  it('F53 takes the address of a pod of ours: the pod keeps it, and somebody is told', async () => {
    await stage.start();
    cast.pod('p1');
    const before = await findLsp('pod/a/p1/eth0');
    await intrude('theirs', `0a:00:00:00:00:01 ${before.addresses.split(' ')[1]}`);
    await eventually('an event', () => stage.events().some((event) => event.endsWith('p1.eth0.pod AddressConflict')));
    expect(await findLsp('pod/a/p1/eth0')).toEqual(before);
    expect((await stage.nb.dump()).Logical_Switch_Port).toHaveProperty('theirs');
  });
});
