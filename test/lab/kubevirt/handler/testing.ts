import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand, tryCommand } from '../../command.ts';
import { startGuest } from '../../guest/guest.ts';
import type { GuestImage } from '../../guest/image.ts';
import type { VmiSpec } from '../objects.ts';
import { deriveGuestNic } from './device.ts';
import { findProcess, readPodNetwork, setUpNetwork, startDetached, startDhcp } from './netns.ts';
import type { HandlerPod } from './pod.ts';
import type { NicPlan, Process } from './record.ts';
import { planNics } from './wiring.ts';

export const MAC = '02:00:00:aa:bb:05';
export const BRIDGE: VmiSpec = {
  domain: { devices: { interfaces: [{ name: 'default', bridge: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};

/** Network namespaces of one test, all deleted by `end`. Names carry the test's pid. */
export type TestBed = {
  dir: string;
  /** The namespace that plays the network outside the launchers; it holds bridge `br0`, 10.77.0.1/24. */
  outside: string;
  /** A launcher's netns with what a CNI leaves: `eth0` on br0. Returns its path. */
  addLauncher(name: string, options: { mac: string; address: string }): Promise<string>;
  /** A virt-handler pod with an address on the migration network, and a process that stands for its program. */
  addHandler(name: string, address: string): Promise<HandlerPod>;
  run(netns: string, ...argv: string[]): Promise<string>;
  end(): Promise<void>;
};

let count = 0;

/** Builds a test's namespaces; needs root. */
export async function createTestBed(): Promise<TestBed> {
  const id = `kv${process.pid % 100_000}x${count++}`;
  const dir = mkdtempSync(join(tmpdir(), 'kv-'));
  const made: string[] = [];
  const add = async (name: string): Promise<string> => {
    const netns = `${id}-${name}`;
    await runCommand(['ip', 'netns', 'add', netns]);
    made.push(netns);
    await runCommand(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
    return netns;
  };
  const ip = (netns: string, lines: string[]) =>
    runCommand(['ip', '-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  const outside = await add('out');
  await ip(outside, [
    'link add br0 type bridge',
    'addr add 10.77.0.1/24 dev br0',
    'link set br0 up',
    'link add br1 type bridge',
    'link set br1 up',
  ]);
  const plug = async (netns: string, bridge: string, device: string): Promise<void> => {
    const host = `v${made.length}`;
    await runCommand([
      'ip',
      '-n',
      outside,
      'link',
      'add',
      host,
      'type',
      'veth',
      'peer',
      'name',
      device,
      'netns',
      netns,
    ]);
    await ip(outside, [`link set ${host} master ${bridge}`, `link set ${host} up`]);
  };
  return {
    dir,
    outside,
    addLauncher: async (name, { mac, address }) => {
      const netns = await add(name);
      await plug(netns, 'br0', 'eth0');
      await ip(netns, [
        `link set eth0 address ${mac} mtu 1400`,
        `addr add ${address} dev eth0`,
        'link set eth0 up',
        'route add default via 10.77.0.1',
      ]);
      return `/run/netns/${netns}`;
    },
    addHandler: async (name, address) => {
      const netns = await add(name);
      await plug(netns, 'br1', 'migration0');
      await ip(netns, [`addr add ${address}/24 dev migration0`, 'link set migration0 up']);
      const process = await startDetached(['sleep', '600'], join(dir, `${name}.log`));
      return { process, netns: `/run/netns/${netns}`, address, network: 'migration' };
    },
    run: (netns, ...argv) => runCommand(['ip', 'netns', 'exec', netns, ...argv]),
    end: async () => {
      for (const netns of made) await tryCommand(['ip', 'netns', 'del', netns]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A guest in a launcher's netns; whoever starts it ends its processes. */
export type Started = { dir: string; netns: string; nics: NicPlan[]; qemu: Process; processes: Process[] };

type Wanted = { image: GuestImage; name: string; spec: VmiSpec; address: string; incoming?: boolean; seed?: string };

/** Starts a guest behind KubeVirt's wiring, or one that waits for a migration on socket `mig` of its folder. */
export async function startIn(bed: TestBed, wanted: Wanted): Promise<Started> {
  const { image, name, spec, address } = wanted;
  const netns = await bed.addLauncher(name, { mac: MAC, address });
  const dir = join(bed.dir, name);
  mkdirSync(dir);
  const nics = planNics(spec, await readPodNetwork(netns), {});
  await setUpNetwork(netns, nics);
  const dhcp = await startDhcp(nics, { netns, dir, hostname: 'vm1', resolver: { servers: [], search: [] } });
  const incoming = wanted.incoming === true ? { incoming: join(dir, 'mig') } : {};
  const seed = wanted.seed === undefined ? {} : { seed: wanted.seed };
  const pid = await startGuest({ image, dir, netns, nics: nics.map(deriveGuestNic), ...incoming, ...seed });
  const qemu = findProcess(pid) ?? { pid, start: '' };
  return { dir, netns, nics, qemu, processes: [qemu, ...dhcp] };
}
