import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAppctl } from '../../../ovs/appctl.ts';
import { eventually } from '../testing/berths.ts';
import { startTestNode, type TestNode, type TestPod } from '../testing/node.ts';
import { createProcesses } from '../testing/processes.ts';

/** A node whose tunnels end on br-phy, and a neighbour that sends it a packet of Geneve each millisecond. */
const OWN = '198.18.99.1';
const PEER = '198.18.99.2';
const SENDER = `
  const { createSocket } = require('node:dgram');
  const socket = createSocket('udp4').on('error', () => undefined);
  const geneve = Buffer.from('0000655800000500', 'hex');
  const inner = Buffer.concat([Buffer.from('0200000000010200000000020800', 'hex'), Buffer.alloc(46)]);
  setInterval(() => socket.send(Buffer.concat([geneve, inner]), 6081, '${OWN}'), 1);
`;

const processes = createProcesses();
let node: TestNode;
let peer: TestPod;
const appctl = () => createAppctl(join(node.folder, 'ovn/vswitchd.ctl'));

beforeAll(async () => {
  node = await startTestNode();
  peer = await node.addPod('neighbour');
  await node.exec(
    undefined,
    'ip',
    'link',
    'add',
    'underlay',
    'type',
    'veth',
    'peer',
    'name',
    'out',
    'netns',
    peer.netns,
  );
  await node.exec(undefined, 'ip', 'link', 'set', 'underlay', 'up');
  await node.exec(peer.netns, 'ip', 'addr', 'add', `${PEER}/24`, 'dev', 'out');
  await node.exec(peer.netns, 'ip', 'link', 'set', 'out', 'up');
  // A packet that goes through user space has no network card to complete its checksum.
  await node.exec(peer.netns, 'ethtool', '-K', 'out', 'tx', 'off');
  const bridge = (name: string) => ['--', 'add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev'];
  const tunnel = ['type=geneve', `options:remote_ip=${PEER}`, 'options:key=flow'];
  await node.ovn.vsctl(...bridge('br-phy'), '--', 'add-port', 'br-phy', 'underlay', ...bridge('br-tun'));
  await node.ovn.vsctl('add-port', 'br-tun', 'tunnel', '--', 'set', 'interface', 'tunnel', ...tunnel);
  await node.exec(undefined, 'ip', 'addr', 'add', `${OWN}/24`, 'dev', 'br-phy');
  await node.exec(undefined, 'ip', 'link', 'set', 'br-phy', 'up');
  await node.ovn.vsctl('set', 'Open_vSwitch', '.', `external_ids:ovn-encap-ip=${OWN}`);
  processes.start(['nsenter', `--net=/run/netns/${peer.netns}`, process.execPath, '-e', SENDER]);
});
afterAll(async () => {
  await processes.stop();
  await node.stop();
});

/** The number of a port in the datapath: its flows are written and read with these. */
async function findPort(name: string): Promise<string> {
  const found = new RegExp(`port (\\d+): ${name}\\b`).exec(await appctl().run('dpctl/show'));
  if (found?.[1] === undefined) throw new Error(`the datapath has no port ${name}`);
  return found[1];
}

/** The datapath's flow of all tunnels from the neighbour. */
async function findTunnelFlow(): Promise<{ ufid: string; match: string; actions: string } | undefined> {
  const flows = (await appctl().run('dpctl/dump-flows', '-m', '--no-names')).split('\n');
  const underlay = `in_port(${await findPort('underlay')})`;
  const line = flows.find((flow) => flow.includes(underlay) && flow.includes('dst=6081'));
  const found = /^(ufid:[0-9a-f-]+), (.*), packets:.*actions:([^,]*)/.exec(line ?? '');
  return found === null ? undefined : { ufid: found[1] ?? '', match: found[2] ?? '', actions: found[3] ?? '' };
}

/** Makes the flow one to the kernel, behind Open vSwitch's back. */
async function spoilTunnelFlow(): Promise<void> {
  const flow = await findTunnelFlow();
  await appctl().run('dpctl/mod-flow', `${flow?.ufid}, ${flow?.match}`, await findPort('br-phy'));
}

const isRight = async () => (await findTunnelFlow())?.actions.startsWith('tnl_pop') === true;

/** How many packets have come out of the tunnel. */
async function countReceived(): Promise<number> {
  const text = await node.ovn.vsctl('get', 'interface', 'tunnel', 'statistics:rx_packets');
  return Number(text.trim());
}

const listRenewals = async () =>
  (await node.readLog()).flatMap(({ renewal }) => (typeof renewal === 'string' ? [renewal] : []));

describe('packets of tunnels that reach the kernel of a node whose datapath is in user space', () => {
  test('a flow of the datapath that stays behind is forgotten when looking at it again does not mend it', async () => {
    await eventually('tunnel', isRight);
    // What Open vSwitch believes is right, what its datapath does is not: looking again finds nothing to mend.
    await spoilTunnelFlow();
    expect(await isRight()).toBe(false);
    await node.startAgent('--ovs-control', join(node.folder, 'ovn/vswitchd.ctl'));
    await eventually('cure', isRight);
    const before = await countReceived();
    await eventually('packets from the tunnel', async () => (await countReceived()) > before);
    const renewals = await listRenewals();
    expect(renewals[0]).toBe('revalidate');
    expect(renewals).toContain('purge');
  });

  test('an agent that cannot reach Open vSwitch says so and goes on', async () => {
    await node.stopAgent();
    await eventually('tunnel', isRight);
    await node.startAgent('--ovs-control', join(node.folder, 'nobody.ctl'));
    await spoilTunnelFlow();
    const isTold = async () =>
      (await node.readLog()).some(
        ({ msg, err }) => String(msg).includes('cannot be told') && JSON.stringify(err).includes('nobody.ctl'),
      );
    await eventually('warning', isTold);
    await node.stopAgent();
    await node.startAgent('--ovs-control', join(node.folder, 'ovn/vswitchd.ctl'));
    await eventually('cure', isRight);
  });
});
