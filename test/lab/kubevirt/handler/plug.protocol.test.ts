import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../../command.ts';
import { runInGuest } from '../../guest/console.ts';
import { pathsOf } from '../../guest/guest.ts';
import { ensureGuestImage } from '../../guest/image.ts';
import { connectQmp, type Qmp } from '../../guest/qmp.ts';
import { findCacheDir } from '../../state.ts';
import { kill } from './netns.ts';
import { addDevice, removeDevice } from './plug.ts';
import type { NicPlan } from './record.ts';
import { BRIDGE, createTestBed, type Started, startIn, type TestBed } from './testing.ts';
import { namesOf } from './wiring.ts';

let bed: TestBed;
let guest: Started;
let qmp: Qmp | undefined;

beforeEach(async () => {
  const image = await ensureGuestImage(findCacheDir(process.env));
  bed = await createTestBed();
  guest = await startIn(bed, { image, name: 'a', spec: BRIDGE, address: '10.77.0.5/24' });
});

afterEach(async () => {
  qmp?.close();
  for (const process of guest.processes) kill(process);
  await bed.end();
});

const run = async (line: string) => (await runInGuest(pathsOf(guest.dir).console, line, 30_000)).output;
const listNics = () => run('ls /sys/class/net');

it('a NIC is plugged into a running guest, taken out and plugged again', { timeout: 120_000 }, async () => {
  await expect.poll(() => listNics().catch(() => ''), { timeout: 60_000, interval: 500 }).toContain('eth0');
  const nic: NicPlan = {
    ...{ name: 'hot', binding: 'bridge', podInterface: 'pod0123456789a', primary: false, index: 3 },
    ...{ mac: '02:00:00:aa:bb:07', podMac: '02:00:00:aa:bb:07', mtu: 1300, ipv4: [], ipv6: [], routes: [], ports: [] },
  };
  const inside = ['nsenter', `--net=${guest.netns}`, '--', 'ip'];
  await runCommand([...inside, 'tuntap', 'add', 'dev', namesOf(nic).tap, 'mode', 'tap']);
  qmp = await connectQmp(pathsOf(guest.dir).qmp);
  for (let round = 0; round < 2; round += 1) {
    await addDevice(qmp, nic);
    await addDevice(qmp, nic);
    await expect.poll(listNics, { timeout: 20_000, interval: 200 }).toContain('eth1');
    expect(await run('cat /sys/class/net/eth1/address /sys/class/net/eth1/mtu')).toBe(`${nic.mac}\n1300\n`);
    expect(await removeDevice(qmp, nic)).toBe(true);
    expect(await listNics()).not.toContain('eth1');
  }
});
