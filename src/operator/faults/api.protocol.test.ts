import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDice } from '../../../test/operator/mortal.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { expectIdle, postSentinel, type Sentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, type Stage, type Started, startStage, until } from '../../../test/operator/stage.ts';
import { eventually } from '../../kube/testing/eventually.ts';

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
const listNames = async () => [...(await stage.listLsps()).keys()].sort();
const settleOn = (names: readonly string[]) =>
  until(`exactly ${names.join(' ')}`, async () => (await listNames()).join() === [...names].sort().join());

/** A VM that runs, one that is stopped and two pods; gives the addresses of the VMs. */
async function populate() {
  const vm = cast.vm('db');
  cast.launcher('l1', cast.vmi('db', vm), { node: 'n1' });
  cast.vm('stopped');
  for (const name of ['p1', 'p2']) cast.pod(name);
  const vms = [await findLsp('vm/a/db/default'), await findLsp('vm/a/stopped/default')];
  await findLsp('pod/a/p2/eth0');
  return vms.map(({ addresses }) => addresses);
}

/** What happens while the operator does not hear of it: one pod goes, its name comes again, one VM goes, one comes. */
function changeUnheard() {
  cast.remove('pods', 'a/p1');
  cast.remove('vms', 'a/stopped');
  cast.pod('p3');
  cast.remove('pods', 'a/p2');
  cast.pod('p2');
}
const AFTER = ['pod/a/p2/eth0', 'pod/a/p3/eth0', 'vm/a/db/default'];

async function expectSound(operator: Started): Promise<void> {
  await whenSound(stage);
  expect(sentinel.wrong).toEqual([]);
  await expectIdle(stage, operator);
}

describe('news that do not come as they should', () => {
  it('F43 410 Gone on every watch: what went is inferred, what stayed is never freed', async () => {
    const operator = await stage.start();
    const [db] = await populate();
    const requests: string[] = [];
    stage.api.fault = ({ verb }) => (verb === 'watch' ? 'reset' : undefined);
    for (const watch of stage.api.watches) watch.reset();
    changeUnheard();
    stage.api.storage.compact();
    stage.api.fault = ({ verb, collection }) => {
      if (verb === 'delete') requests.push(collection);
      return undefined;
    };
    await settleOn(AFTER);
    expect((await findLsp('vm/a/db/default')).addresses).toBe(db);
    expect(stage.findPort('a/db.default.vm')?.metadata.deletionTimestamp).toBeUndefined();
    await expectSound(operator);
  });

  it('F44 a burst of 429, 500 and 503: all is done in the end, and nothing twice', async () => {
    const dice = createDice(44);
    const operator = await stage.start();
    const [db] = await populate();
    let refused = 0;
    stage.api.fault = ({ collection }) => {
      if (collection.endsWith('/leases') || dice() > 0.75 || refused === 40) return undefined;
      refused += 1;
      return { status: [429, 500, 503][Math.floor(dice() * 3)] ?? 429, retryAfter: 0 };
    };
    changeUnheard();
    for (const watch of stage.api.watches) watch.end();
    await eventually('refusals', () => refused > 10);
    await settleOn(AFTER);
    stage.api.fault = undefined;
    expect((await findLsp('vm/a/db/default')).addresses).toBe(db);
    await expectSound(operator);
  });

  it('F45 half-open watches that are replaced: what happened meanwhile is made up for', async () => {
    const operator = await stage.start();
    const [db] = await populate();
    for (const watch of stage.api.watches) watch.freeze();
    changeUnheard();
    // The idle timer of the reflector, which its own test waits for, ends them at last.
    for (const watch of stage.api.watches) watch.reset();
    await settleOn(AFTER);
    expect((await findLsp('vm/a/db/default')).addresses).toBe(db);
    await expectSound(operator);
  });

  it('F45 events doubled, late and out of order: the same as if they had come well', async () => {
    const dice = createDice(45);
    const operator = await stage.start();
    const [db] = await populate();
    const late: string[] = [];
    stage.api.mangle = (line) => {
      const fate = dice();
      if (fate < 0.3) return [line, line];
      if (fate < 0.5 && line.includes('"ADDED"')) return [line, ...late.splice(0)];
      if (fate < 0.6) {
        // An older state of the same kind of object comes again later.
        late.push(line);
        return [line];
      }
      return [line];
    };
    for (let round = 0; round < 5; round += 1) {
      for (const name of ['x', 'y', 'z']) cast.pod(`${name}${round}`);
      await findLsp(`pod/a/z${round}/eth0`);
      for (const name of ['x', 'y', 'z']) cast.remove('pods', `a/${name}${round}`);
    }
    changeUnheard();
    stage.api.mangle = undefined;
    for (const watch of stage.api.watches) watch.reset();
    await settleOn(AFTER);
    expect((await findLsp('vm/a/db/default')).addresses).toBe(db);
    await expectSound(operator);
  });

  it('F45 lost DELETE events: a new sandbox of the same name is another pod, and the next list finds the rest', async () => {
    const operator = await stage.start();
    const [db] = await populate();
    const users: readonly string[] = [COLLECTIONS.pods, COLLECTIONS.vms];
    stage.api.mangle = (line, { collection, type }) => (type === 'DELETED' && users.includes(collection) ? [] : [line]);
    const before = await findLsp('pod/a/p2/eth0');
    changeUnheard();
    await until('the new p2', async () => {
      const lsp = (await stage.listLsps()).get('pod/a/p2/eth0');
      return lsp !== undefined && lsp.addresses !== before.addresses;
    });
    stage.api.mangle = undefined;
    stage.api.storage.compact();
    for (const watch of stage.api.watches) watch.reset();
    await settleOn(AFTER);
    expect((await findLsp('vm/a/db/default')).addresses).toBe(db);
    await expectSound(operator);
  });
});

