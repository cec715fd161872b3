import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildGratuitousArp, buildNeighbourAdvertisement, buildRarp, sendFrames } from './announce.ts';
import { deleteGate, ensureGate, type GateBinding, getGateState, openGate } from './gate.ts';
import { createVethPair, getLink, setLinkUp } from './links.ts';
import { openOwnNetns, withNetns } from './netns.ts';
import { openRouteSocket } from './socket.ts';
import {
  answerArp,
  buildUdp,
  createTestNetns,
  type FramePort,
  openListener,
  openTap,
  readUdpBody,
  type TestNetns,
  until,
} from './testing.ts';

const GUEST = { mac: '0a:58:0a:10:00:05', ip: '10.16.0.5', port: 7 };
const FAR = { mac: '0a:58:0a:10:00:09', ip: '10.16.0.9', port: 4000 };
const INSIDE = { mac: '0a:58:0a:10:00:05', ip: '10.0.2.2', port: 7 };
const BRIDGE_MAC = '02:00:00:00:00:00';

let network: TestNetns;
let launcher: TestNetns;
let farIndex: number;
const open: FramePort[] = [];

/** The network's side, whose own kernel says nothing, and a launcher with its eth0, as an ADD leaves them. */
beforeEach(() => {
  network = createTestNetns();
  network.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1');
  launcher = createTestNetns();
  const far = openRouteSocket(network.path);
  createVethPair(far, {
    hostName: 'far0',
    hostMac: FAR.mac,
    peerName: 'eth0',
    peerMac: GUEST.mac,
    peerNetnsFd: launcher.fd,
    mtu: 1400,
  });
  farIndex = getLink(far, 'far0').index;
  setLinkUp(far, farIndex);
  far.close();
});

afterEach(() => {
  for (const port of open.splice(0)) port.close();
  launcher.remove();
  network.remove();
});

function installGate(binding: GateBinding): void {
  ensureGate(launcher, { interface: 'eth0', binding });
  launcher.run(`ip addr add ${GUEST.ip}/16 dev eth0`);
  launcher.run('ip link set eth0 up');
  launcher.run(`ip neigh replace ${FAR.ip} lladdr ${FAR.mac} dev eth0`);
}

/** What virt-handler does for bridge and managedTap: rename, bridge, tap, and a stand-in with the old name. */
async function joinBridge(): Promise<FramePort> {
  for (const line of [
    'ip link add k6t-eth0 type bridge stp_state 0',
    'ip link set eth0 down',
    'ip link set eth0 name eth0-nic',
    'ip link set eth0-nic address 62:40:cc:0c:ed:1a master k6t-eth0 up',
    'ip tuntap add tap0 mode tap',
    'ip link set tap0 master k6t-eth0 up',
    'ip link set k6t-eth0 up',
    'ip link add eth0 type veth peer name deth0',
  ]) {
    launcher.run(line);
  }
  return tap();
}

/** What virt-handler does for masquerade with no port declared. */
async function joinMasquerade(): Promise<FramePort> {
  for (const line of [
    'sysctl -qw net.ipv4.ip_forward=1',
    `ip link add k6t-eth0 address ${BRIDGE_MAC} type bridge stp_state 0`,
    'ip addr add 10.0.2.1/24 dev k6t-eth0',
    'ip tuntap add tap0 mode tap',
    'ip link set tap0 master k6t-eth0 up',
    'ip link set k6t-eth0 up',
    'nft add table ip nat',
    'nft add chain ip nat prerouting { type nat hook prerouting priority -100 ; }',
    'nft add rule ip nat prerouting iifname eth0 dnat to 10.0.2.2',
    'nft add chain ip nat postrouting { type nat hook postrouting priority 100 ; }',
    'nft add rule ip nat postrouting ip saddr 10.0.2.2 masquerade',
  ]) {
    launcher.run(line);
  }
  return tap();
}

/** QEMU opens the tap; the bridge takes part of a second to let its port forward. */
async function tap(): Promise<FramePort> {
  const port = openTap(launcher, 'tap0');
  open.push(port);
  await until('every port forwarding', () =>
    (JSON.parse(launcher.run('bridge -j link')) as { state: string }[]).every(({ state }) => state === 'forwarding'),
  );
  return port;
}

function listen(): FramePort {
  const port = openListener(network, farIndex, FAR.mac);
  open.push(port);
  return port;
}

