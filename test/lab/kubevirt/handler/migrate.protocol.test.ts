import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../command.ts';
import { runInGuest } from '../../guest/console.ts';
import { pathsOf } from '../../guest/guest.ts';
import { ensureGuestImage, type GuestImage } from '../../guest/image.ts';
import type { Qmp } from '../../guest/qmp.ts';
import { findCacheDir } from '../../state.ts';
import type { MigrationState } from '../objects.ts';
import { writeSeed } from './cloud-init.ts';
import { setLink, takeLinksDown, withLink } from './device.ts';
import { findFigures, recordEvent } from './figures.ts';
import { command, prepareTarget, send, takeFigures } from './migrate.ts';
import { createMonitors, type Monitors, readGuest } from './monitors.ts';
import { isAlive, kill } from './netns.ts';
import type { HandlerPod } from './pod.ts';
import { createRecords, type GuestRecord, type NicPlan, type Process, type Records } from './record.ts';
import { BRIDGE, createTestBed, MAC, type Started, startIn, type TestBed } from './testing.ts';
import type { NodeTools } from './tools.ts';
import type { Guest } from './view.ts';

/** One side of a migration: its guest, and what the node half of its node works with. */
type Side = { tools: NodeTools; record: GuestRecord; guest: Started; handler: HandlerPod };

let bed: TestBed;
let image: GuestImage;
let started: Process[];
let records: Records;
let monitors: Monitors;
const sides = new Map<string, GuestRecord>();

beforeEach(async () => {
  image = await ensureGuestImage(findCacheDir(process.env));
  bed = await createTestBed();
  started = [];
  const known = createRecords(join(bed.dir, 'records'));
  records = { ...known, dirOf: (uid) => join(bed.dir, uid) };
  monitors = createMonitors((podUid, event) => {
    const record = sides.get(podUid);
    if (record !== undefined) recordEvent(bed.dir, record, event);
  });
  sides.clear();
});

afterEach(async () => {
  for (const uid of ['s', 't']) monitors.drop(uid);
  started.push(...(await records.load()).flatMap(({ relay }) => relay ?? []));
  for (const process of started) kill(process);
  await bed.end();
});

async function startSide(name: 's' | 't', address: string, seed = false): Promise<Side> {
  const incoming = name === 't';
  const wanted = { image, name, spec: BRIDGE, address: '10.77.0.5/24', incoming };
  const guest = await startIn(bed, seed ? { ...wanted, seed: await makeSeed(name) } : wanted);
  const handler = await bed.addHandler(`h${name}`, address);
  started.push(...guest.processes, handler.process);
  const record: GuestRecord = {
    ...{ podUid: name, podName: name, namespace: 'default', vmi: 'vm1', vmiUid: 'u', node: name },
    ...{ stage: incoming ? 'incoming' : 'booted', nics: guest.nics, qemu: guest.qemu, migrationUid: 'm1' },
  };
  await records.save(record);
  sides.set(name, record);
  await monitors.find(name, guest.dir);
  const node = { name, index: 1, mgmtIp: '', mgmtIp6: '', underlayIp: '', migrationIp: '', netns: '', dir: '' };
  const tools: NodeTools = {
    ...{ labDir: bed.dir, node: { ...node, containerdSocket: '', mountNsPid: 1 }, image, records, monitors },
    plugins: () => ({}),
    traffic: { find: async () => handler },
  };
  return { tools, record, guest, handler };
}

/** Each side makes its own. */
async function makeSeed(name: string): Promise<string> {
  const ethernets = { nic0: { match: { macaddress: MAC }, addresses: ['10.77.0.5/24'] } };
  const dir = join(bed.dir, `seed-${name}`);
  mkdirSync(dir);
  return writeSeed(dir, {
    ...{ DataSource: 'noCloud', NoCloudMetaData: {}, ConfigDriveMetaData: null, UserData: '', DevicesData: null },
    ...{ NetworkData: JSON.stringify({ version: 2, ethernets }), VolumeName: 'seed' },
  });
}

