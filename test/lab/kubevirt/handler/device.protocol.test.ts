import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../../command.ts';
import { runInGuest } from '../../guest/console.ts';
import { pathsOf } from '../../guest/guest.ts';
import { ensureGuestImage } from '../../guest/image.ts';
import { connectQmp, type Qmp } from '../../guest/qmp.ts';
import { findCacheDir } from '../../state.ts';
import type { VmiSpec } from '../objects.ts';
import { setLink } from './device.ts';
import { kill } from './netns.ts';
import { addDevice } from './plug.ts';
import type { NicPlan } from './record.ts';
import { BRIDGE, createTestBed, type Started, startIn, type TestBed } from './testing.ts';
import { namesOf } from './wiring.ts';

/** A real guest whose first NIC has two pairs of queues, on a tap that was made for two. */
const SPEC: VmiSpec = {
  ...BRIDGE,
  domain: { cpu: { cores: 2 }, devices: { ...BRIDGE.domain.devices, networkInterfaceMultiqueue: true } },
};
const CARRIER = 'cat /sys/class/net/eth0/carrier';

let bed: TestBed;
let guest: Started;
let qmp: Qmp;
let ask: Qmp;

beforeEach(async () => {
  const image = await ensureGuestImage(findCacheDir(process.env));
  bed = await createTestBed();
  guest = await startIn(bed, { image, name: 'a', spec: SPEC, address: '10.77.0.5/24' });
  const paths = pathsOf(guest.dir);
  qmp = await connectQmp(paths.qmp);
  ask = await connectQmp(paths.ask);
});

afterEach(async () => {
  for (const monitor of [qmp, ask]) monitor.close();
  for (const process of guest.processes) kill(process);
  await bed.end();
});

const run = async (line: string) => (await runInGuest(pathsOf(guest.dir).console, line, 30_000)).output;
const describeNics = async () => String(await ask.execute('human-monitor-command', { 'command-line': 'info network' }));
const pings = async () => (await run('ping -c 1 -W 2 10.77.0.1')).includes('1 packets received');

it('a NIC with two pairs of queues carries traffic while its link is up', { timeout: 120_000 }, async () => {
  const lease = () => run('cat /run/lease.eth0').catch(() => '');
  await expect.poll(lease, { timeout: 60_000, interval: 500 }).toContain('ip=10.77.0.5');
  expect(guest.nics[0]).toMatchObject({ queues: 2, device: { queues: 2 } });
  expect((await describeNics()).match(/nic0: index=[01],type=nic,/g)).toHaveLength(2);
  expect(await pings()).toBe(true);
  const [nic] = guest.nics as [NicPlan];
  await setLink(qmp, nic, true);
  await expect.poll(() => run(CARRIER), { timeout: 5000, interval: 100 }).toBe('0\n');
  expect(await pings()).toBe(false);
  await setLink(qmp, nic, false);
  await expect.poll(() => run(CARRIER), { timeout: 5000, interval: 100 }).toBe('1\n');
  expect(await pings()).toBe(true);
});

it('a NIC of another model is plugged into a running guest, its link down', { timeout: 120_000 }, async () => {
  const nic: NicPlan = {
    ...{ name: 'hot', binding: 'bridge', podInterface: 'pod0123456789a', primary: false, index: 3, mtu: 1300 },
    ...{ mac: '02:00:00:aa:bb:07', podMac: '02:00:00:aa:bb:07', ipv4: [], ipv6: [], routes: [], ports: [] },
    ...{ device: { model: 'e1000e', linkDown: true } },
  };
  await runCommand(['nsenter', `--net=${guest.netns}`, '--', 'ip', 'tuntap', 'add', namesOf(nic).tap, 'mode', 'tap']);
  await addDevice(qmp, nic);
  await addDevice(qmp, nic);
  expect(await describeNics()).toMatch(/nic3: index=0,type=nic,model=e1000e,macaddr=02:00:00:aa:bb:07/);
});