const sendFromFar = (frames: readonly Buffer[]) => withNetns(network, () => sendFrames(farIndex, frames));
const udp = (body: string) => buildUdp(FAR, GUEST, body);
const counters = () => getGateState(launcher, 'eth0')?.counters ?? {};
const bodies = (frames: readonly Buffer[]) => frames.map(readUdpBody).filter((body) => body !== undefined);
const broadcastArp = () => buildGratuitousArp(FAR.mac, FAR.ip);

describe.each(['bridge', 'managedTap'] as const)('gate of binding %s', (binding) => {
  test('a guest that never speaks hears nothing, neither its own frames nor broadcast', async () => {
    installGate(binding);
    const guest = await joinBridge();
    sendFromFar([...Array.from({ length: 20 }, (_, index) => udp(`early ${index}`)), broadcastArp()]);
    await until('21 frames refused', () => counters().refused === 21);
    expect(guest.receive().filter((frame) => frame.subarray(6, 12).toString('hex') === '0a580a100009')).toEqual([]);
    expect(getGateState(launcher, 'eth0')).toMatchObject({ open: false, counters: { admitted: 0, spoken: 0 } });
  });

  test('the first frame of the guest opens for unicast, broadcast and multicast', async () => {
    installGate(binding);
    const guest = await joinBridge();
    sendFromFar([udp('early')]);
    await until('the early frame refused', () => counters().refused === 1);
    guest.receive();
    guest.send(buildRarp(GUEST.mac));
    sendFromFar([udp('late'), broadcastArp(), buildNeighbourAdvertisement(FAR.mac, 'fd00:10::9')]);
    const heard: Buffer[] = [];
    await until('three frames heard', () => {
      heard.push(...guest.receive().filter((frame) => frame.subarray(6, 12).toString('hex') === '0a580a100009'));
      return heard.length === 3;
    });
    expect(bodies(heard)).toEqual(['late']);
    expect(getGateState(launcher, 'eth0')).toMatchObject({ open: true, counters: { refused: 1, admitted: 3 } });
  });

  test('the announcement of the guest goes out at once', async () => {
    installGate(binding);
    const guest = await joinBridge();
    const listener = listen();
    guest.send(buildRarp(GUEST.mac));
    const heard = await until('the RARP outside', () =>
      listener.receive().find((frame) => frame.readUInt16BE(12) === 0x8035),
    );
    expect(heard.subarray(6, 12).toString('hex')).toBe('0a580a100005');
  });

  test('before KubeVirt renames eth0 the launcher kernel neither answers nor speaks with the guest address', async () => {
    installGate(binding);
    const listener = listen();
    sendFromFar([udp('closed port'), buildArpRequest(GUEST.ip)]);
    await until('both dropped', () => countDrops('inet') + countDrops('arp') >= 2);
    expect(() => launcher.run('busybox ping -c 1 -W 1 10.16.0.9')).toThrow();
    expect(listener.receive().filter((frame) => frame.readUInt16BE(12) !== 0x86dd)).toEqual([]);
  });
});

function buildArpRequest(ip: string): Buffer {
  const frame = Buffer.from(buildGratuitousArp(FAR.mac, FAR.ip));
  Buffer.from(ip.split('.').map(Number)).copy(frame, 38);
  return frame;
}