const asGuest = ({ record }: Side): Guest => ({
  ...{ record, pod: undefined, alive: true, run: 'running', migrate: undefined, relay: false },
});

/** A booted source with something in its memory, and its target. */
async function startBoth(seed = false): Promise<{ source: Side; target: Side }> {
  const source = await startSide('s', '198.18.2.11', seed);
  await expectIn(source, 'touch /run/mark', 30_000);
  const target = await startSide('t', '198.18.2.12', seed);
  return { source, target };
}

/** Runs a command in a guest, which may still be booting. */
async function expectIn({ guest }: Side, line: string, timeoutMs: number): Promise<string> {
  const done = await waitFor(async () => {
    const answer = await runInGuest(pathsOf(guest.dir).console, line, 2000).catch(() => undefined);
    return answer?.code === 0 ? answer : undefined;
  }, timeoutMs);
  if (done === undefined) throw new Error(`${line}: no answer`);
  return done.output;
}

async function migrate({ source, target }: { source: Side; target: Side }, postCopy = false): Promise<void> {
  const relay = await prepareTarget(target.tools, asGuest(target), postCopy);
  expect(relay).toMatchObject({ address: '198.18.2.12', network: 'migration' });
  const state: MigrationState = {
    migrationUid: 'm1',
    targetNodeAddress: '198.18.2.12',
    targetDirectMigrationNodePorts: { [relay?.port ?? 0]: 49152 },
    migrationConfiguration: { bandwidthPerMigration: '96Mi' },
  };
  expect(await send(source.tools, asGuest(source), { state, postCopy })).toBe(true);
}

type Known = { run: string | undefined; migrate: string | undefined };

async function findMonitor({ tools, record, guest }: Side): Promise<Qmp> {
  const monitor = await tools.monitors.find(record.podUid, guest.dir);
  if (monitor === undefined) throw new Error('no monitor');
  return monitor;
}

async function awaitState(side: Side, check: (known: Known) => boolean): Promise<Known> {
  const monitor = await findMonitor(side);
  let last: Known = { run: undefined, migrate: undefined };
  const reached = await waitFor(
    async () => {
      last = await readGuest(monitor);
      return check(last) ? last : undefined;
    },
    20_000,
    10,
  );
  if (reached === undefined) throw new Error(`it stays ${JSON.stringify(last)}`);
  return reached;
}

const ended = (side: Side) => awaitState(side, ({ migrate: state }) => state === 'completed' || state === 'failed');

