import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryCommand } from '../../command.ts';
import { runInGuest } from '../../guest/console.ts';
import { pathsOf } from '../../guest/guest.ts';
import { ensureGuestImage, type GuestImage } from '../../guest/image.ts';
import { findCacheDir } from '../../state.ts';
import type { VmiSpec } from '../objects.ts';
import { kill } from './netns.ts';
import type { Process } from './record.ts';
import { BRIDGE, createTestBed, MAC, type Started, startIn, type TestBed } from './testing.ts';

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

async function start(name: string, spec: VmiSpec, address: string): Promise<Started> {
  const guest = await startIn(bed, { image, name, spec, address });
  started.push(...guest.processes);
  return guest;
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
