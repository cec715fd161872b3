import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatUdp, formatUdp6, type Station } from '../../../../test/lab/probe/frames.ts';
import { HONEST, LIES } from '../../../../test/lab/probe/lies.ts';
import { type Berth, eventually, listOvsPorts, PORTS, prepareSubnet, program } from '../testing/berths.ts';
import { formatPodPort, startTestNode, type TestNode } from '../testing/node.ts';

const FRAME = resolve(import.meta.dirname, '../../../../test/lab/guest/rootfs/frame.c');
const VICTIM = { mac: '02:00:0a:10:00:09', ip: '10.16.0.9', ip6: 'fd00:10::9' };
const GATEWAY = '10.16.0.254';

let node: TestNode;
let guest: Berth & Station;
let peer: Berth & Station;
let frame: string;
/** Frames that were to be dropped, by cause. */
const sent = new Map<string, number>();

/** A pod with an address of each family, as the operator makes them, attached. */
async function attachDual(name: string, index: number): Promise<Berth & Station> {
  const pod = await node.addPod(name);
  const [mac, ip, ip6] = [`02:00:0a:10:00:0${index}`, `10.16.0.${index}`, `fd00:10::${index}`];
  const port = await node.put(PORTS, formatPodPort(pod, { ip, mac }));
  const lsp = `pod/default/${name}/eth0`;
  await program(node, { lsp, addresses: `${mac} ${ip} ${ip6}`, uid: port.metadata?.uid ?? '' });
  expect(await node.cni({ command: 'ADD', pod })).toMatchObject({ exit: 0 });
  return { pod, lsp, mac, ip, ip6 };
}

/** Counts what comes to the peer, by what only the frames under test have in common. */
const WATCH = `table netdev seen {
  counter hello {}
  counter hello6 {}
  counter spoofed {}
  chain in {
    type filter hook ingress device eth0 priority 0;
    ether saddr 02:00:0a:10:00:01 udp dport 4242 ip saddr 10.16.0.1 counter name hello
    ether saddr 02:00:0a:10:00:01 udp dport 4242 ip6 saddr fd00:10::1 counter name hello6
    ether saddr 02:00:0a:10:00:09 counter name spoofed
    ip saddr 10.16.0.9 counter name spoofed
    ip6 saddr fd00:10::9 counter name spoofed
    ether saddr 02:00:0a:10:00:01 arp saddr ip != 10.16.0.1 counter name spoofed
    icmpv6 type { nd-router-advert, nd-neighbor-advert } ether saddr 02:00:0a:10:00:01 counter name spoofed
    udp sport { 67, 547 } counter name spoofed
  }
}`;

async function readCounter(name: string): Promise<number> {
  const text = await node.exec(peer.pod.netns, 'nft', 'list', 'counter', 'netdev', 'seen', name);
  return Number(/packets (\d+)/.exec(text)?.[1] ?? -1);
}

async function readMetric(cause: string): Promise<number> {
  const text = await node.exec(undefined, 'busybox', 'wget', '-qO-', 'http://127.0.0.1:9476/metrics');
  const line = text.split('\n').find((one) => one.includes('spoofed_frames{') && one.includes(`cause="${cause}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const send = (frames: readonly string[]) => node.exec(guest.pod.netns, frame, 'eth0', ...frames);
const pair = () => ({ from: guest, to: peer });

beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent('--guard-servers', '--metrics-port', '9476');
  guest = await attachDual('guest', 1);
  peer = await attachDual('peer', 2);
  frame = join(node.folder, 'frame');
  execFileSync('gcc', ['-static', '-Os', '-o', frame, FRAME]);
  await node.exec(peer.pod.netns, 'nft', WATCH);
  await eventually('guards of both ports', async () => (await listGuardFlows()) === 6);
});
afterAll(() => node.stop());

async function listGuardFlows(): Promise<number> {
  const bridge = join(node.folder, 'ovn', 'br-int.mgmt');
  const text = await node.exec(undefined, 'ovs-ofctl', 'dump-flows', `unix:${bridge}`, 'table=0');
  return text.split('\n').filter((line) => line.includes('cookie=0x6d6f6f72696e6701')).length;
}

describe('F57 a guest that spoofs', () => {
  test('is heard as long as it is honest', async () => {
    await send([formatUdp(pair(), HONEST), formatUdp6(pair(), HONEST)]);
    await eventually('both frames', async () => (await readCounter('hello')) + (await readCounter('hello6')) === 2);
  });

  test.each(LIES)('by %s is not heard', async (_how, cause, make) => {
    const frames = make({ forger: guest, victim: VICTIM, watcher: peer, gateway: GATEWAY });
    const honest = await readCounter('hello');
    await send([...frames, formatUdp(pair(), HONEST)]);
    // What was sent after them has come, so they have not.
    await eventually('the honest frame behind them', async () => (await readCounter('hello')) === honest + 1);
    expect(await readCounter('spoofed')).toBe(0);
    sent.set(cause, (sent.get(cause) ?? 0) + frames.length);
  });

  test('is counted for each cause', async () => {
    expect(sent.size).toBe(4);
    for (const [cause, frames] of sent) {
      await eventually(`${frames} of ${cause}`, async () => (await readMetric(cause)) >= frames);
    }
  });

  test('is guarded again after the switch has begun anew', async () => {
    await node.ovn.restartSwitch();
    await eventually('guards of both ports', async () => (await listGuardFlows().catch(() => 0)) === 6);
  });

  test('leaves no guard behind for whoever gets its place', async () => {
    await node.cni({ command: 'DEL', pod: guest.pod });
    await eventually('one port', async () => (await listOvsPorts(node)).length === 1);
    await eventually("its guards' end", async () => (await listGuardFlows()) === 3);
  });
});
