import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryCommand, waitFor } from '../../command.ts';
import { runInGuest } from '../../guest/console.ts';
import { pathsOf, startGuest } from '../../guest/guest.ts';
import { ensureGuestImage, type GuestImage } from '../../guest/image.ts';
import { findCacheDir } from '../../state.ts';
import type { VmiSpec } from '../objects.ts';
import { type NodeTools, send, takeFigures } from './actions.ts';
import { findFigures } from './figures.ts';
import { createMonitors, readGuest } from './monitors.ts';
import { findProcess, isAlive, kill, readPodNetwork, setUpNetwork, startDhcp } from './netns.ts';
import { createRecords, type GuestRecord, type NicPlan, type Process } from './record.ts';
import { startTargetRelay } from './relay.ts';
import { createTestBed, type TestBed } from './testing.ts';
import { namesOf, planNics } from './wiring.ts';

const MAC = '02:00:00:aa:bb:05';
const BRIDGE: VmiSpec = {
  domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};
const MASQUERADE: VmiSpec = {
  domain: { devices: { interfaces: [{ name: 'default', masquerade: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};

let bed: TestBed;
let image: GuestImage;
let started: Process[];

beforeEach(async () => {
  image = await ensureGuestImage(findCacheDir(process.env));
  bed = await createTestBed();
  started = [];
});

afterEach(async () => {
  for (const process of started) kill(process);
  await bed.end();
});

type Started = { dir: string; netns: string; nics: NicPlan[]; qemu: Process };

async function start(name: string, spec: VmiSpec, address: string, incoming?: string): Promise<Started> {
  const netns = await bed.addLauncher(name, { mac: MAC, address });
  const dir = join(bed.dir, name);
  mkdirSync(dir);
  const nics = planNics(spec, await readPodNetwork(netns), {});
  await setUpNetwork(netns, nics);
  started.push(...(await startDhcp(nics, { netns, dir, hostname: 'vm1', resolver: { servers: [], search: [] } })));
  const taps = nics.map((nic) => ({ tap: namesOf(nic).tap, mac: nic.mac, mtu: nic.mtu }));
  const pid = await startGuest({ image, dir, netns, nics: taps, ...(incoming === undefined ? {} : { incoming }) });
  const qemu = findProcess(pid) ?? { pid, start: '' };
  started.push(qemu);
  return { dir, netns, nics, qemu };
}

const PROBE = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (text) => { console.log(String(text)); process.exit(0); });
setInterval(() => socket.send('hello', 7, process.argv[1]), 50);
setTimeout(() => process.exit(1), Number(process.argv[2]));`;

/** Asks for UDP echo from outside until it comes back. */
async function answered(address: string): Promise<boolean> {
  const argv = ['ip', 'netns', 'exec', bed.outside, process.execPath, '-e', PROBE, address, '30000'];
  return (await tryCommand(argv)).stdout === 'hello\n';
}

describe('a guest behind KubeVirt bindings', () => {
  it('gets the pod address over the in-pod bridge and answers echo under the MAC of the CNI', async () => {
    const { dir, nics } = await start('a', BRIDGE, '10.77.0.5/24');
    expect(await answered('10.77.0.5')).toBe(true);
    const lease = await runInGuest(pathsOf(dir).console, 'cat /run/lease.eth0; cat /sys/class/net/eth0/address');
    expect(lease.output).toContain('ip=10.77.0.5\nmask=24\nrouter=10.77.0.1\n');
    expect(lease.output).toContain('mtu=1400\nserverid=169.254.75.10\nlease=86313600\n');
    expect(lease.output).toContain(MAC);
    expect(nics[0]?.mac).toBe(MAC);
    const tcp = await bed.run(bed.outside, 'sh', '-c', 'printf hello | timeout 2 busybox nc -w 1 10.77.0.5 7 || true');
    expect(tcp).toBe('hello');
  });

  it('reaches a masqueraded guest at the pod address', async () => {
    const { dir } = await start('m', MASQUERADE, '10.77.0.6/24');
    expect(await answered('10.77.0.6')).toBe(true);
    const { output } = await runInGuest(pathsOf(dir).console, 'ip -4 addr show eth0; ping -c 1 -W 2 10.77.0.1', 8000);
    expect(output).toContain('inet 10.0.2.2/24');
    expect(output).toContain('1 packets received');
  });
});

describe('a live migration between two launchers', () => {
  it('moves the running guest over the migration network and tells its own downtime', async () => {
    const [one, two] = [await bed.addNode('n1', '198.18.2.11'), await bed.addNode('n2', '198.18.2.12')];
    const source = await start('s', BRIDGE, '10.77.0.5/24');
    expect(await answered('10.77.0.5')).toBe(true);
    const done = await runInGuest(pathsOf(source.dir).console, 'echo kept > /run/mark; dirty 16 20');
    expect(done).toEqual({ output: '', code: 0 });
    const socket = join(bed.dir, 'mig');
    const target = await start('t', BRIDGE, '10.77.0.5/24', socket);
    const log = join(bed.dir, 'relay.log');
    const relay = await startTargetRelay({ netns: `/run/netns/${two}`, address: '198.18.2.12', socket, log });
    started.push(relay);
    const { tools, record } = await createTools(one, source);
    const state = {
      migrationUid: 'm1',
      targetNodeAddress: '198.18.2.12',
      targetDirectMigrationNodePorts: { [relay.port]: 49152 },
    };
    await send(tools, { record, pod: undefined, alive: true, run: 'running', migrate: undefined }, state);
    const monitor = await tools.monitors.find('t', target.dir);
    const running = async () => (monitor !== undefined && (await readGuest(monitor)).run === 'running') || undefined;
    expect(await waitFor(running, 20_000, 10)).toBe(true);
    const mark = await runInGuest(pathsOf(target.dir).console, 'cat /run/mark');
    expect(mark).toEqual({ output: 'kept\n', code: 0 });
    await takeFigures(tools, { ...record, migrationUid: 'm1' });
    expect(findFigures(bed.dir, 'm1')?.qemuDowntimeMs).toBeTypeOf('number');
    const sent = await tools.records.load();
    started.push(...sent.flatMap(({ relay: own }) => own ?? []));
    expect(isAlive(target.qemu)).toBe(true);
  });
});

async function createTools(netns: string, source: Started): Promise<{ tools: NodeTools; record: GuestRecord }> {
  const records = createRecords(join(bed.dir, 'records'));
  const record: GuestRecord = {
    ...{ podUid: 's', podName: 's', namespace: 'default', vmi: 'vm1', vmiUid: 'u', node: 'n1', stage: 'booted' },
    nics: source.nics,
    qemu: source.qemu,
  };
  await records.save(record);
  const monitors = createMonitors(() => undefined);
  const tools: NodeTools = {
    labDir: bed.dir,
    node: { ...FAKE_NODE, netns },
    image,
    records: { ...records, dirOf: (uid) => join(bed.dir, uid) },
    monitors,
    plugins: () => ({}),
  };
  return { tools, record };
}

const FAKE_NODE = {
  name: 'node1',
  index: 1,
  mgmtIp: '198.18.0.11',
  mgmtIp6: 'fd18::99',
  underlayIp: '198.18.1.11',
  migrationIp: '198.18.2.11',
  netns: '',
  dir: '',
  containerdSocket: '',
  mountNsPid: 1,
};
