import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AF } from './constants.ts';
import { ensureGate, openGate } from './gate.ts';
import { parseIp } from './ip.ts';
import { closeFd, connectSocket, openSocket, SOCK_DGRAM, sendBytes } from './libc.ts';
import { dumpNeighbours, loadNeighbours } from './neighbour-load.ts';
import type { NeighbourSide, TravellingNeighbour } from './neighbour-travel.ts';
import { openOwnNetns, withNetns } from './netns.ts';
import { countFds, createTestNetns, openTap, type TestNetns, until } from './testing.ts';
import { createNetnsWorker, type NetnsWorker } from './worker.ts';

/** A masquerading launcher's two links, and ip(8) as the second opinion on what its kernel knows there. */
const GUEST_MAC = '0a:58:0a:10:00:05';
const PEER_MAC = '0a:58:0a:10:00:09';
const OTHER_MAC = '0a:58:0a:10:00:0a';
const GATE = { interface: 'eth0', binding: 'masquerade' } as const;

let pod: TestNetns;
let links: NetnsWorker;
beforeAll(() => {
  links = createNetnsWorker();
});
afterAll(() => links.stop());
beforeEach(() => {
  pod = createTestNetns();
  pod.run('ip link add eth0 type veth peer name far0');
  pod.run('ip link set far0 up');
  pod.run('ip addr add 10.16.0.5/24 dev eth0');
  pod.run('ip addr add fd00:10::5/64 dev eth0 nodad');
  pod.run('ip link set eth0 up');
});
afterEach(() => pod.remove());

function addBridge(): void {
  pod.run('ip link add k6t-eth0 address 02:00:00:00:00:00 type bridge stp_state 0');
  pod.run('ip addr add 10.0.2.1/24 dev k6t-eth0');
  pod.run('ip addr add fd10:0:2::1/120 dev k6t-eth0 nodad');
  pod.run('ip tuntap add tap0 mode tap');
  pod.run('ip link set tap0 master k6t-eth0 up');
  pod.run('ip link set k6t-eth0 up');
}

/** One UDP datagram to port 7, from inside. */
function sendDatagram(ip: string): void {
  const fd = withNetns(pod, () => openSocket(AF.inet, SOCK_DGRAM, 0));
  const port = Buffer.from([0, 7]);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF.inet, 0);
  connectSocket(fd, Buffer.concat([family, port, parseIp(ip).bytes, Buffer.alloc(8)]));
  sendBytes(fd, Buffer.from('knock'));
  closeFd(fd);
}

const neighbour = (link: NeighbourSide, ip: string, mac: string): TravellingNeighbour => ({ link, ip, mac });
const load = (...neighbours: TravellingNeighbour[]) => loadNeighbours(pod, { interface: 'eth0', neighbours });
/** ip(8)'s word on one address, such as `lladdr 0a:.. STALE`. */
const look = (ip: string) =>
  pod
    .run(`ip neigh show ${ip}`)
    .replace(/^.*(lladdr|FAILED|INCOMPLETE)/, '$1')
    .trim();
const GUEST = [neighbour('guest', '10.0.2.2', GUEST_MAC), neighbour('guest', 'fd10:0:2::2', GUEST_MAC)];

describe('a launcher whose neighbours are read', () => {
  test('names those of both links and families that packets can be sent by', () => {
    addBridge();
    pod.run(`ip neigh add 10.0.2.2 lladdr ${GUEST_MAC} dev k6t-eth0 nud reachable`);
    pod.run(`ip neigh add fd10:0:2::2 lladdr ${GUEST_MAC} dev k6t-eth0 nud stale`);
    pod.run(`ip neigh add 10.16.0.9 lladdr ${PEER_MAC} dev eth0 nud stale`);
    pod.run('ip neigh add 10.16.0.10 dev eth0 nud failed');
    pod.run('ip neigh add 10.16.0.11 lladdr 01:00:5e:00:00:01 dev eth0 nud permanent');
    pod.run(`ip neigh add 10.99.0.1 lladdr ${PEER_MAC} dev far0 nud permanent`);
    expect(dumpNeighbours(pod, 'eth0').neighbours).toEqual([neighbour('pod', '10.16.0.9', PEER_MAC), ...GUEST]);
  });

  test('names nothing of links that are not there', () => {
    expect(dumpNeighbours(pod, 'pod0123456789a')).toEqual({ neighbours: [] });
    expect(dumpNeighbours(pod, 'eth0')).toEqual({ neighbours: [] });
  });

  test('is never our own', () => {
    const own = openOwnNetns();
    expect(() => dumpNeighbours(own, 'eth0')).toThrow(/EHOSTNETNS/);
    expect(() => loadNeighbours(own, { interface: 'eth0', neighbours: [] })).toThrow(/EHOSTNETNS/);
  });
});

