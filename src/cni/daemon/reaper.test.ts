import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatRequest } from '../protocol.ts';
import { add } from './add.ts';
import { createReaper } from './reaper.ts';
import { createFakeWorld, type FakeWorld, REQUEST } from './testing/fake-context.ts';

let folder: string;
let world: FakeWorld;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spool-'));
  await mkdir(places().spool);
  world = createFakeWorld();
  await add(world.context, REQUEST, new AbortController().signal);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const DEL = [
  ['CNI_COMMAND', 'DEL'],
  ['CNI_CONTAINERID', 'c1'],
  ['CNI_IFNAME', 'eth0'],
] as const;
const places = () => ({ spool: join(folder, 'spool'), aside: join(folder, 'quarantine') });
const list = async () => (await readdir(places().spool)).sort();
const spool = (name: string, variables: readonly (readonly [string, string])[]) =>
  writeFile(join(places().spool, name), formatRequest({ env: new Map(variables), stdin: '{}' }));

describe('the spool', () => {
  test('is carried out and emptied', async () => {
    await spool('1.del', DEL);
    expect(await createReaper(world.context, places()).replaySpool()).toBe(1);
    expect(world.ports.size).toBe(0);
    expect(await list()).toEqual([]);
  });

  test('puts aside what it does not understand and carries out the rest', async () => {
    await writeFile(join(places().spool, '0.del'), 'garbage');
    await spool('1.del', [['CNI_COMMAND', 'ADD'], ...DEL.slice(1)]);
    await spool('2.del', [
      ['CNI_COMMAND', 'DEL'],
      ['CNI_CONTAINERID', '../../x'],
    ]);
    await spool('3.del', DEL);
    await writeFile(join(places().spool, '4.del'), Buffer.alloc(2 * 1024 * 1024));
    await mkdir(join(places().spool, '5.del'));
    await createReaper(world.context, places()).replaySpool();
    expect(world.ports.size).toBe(0);
    expect(await list()).toEqual([]);
    const bad = [0, 1, 2, 4, 5].map((number) => `spool-${number}.del.bad`);
    expect((await readdir(places().aside)).sort()).toEqual(bad);
  });

  test('is carried out although what cannot be read cannot be put aside either', async () => {
    await writeFile(join(places().spool, '0.del'), 'garbage');
    await spool('1.del', DEL);
    await writeFile(places().aside, 'a file where the folder should be');
    expect(await createReaper(world.context, places()).replaySpool()).toBe(2);
    expect(world.ports.size).toBe(0);
    expect(await list()).toEqual(['0.del']);
    expect(world.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('loses what a killed shim has left of a file, once two rounds have seen it', async () => {
    await writeFile(join(places().spool, '.4.tmp'), 'half');
    const reaper = createReaper(world.context, places());
    await reaper.replaySpool();
    await writeFile(join(places().spool, '.5.tmp'), 'half of a younger one');
    await reaper.replaySpool();
    expect(await list()).toEqual(['.5.tmp']);
  });

  test('keeps a DEL that cannot be carried out, for the next time', async () => {
    await spool('1.del', DEL);
    world.fault = (step) => {
      if (step === 'ports.remove' || step === 'journal.put') throw new Error('all is broken');
    };
    await expect(createReaper(world.context, places()).replaySpool()).rejects.toThrow('all is broken');
    expect(await list()).toEqual(['1.del']);
  });

  test('carries out the others when one cannot be', async () => {
    await add(world.context, { ...REQUEST, containerId: 'c2' }, new AbortController().signal);
    await spool('1.del', DEL);
    await spool('2.del', [DEL[0], ['CNI_CONTAINERID', 'c2'], DEL[2]]);
    let tries = 0;
    world.fault = (step) => {
      if (step === 'ports.remove') tries += 1;
      if (tries === 1 && ['ports.remove', 'journal.put'].includes(step)) throw new Error('all is broken');
    };
    await expect(createReaper(world.context, places()).replaySpool()).rejects.toThrow('all is broken');
    expect(await list()).toEqual(['1.del']);
    expect([...world.entries.keys()]).toEqual(['c1/eth0']);
  });

  test('is taken in before calls are: an ADD that waited for the agent is not undone by the DEL before it', async () => {
    await spool('1.del', DEL);
    await writeFile(join(places().spool, '0.del'), 'garbage');
    const reaper = createReaper(world.context, places());
    await reaper.takeSpool();
    expect(await list()).toEqual([]);
    expect(await readdir(places().aside)).toEqual(['spool-0.del.bad']);
    expect(world.entries.get('c1/eth0')?.state).toBe('releasing');
    await add(world.context, REQUEST, new AbortController().signal);
    await reaper.replaySpool();
    await reaper.round();
    expect(world.ports.size).toBe(1);
    expect(world.entries.get('c1/eth0')?.state).toBe('attached');
  });

  test('is carried out by a round when no ADD has come', async () => {
    await spool('1.del', DEL);
    const reaper = createReaper(world.context, places());
    await reaper.takeSpool();
    expect(await reaper.round()).toEqual({ removed: 1, suspected: 0 });
    expect(world.ports.size).toBe(0);
    expect(world.entries.size).toBe(0);
  });

  test('is made when it is not there: the shim does not make it', async () => {
    const path = join(folder, 'new');
    expect(await createReaper(world.context, { ...places(), spool: path }).replaySpool()).toBe(0);
    expect(await readdir(path)).toEqual([]);
  });
});

describe('a round', () => {
  test('removes what is suspected twice, and nothing that is healthy', async () => {
    const reaper = createReaper(world.context, places());
    expect(await reaper.round()).toEqual({ removed: 0, suspected: 0 });
    world.links.clear();
    expect(await reaper.round()).toEqual({ removed: 0, suspected: 1 });
    expect(world.ports.size).toBe(1);
    expect(await reaper.round()).toEqual({ removed: 1, suspected: 0 });
    expect(world.ports.size).toBe(0);
    expect(world.entries.size).toBe(0);
  });

  test('removes a host end that belongs to nothing', async () => {
    const reaper = createReaper(world.context, places());
    world.links.add('mffffffffffffff');
    world.links.add('mgmt0');
    await reaper.round();
    await reaper.round();
    expect([...world.links].sort()).toEqual(['mgmt0', [...world.ports.keys()][0]].sort());
  });

  test('does not take a pod for gone that came while it looked', async () => {
    const reaper = createReaper(world.context, places());
    world.pods.clear();
    await reaper.round();
    world.pods.set('shop/web', { metadata: { uid: 'u1' } });
    expect(await reaper.round()).toEqual({ removed: 0, suspected: 0 });
    expect(world.ports.size).toBe(1);
  });

  test('takes nothing for unknown while the OVS database cannot be read', async () => {
    const reaper = createReaper(world.context, places());
    const [port] = world.ports.values();
    const links = [...world.links];
    world.live = false;
    world.ports.clear();
    world.entries.clear();
    for (const _round of [1, 2, 3]) expect(await reaper.round()).toEqual({ removed: 0, suspected: 0 });
    expect([...world.links]).toEqual(links);
    world.live = true;
    if (port !== undefined) world.ports.set(port.name, port);
    expect(await reaper.round()).toEqual({ removed: 0, suspected: 0 });
  });

  test('goes on after what cannot be removed, and tells of it', async () => {
    const reaper = createReaper(world.context, places());
    await add(world.context, { ...REQUEST, containerId: 'c2' }, new AbortController().signal);
    world.links.clear();
    world.links.add('mffffffffffffff');
    await reaper.round();
    let failed = false;
    world.fault = (step) => {
      if (step !== 'ports.remove' || failed) return;
      failed = true;
      throw new Error('no such luck');
    };
    await expect(reaper.round()).rejects.toThrow('no such luck');
    expect([...world.entries.keys()]).toEqual(['c1/eth0']);
    expect([...world.links]).toEqual([]);
  });

  test('leaves an attachment that was made anew after the round had looked', async () => {
    const late = { ...REQUEST, containerId: 'c2' };
    await add(world.context, late, new AbortController().signal);
    for (const [key, entry] of world.entries) world.entries.set(key, { ...entry, state: 'releasing' });
    let came = false;
    world.fault = async (step) => {
      if (step !== 'ports.remove' || came) return;
      came = true;
      await add(world.context, late, new AbortController().signal);
    };
    await createReaper(world.context, places()).round();
    expect([...world.entries.values()].map(({ containerId, state }) => [containerId, state])).toEqual([
      ['c2', 'attached'],
    ]);
    expect([...world.ports.values()].map(({ containerId }) => containerId)).toEqual(['c2']);
  });
});
