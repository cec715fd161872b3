import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatRarp } from '../../../test/operator/fleet.ts';
import { useSea } from '../../../test/operator/sea.ts';
import { until } from '../../../test/operator/stage.ts';
import { SCHEMA_FILES } from '../../../test/ovn/database.ts';
import { runTool } from '../../../test/ovsdb/tools.ts';

const NODES = ['n1', 'n2'];
const sea = useSea(NODES);

const whenCondition = (text: string) =>
  until(`Bound ${text}`, async () => sea.findCondition('Bound') === text || undefined).catch((error: unknown) => {
    throw new Error(`Bound is ${sea.findCondition('Bound')}`, { cause: error });
  });
/** Statuses that say little are written late; a change of the pod's brings a turn. */
const whenNotBound = () =>
  until('not bound', async () => !sea.findCondition('Bound')?.startsWith('True/') || undefined);

async function stopControllers() {
  for (const node of NODES) await sea.fleet.ship(node).kill('controller');
}
async function startControllers() {
  for (const node of NODES) await sea.fleet.ship(node).revive();
}

/** An empty database in the place of the old one. */
async function wipeSouthbound() {
  const { sb } = sea.stage;
  await sb.kill();
  rmSync(join(sb.dir, 'db'));
  await runTool('ovsdb-tool', ['create', join(sb.dir, 'db'), SCHEMA_FILES.sb.schemaPath]);
  await sb.start();
  await sea.fleet.sbctl('init');
}

describe('the Southbound database', () => {
  it('F50 wiped while nodes are away: no port is called bound, and all heal when they are back', async () => {
    await sea.start();
    await whenCondition('True/Bound');
    await stopControllers();
    await wipeSouthbound();
    await whenNotBound();
    expect(sea.voyage.asked.at(-1)).toBe('n1');
    await startControllers();
    await sea.whenBound('n1 |  | up');
    await whenCondition('True/Bound');
  });

  it('F50 wiped in the middle of a migration: what is asked for stays, and the guest that moves meanwhile is found', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    await stopControllers();
    await wipeSouthbound();
    await sea.whenBound(' |  | down');
    expect(sea.voyage.asked.at(-1)).toBe('n1,n2');
    leg.ready();
    await sea.voyage.whenAsked('n2');
    await startControllers();
    await sea.whenBound('n2 |  | up');
    leg.complete();
    await whenCondition('True/Bound');
    expect(sea.voyage.asked.slice(-2)).toEqual(['n1,n2', 'n2']);
  });
});

describe('northd', () => {
  it('F50 paused when the guest has moved: nobody calls the port bound on the source, and it heals', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    await whenCondition('True/Bound');
    sea.fleet.northd.pause();
    leg.handOver();
    leg.complete();
    await sea.voyage.whenAsked('n2,n1');
    await whenNotBound();
    expect(sea.findCondition('Bound')).toBe('False/WaitingForChassis');
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 | n2 | up');
    sea.fleet.northd.resume();
    await sea.whenBound('n2 |  | up');
    await sea.voyage.whenAsked('n2');
    await whenCondition('True/Bound');
  });

  it('F50 dead when a migration begins and ends: the port is bound all along, and a new guest is not until it is back', async () => {
    await sea.start();
    await sea.fleet.northd.kill();
    const leg = sea.voyage.prepare('n2');
    await sea.voyage.whenAsked('n1,n2');
    await sea.plug('n2');
    leg.handOver();
    leg.fail();
    await sea.voyage.whenAsked('n1');
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 |  | up');
    sea.voyage.land();
    await sea.unplug('n1');
    sea.voyage.board('n2');
    await sea.voyage.whenAsked('n2');
    await whenCondition('False/WaitingForChassis');
    sea.fleet.northd.start();
    await sea.whenBound('n2 |  | up');
    await whenCondition('True/Bound');
  });
});

describe('the gate, without a strategy of OVN', () => {
  it('F28 an announcement from the target before the guest is there: it moves nothing in OVN', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    await sea.fleet.sync();
    const mac = sea.stage.findPort(sea.voyage.port)?.spec.mac ?? '';
    await sea.fleet.ship('n2').send(sea.nameOf('tap'), formatRarp(mac));
    await sea.fleet.sync();
    expect(sea.fleet.findBinding(sea.voyage.lsp)).toBe('n1 | n2 | up');
    expect(sea.fleet.bindings.findPortBinding(sea.voyage.lsp)?.activated).toEqual([]);
    expect(sea.voyage.asked.at(-1)).toBe('n1,n2');
  });
});

describe('ovn-controller and vswitchd', () => {
  it.each(['controller', 'switch'] as const)(
    'F51 %s of the target killed before the guest arrives: the port follows when it is back, and nothing goes back',
    async (program) => {
      await sea.start();
      const leg = await sea.prepare('n2');
      await sea.fleet.ship('n2').kill(program);
      leg.handOver();
      leg.ready();
      await until('the target first', async () => sea.voyage.asked.at(-1)?.startsWith('n2') || undefined);
      leg.complete();
      await sea.fleet.ship('n2').revive();
      await sea.whenBound('n2 |  | up');
      await sea.voyage.whenAsked('n2');
      const after = sea.voyage.asked.slice(sea.voyage.asked.indexOf('n1,n2') + 1);
      expect(after.every((chassis) => chassis?.startsWith('n2'))).toBe(true);
    },
  );

  it.each(['controller', 'switch'] as const)(
    'F51 %s of the source killed during the migration, which fails: the source has the port when it is back',
    async (program) => {
      await sea.start();
      const leg = await sea.prepare('n2');
      leg.handOver();
      await sea.fleet.ship('n1').kill(program);
      leg.fail();
      await sea.voyage.whenAsked('n1');
      await sea.fleet.ship('n1').revive();
      await sea.whenBound('n1 |  | up');
      expect(sea.voyage.asked.slice(-3)).toEqual(['n1', 'n1,n2', 'n1']);
    },
  );

  it('F51 all of both nodes killed in the moment of the commit: the guest’s chassis has the port in the end', async () => {
    await sea.start();
    const leg = await sea.prepare('n2');
    leg.handOver();
    leg.ready();
    for (const node of NODES) await sea.fleet.ship(node).kill('controller', 'switch');
    leg.complete();
    await startControllers();
    await sea.whenBound('n2 |  | up');
    await sea.voyage.whenAsked('n2');
  });
});