describe('a live migration between two virt-handler pods', () => {
  it('moves the running guest by the pods addresses and tells when it stood still', async () => {
    const both = await startBoth();
    await expectIn(both.source, 'dirty 16 20', 5000);
    await migrate(both);
    expect(await ended(both.source)).toEqual({ run: 'postmigrate', migrate: 'completed' });
    expect(await awaitState(both.target, ({ run }) => run === 'running')).toMatchObject({ migrate: 'completed' });
    expect(await expectIn(both.target, 'ls /run/mark', 5000)).toBe('/run/mark\n');
    const monitor = await monitors.find('s', both.source.guest.dir);
    expect(await monitor?.execute('query-migrate-parameters')).toMatchObject({ 'max-bandwidth': 96 * 2 ** 20 });
    await takeFigures(both.source.tools, both.source.record);
    const figures = findFigures(bed.dir, 'm1');
    expect(figures).toMatchObject({ address: '198.18.2.12', fromAddress: '198.18.2.11', status: 'completed' });
    expect(figures?.transferredBytes).toBeGreaterThan(16 * 2 ** 20);
    expect((figures?.resumedAt ?? 0) - (figures?.stoppedAt ?? 0)).toBeGreaterThan(0);
  });

  it('moves a guest with a disk of cloud-init’s data, which it reads there as before', async () => {
    const both = await startBoth(true);
    await migrate(both);
    expect(await ended(both.source)).toEqual({ run: 'postmigrate', migrate: 'completed' });
    await awaitState(both.target, ({ run }) => run === 'running');
    const look = 'echo 3 >/proc/sys/vm/drop_caches; cat /seed/network-config /run/configured; ip addr show eth0';
    const said = await expectIn(both.target, look, 10_000);
    expect(said).toContain('"version":2');
    expect(said).toContain('}done\n');
    expect(said).toContain('inet 10.77.0.5/24');
  });

  it('keeps the link of a NIC down, and lets it be put up there', async () => {
    const both = await startBoth();
    const [nic] = both.source.record.nics as [NicPlan];
    for (const side of [both.source, both.target]) await takeLinksDown(await findMonitor(side), [withLink(nic, true)]);
    await migrate(both);
    await awaitState(both.target, ({ run }) => run === 'running');
    const look = 'cat /sys/class/net/eth0/carrier';
    expect(await expectIn(both.target, look, 5000)).toBe('0\n');
    await setLink(await findMonitor(both.target), nic, false);
    await expect.poll(() => expectIn(both.target, look, 5000), { timeout: 5000, interval: 100 }).toBe('1\n');
  });

  it('leaves a guest that its user has paused paused on the target', async () => {
    const both = await startBoth();
    await command(both.source.tools, asGuest(both.source), 'stop');
    await migrate(both);
    expect(await ended(both.source)).toEqual({ run: 'postmigrate', migrate: 'completed' });
    expect(await ended(both.target)).toEqual({ run: 'paused', migrate: 'completed' });
    await command(both.target.tools, asGuest(both.target), 'cont');
    expect(await expectIn(both.target, 'ls /run/mark', 5000)).toBe('/run/mark\n');
  });

  it('runs the guest on the target before its memory is there, in post-copy', async () => {
    const both = await startBoth();
    await expectIn(both.source, 'dirty 64 2000', 5000);
    await migrate(both, true);
    await awaitState(both.source, ({ migrate: state }) => state === 'active');
    await command(both.source.tools, asGuest(both.source), 'migrate-start-postcopy');
    expect(await awaitState(both.target, ({ run }) => run === 'running')).toMatchObject({ migrate: 'postcopy-active' });
    expect(await ended(both.source)).toMatchObject({ migrate: 'completed' });
    expect(await ended(both.target)).toEqual({ run: 'running', migrate: 'completed' });
    expect(await expectIn(both.target, 'dirty stop; ls /run/mark', 5000)).toBe('/run/mark\n');
  });
});

describe('a guest whose migration fails', () => {
  it.each([
    ['the target dies', ({ target }: { source: Side; target: Side }) => target.guest.qemu],
    ['the virt-handler of the target ends', ({ target }: { source: Side; target: Side }) => target.handler.process],
    ['its own virt-handler ends', ({ source }: { source: Side; target: Side }) => source.handler.process],
  ])('runs on where it was when %s', async (_, victim) => {
    const both = await startBoth();
    await expectIn(both.source, 'dirty 64 2000', 5000);
    await migrate(both);
    await awaitState(both.source, ({ migrate: state }) => state === 'active');
    kill(victim(both));
    expect(await ended(both.source)).toEqual({ run: 'running', migrate: 'failed' });
    expect(await expectIn(both.source, 'dirty stop; ls /run/mark', 5000)).toBe('/run/mark\n');
    expect(isAlive(both.source.guest.qemu)).toBe(true);
  });

  it('runs on where it was when the copy is cancelled, which QEMU may call a failure', async () => {
    const both = await startBoth();
    await expectIn(both.source, 'dirty 64 2000', 5000);
    await migrate(both);
    await awaitState(both.source, ({ migrate: state }) => state === 'active');
    await command(both.source.tools, asGuest(both.source), 'migrate_cancel');
    const over = await awaitState(both.source, ({ migrate: state }) => state === 'cancelled' || state === 'failed');
    expect(over.run).toBe('running');
    expect(await expectIn(both.source, 'dirty stop; ls /run/mark', 5000)).toBe('/run/mark\n');
  });
});