/** Drops counted by the anonymous counters of a family, both directions. */
function countDrops(family: string): number {
  const text = launcher.run(`nft list table ${family} mooring-gate-eth0`);
  return [...text.matchAll(/packets (\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

describe('gate of binding masquerade', () => {
  test('while the guest is away nothing is answered for it, and only questions by ARP reach its tap', async () => {
    installGate('masquerade');
    const guest = await joinMasquerade();
    const listener = listen();
    sendFromFar([...Array.from({ length: 50 }, (_, index) => udp(`early ${index}`)), buildArpRequest(GUEST.ip)]);
    await until('50 packets judged', () => (counters().refused ?? 0) + (counters().knocked ?? 0) === 50);
    expect(counters().refused).toBeGreaterThan(40);
    expect(bodies(guest.receive())).toEqual([]);
    expect(listener.receive().filter((frame) => frame.readUInt16BE(12) !== 0x86dd)).toEqual([]);
    expect(getGateState(launcher, 'eth0')).toMatchObject({ open: false });
  });

  test('the first IP packet of the guest opens', async () => {
    installGate('masquerade');
    const guest = await joinMasquerade();
    const bridge = { mac: BRIDGE_MAC, ip: FAR.ip, port: FAR.port };
    guest.send(buildUdp(INSIDE, bridge, 'hello'));
    expect(getGateState(launcher, 'eth0')).toMatchObject({ open: true });
    sendFromFar([udp('one'), udp('two')]);
    await until('both admitted', () => counters().admitted === 2);
    expect(counters()).toMatchObject({ refused: 0, knocked: 0 });
  });

  test('a guest that only answers is asked by ARP and opens with its first answer', async () => {
    installGate('masquerade');
    const guest = await joinMasquerade();
    sendFromFar([udp('knock'), udp('early')]);
    await until('the knock passed', () => counters().knocked === 1);
    const bridge = { mac: BRIDGE_MAC, ip: FAR.ip, port: FAR.port };
    const resume = () => {
      for (const frame of guest.receive()) {
        const reply = answerArp(frame, INSIDE);
        if (reply !== undefined) guest.send(reply);
        if (readUdpBody(frame) !== undefined) guest.send(buildUdp(INSIDE, bridge, 'answer'));
      }
      return getGateState(launcher, 'eth0')?.open === true;
    };
    await until('the gate open', resume);
    sendFromFar([udp('late')]);
    const late = await until('the late packet', () => bodies(guest.receive()).find((body) => body === 'late'));
    expect(late).toBe('late');
  });
});

describe('life of a gate', () => {
  test('ensureGate leaves a gate that is there as it is, open or shut', () => {
    installGate('bridge');
    openGate(launcher, { interface: 'eth0', binding: 'bridge' });
    expect(ensureGate(launcher, { interface: 'eth0', binding: 'bridge' })).toBe(false);
    expect(getGateState(launcher, 'eth0')?.open).toBe(true);
  });

  test('what is left of a broken gate is replaced by a whole one', () => {
    launcher.run('nft add table arp mooring-gate-eth0');
    launcher.run('nft add chain arp mooring-gate-eth0 left { type filter hook input priority 0 ; policy drop ; }');
    expect(ensureGate(launcher, { interface: 'eth0', binding: 'masquerade' })).toBe(true);
    expect(launcher.run('nft list ruleset')).not.toContain('left');
    expect(getGateState(launcher, 'eth0')?.open).toBe(false);
  });

  test('deleteGate removes every rule and may be repeated', () => {
    installGate('bridge');
    ensureGate(launcher, { interface: 'pod9bdd85331e7', binding: 'managedTap' });
    deleteGate(launcher, 'eth0');
    deleteGate(launcher, 'eth0');
    expect(launcher.run('nft list tables')).not.toContain('eth0');
    expect(getGateState(launcher, 'pod9bdd85331e7')?.open).toBe(false);
    deleteGate(launcher);
    deleteGate(launcher);
    expect(launcher.run('nft list ruleset')).toBe('');
  });

  test('gates of two interfaces open apart', async () => {
    installGate('bridge');
    ensureGate(launcher, { interface: 'pod9bdd85331e7', binding: 'bridge' });
    const guest = await joinBridge();
    guest.send(buildRarp(GUEST.mac));
    expect(getGateState(launcher, 'eth0')?.open).toBe(true);
    expect(getGateState(launcher, 'pod9bdd85331e7')?.open).toBe(false);
  });

  test('a deleted gate lets everything pass', async () => {
    installGate('bridge');
    const guest = await joinBridge();
    deleteGate(launcher);
    sendFromFar([udp('free')]);
    expect(await until('the frame', () => bodies(guest.receive())[0])).toBe('free');
  });

  test('opening by hand serves masquerade too; without a gate it is not found', () => {
    ensureGate(launcher, { interface: 'eth0', binding: 'masquerade' });
    openGate(launcher, { interface: 'eth0', binding: 'masquerade' });
    expect(getGateState(launcher, 'eth0')?.open).toBe(true);
    expect(() => openGate(launcher, { interface: 'net1', binding: 'bridge' })).toThrow(/ENOENT/);
  });

  test('the namespace of the host is refused', () => {
    const own = openOwnNetns();
    expect(() => ensureGate(own, { interface: 'eth0', binding: 'bridge' })).toThrow(/EHOSTNETNS/);
    expect(() => deleteGate(own)).toThrow(/EHOSTNETNS/);
  });
});