describe('a launcher that is told of neighbours', () => {
  beforeEach(() => {
    ensureGate(pod, GATE);
  });

  test('has them as stale, once, and leaves them alone afterwards', () => {
    addBridge();
    const all = [...GUEST, neighbour('pod', '10.16.0.9', PEER_MAC)];
    expect(load(...all)).toEqual({ written: 3, refused: 0 });
    expect(look('10.0.2.2')).toBe(`lladdr ${GUEST_MAC} STALE`);
    expect(look('fd10:0:2::2')).toBe(`lladdr ${GUEST_MAC} STALE`);
    expect(look('10.16.0.9')).toBe(`lladdr ${PEER_MAC} STALE`);
    const fds = countFds();
    expect(load(...all)).toEqual({ written: 0, refused: 0 });
    expect(countFds()).toBe(fds);
  });

  test('before its bridge is there takes what it can, and the guest as soon as it is', () => {
    expect(load(...GUEST, neighbour('pod', '10.16.0.9', PEER_MAC))).toEqual({ written: 1, refused: 0 });
    addBridge();
    expect(load(...GUEST)).toEqual({ written: 2, refused: 0 });
  });

  test('gives its guest a packet at once, without asking for it by ARP', async () => {
    addBridge();
    const tap = openTap(pod, 'tap0');
    await until('a carrier', () => pod.run('ip link show k6t-eth0').includes('LOWER_UP'));
    load(...GUEST);
    sendDatagram('10.0.2.2');
    const frames: Buffer[] = [];
    const isToGuest = (frame: Buffer) => frame.toString('hex', 0, 6) === GUEST_MAC.replaceAll(':', '');
    await until('the packet', () => frames.push(...tap.receive()) > 0 && frames.some(isToGuest));
    tap.close();
    expect(frames.find(isToGuest)?.readUInt16BE(12)).toBe(0x0800);
    expect(frames.filter((frame) => frame.readUInt16BE(12) === 0x0806)).toEqual([]);
    expect(look('10.0.2.2')).toBe(`lladdr ${GUEST_MAC} DELAY`);
  });

  test.each(['probe', 'failed'])('makes an entry good that is in doubt (%s) while the gate is shut', (state) => {
    addBridge();
    pod.run(`ip neigh add 10.0.2.2 lladdr ${GUEST_MAC} dev k6t-eth0 nud ${state}`);
    load(...GUEST);
    expect(look('10.0.2.2')).toBe(`lladdr ${GUEST_MAC} STALE`);
  });

  test('takes another MAC while the gate is shut, unless its own kernel has heard otherwise', () => {
    pod.run(`ip neigh add 10.16.0.9 lladdr ${OTHER_MAC} dev eth0 nud stale`);
    pod.run(`ip neigh add 10.16.0.10 lladdr ${OTHER_MAC} dev eth0 nud reachable`);
    load(neighbour('pod', '10.16.0.9', PEER_MAC), neighbour('pod', '10.16.0.10', PEER_MAC));
    expect(look('10.16.0.9')).toBe(`lladdr ${PEER_MAC} STALE`);
    expect(look('10.16.0.10')).toBe(`lladdr ${OTHER_MAC} REACHABLE`);
  });

  test('once the guest has spoken takes only what it does not have', () => {
    openGate(pod, GATE);
    pod.run(`ip neigh add 10.16.0.9 lladdr ${OTHER_MAC} dev eth0 nud stale`);
    const said = [neighbour('pod', '10.16.0.9', PEER_MAC), neighbour('pod', '10.16.0.12', PEER_MAC)];
    expect(load(...said)).toEqual({ written: 1, refused: 0 });
    expect(look('10.16.0.9')).toBe(`lladdr ${OTHER_MAC} STALE`);
    expect(look('10.16.0.12')).toBe(`lladdr ${PEER_MAC} STALE`);
  });

  test('takes no address of its own, and none beside its networks', () => {
    addBridge();
    const wrong = ['10.16.0.5', '10.0.2.2', '192.0.2.7', 'ff02::1'].map((ip) => neighbour('pod', ip, PEER_MAC));
    const guests = ['10.0.2.1', '10.16.0.9'].map((ip) => neighbour('guest', ip, PEER_MAC));
    expect(load(...wrong, ...guests)).toEqual({ written: 0, refused: 0 });
    expect(pod.run('ip neigh show nud stale')).toBe('');
  });

  test('does both as jobs of the worker', async () => {
    addBridge();
    const netnsPath = `/run/netns/${pod.name}`;
    const job = { kind: 'loadNeighbours', netnsPath, interface: 'eth0', neighbours: GUEST } as const;
    expect(await links.run(job)).toEqual({ written: 2, refused: 0 });
    const dump = await links.run({ kind: 'dumpNeighbours', netnsPath, interface: 'eth0' });
    expect(dump).toEqual({ neighbours: GUEST });
  });
});