describe('an API server that is away', () => {
  it('F46 no row goes while nothing can be asked, and what happened meanwhile is done when it is back', async () => {
    const operator = await stage.start();
    await populate();
    await whenSound(stage);
    const rows = await stage.nb.dump();
    await stage.api.stop();
    await eventually('the end of the lead', () => !operator.operator.isLeader());
    expect((await stage.nb.dump()).Logical_Switch_Port).toEqual(rows.Logical_Switch_Port);
    changeUnheard();
    await stage.api.restart();
    await settleOn(AFTER);
    await expectSound(operator);
  });
});

describe('a storm of conflicts', () => {
  it('F47 every second write meets a 409: each port is made once and bound', async () => {
    let writes = 0;
    stage.api.fault = ({ verb, collection }) => {
      if (!['update', 'patch', 'create'].includes(verb) || collection.endsWith('/leases')) return undefined;
      writes += 1;
      return writes % 2 === 1 ? { status: 409, reason: 'Conflict' } : undefined;
    };
    const operator = await stage.start();
    await populate();
    changeUnheard();
    await settleOn(AFTER);
    stage.api.fault = undefined;
    await expectSound(operator);
  });
});

describe('reads of the API', () => {
  it('K13 a hundred changes of a running VM and its launcher make none', async () => {
    await stage.start();
    await populate();
    await until('running', async () => (await stage.listLsps()).get('vm/a/db/default')?.chassis === 'n1');
    await whenSound(stage);
    const countReads = () => stage.api.requests.filter(({ verb }) => verb === 'get' || verb === 'list').length;
    const isOfLease = ({ collection }: { collection: string }) => collection.endsWith('/leases');
    const leases = () => stage.api.requests.filter((request) => request.verb === 'get' && isOfLease(request)).length;
    const before = countReads() - leases();
    for (let n = 0; n < 50; n += 1) {
      cast.setStatus('pods', 'a/l1', { phase: 'Running', message: String(n) });
      cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1', note: n });
    }
    cast.pod('marker');
    await findLsp('pod/a/marker/eth0');
    expect(countReads() - leases() - before).toBe(0);
  });
});
