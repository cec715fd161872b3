import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

/** The node's Open vSwitch as the image starts it, in namespaces of its own, with a veth for an uplink. */
const SCRIPT = resolve(import.meta.dirname, '../../../images/ovn/rootfs/usr/local/bin/mooring-ovn');
const DIRECTORIES = ['/run/openvswitch', '/var/lib/openvswitch'];

let holder: ChildProcess;
let program: ChildProcess | undefined;
beforeEach(async () => {
  const mounts = DIRECTORIES.map((path) => `mkdir -p ${path} && mount -t tmpfs tmpfs ${path}`).join(' && ');
  const script = `${mounts} && echo made && exec sleep infinity`;
  holder = spawn('unshare', ['-n', '-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (holder.stdout !== null) await once(holder.stdout, 'data');
  for (const command of [
    'link set lo up',
    'link add underlay type veth peer name far',
    'link set far up',
    'addr add 198.18.7.1/24 dev underlay',
  ]) {
    await enter('ip', ...command.split(' '));
  }
});
afterEach(async () => {
  await stop();
  holder.kill('SIGKILL');
  await once(holder, 'close');
});

const format = (...command: string[]) => ['-t', String(holder.pid), '-n', '-m', ...command];
const enter = async (...command: string[]) => (await promisify(execFile)('nsenter', format(...command))).stdout.trim();
const vsctl = (...args: string[]) => enter('ovs-vsctl', '--db=unix:/run/openvswitch/db.sock', '--timeout=10', ...args);

/** Starts it and waits until the chassis is described. */
async function start(): Promise<void> {
  const env = {
    ...process.env,
    NODE_NAME: 'n1',
    NODE_IP: '198.18.7.1',
    DATAPATH: 'netdev',
    UNDERLAY_INTERFACE: 'underlay',
    SB_REMOTES: 'tcp:198.18.7.9:6642',
  };
  program = spawn('nsenter', format('bash', SCRIPT, 'ovs'), { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const { stderr } = program;
  if (stderr === null) throw new Error('no standard error');
  let said = '';
  for await (const chunk of stderr) {
    said += String(chunk);
    if (said.includes('Open vSwitch serves')) break;
  }
  expect(said).toContain('Open vSwitch serves');
}

async function stop(): Promise<void> {
  const running = program;
  program = undefined;
  if (running === undefined || running.exitCode !== null) return;
  running.kill('SIGTERM');
  await once(running, 'exit');
}

const readOptions = async () =>
  (await vsctl('get', 'Open_vSwitch', '.', 'external_ids:ovn-cms-options')).replaceAll('"', '');

it('a node tells its uplink and what that takes less the tunnel, and leaves what others tell in the same place', async () => {
  await start();
  expect(await readOptions()).toBe('mooring-mtu=1400,mooring-uplink=underlay');
  await vsctl(
    'set',
    'Open_vSwitch',
    '.',
    'external_ids:ovn-cms-options="enable-chassis-as-gw,mooring-mtu=1400,mooring-uplink=old,x=1"',
  );
  await stop();
  await enter('ip', 'link', 'set', 'underlay', 'mtu', '9000');
  await enter('ip', 'link', 'set', 'far', 'mtu', '9000');
  await start();
  expect(await readOptions()).toBe('enable-chassis-as-gw,x=1,mooring-mtu=8900,mooring-uplink=underlay');
});
