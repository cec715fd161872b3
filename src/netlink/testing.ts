import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { AF } from './constants.ts';
import { fromCode, NetlinkError } from './errors.ts';
import { parseIp, parseMac } from './ip.ts';
import { bindSocket, closeFd, ioctlBuffer, MSG_DONTWAIT, openSocket, receiveInto, SOCK_RAW } from './libc.ts';
import { closeNetns, type Netns, openNetns, withNetns } from './netns.ts';

/** Real namespaces, taps and packet sockets for the tests of this folder. Needs root. */
export type TestNetns = Netns & {
  name: string;
  /** Runs a command inside, given as one line without quoting; returns its standard output. */
  run: (line: string) => string;
  remove: () => void;
};

let counter = 0;

/** A name for a host-side link that no other test process uses. */
export function nextLinkName(): string {
  counter += 1;
  return `mlt${process.pid.toString(36)}x${counter.toString(36)}`;
}

/** Makes a namespace `mlt-<pid>-<n>`, loopback up. */
export function createTestNetns(): TestNetns {
  counter += 1;
  const name = `mlt-${process.pid}-${counter}`;
  execFileSync('ip', ['netns', 'add', name]);
  const netns = openNetns(`/run/netns/${name}`);
  const run = (line: string) =>
    execFileSync('ip', ['netns', 'exec', name, ...line.split(' ').filter((word) => word !== '')], { encoding: 'utf8' });
  run('ip link set lo up');
  return {
    ...netns,
    name,
    run,
    remove: () => {
      closeNetns(netns);
      execFileSync('ip', ['netns', 'delete', name]);
    },
  };
}

/** How many descriptors this process has open. */
export function countFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Waits for a probe to answer something; throws ETIMEDOUT after 10 s. */
export async function until<T>(what: string, probe: () => T | undefined | false): Promise<T> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await setImmediate();
  }
  throw fromCode('ETIMEDOUT', what);
}

/** A guest's end of a tap, or a listener on a link: frames in, frames out, never blocking. */
export type FramePort = { receive: () => Buffer[]; send: (frame: Buffer) => void; close: () => void };

const TUNSETIFF = 0x400454ca;
const IFF_TAP_NO_PI = 0x1002;

/** Opens the queue of an existing tap as QEMU does (Documentation/networking/tuntap). */
export function openTap(netns: Netns, name: string): FramePort {
  const fd = withNetns(netns, () => {
    const opened = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
    const request = Buffer.alloc(40);
    request.write(name, 0);
    request.writeUInt16LE(IFF_TAP_NO_PI, 16);
    ioctlBuffer(opened, TUNSETIFF, request);
    return opened;
  });
  const buffer = Buffer.alloc(65536);
  const next = (): Buffer | undefined => {
    try {
      return Buffer.from(buffer.subarray(0, readSync(fd, buffer)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  };
  return { receive: () => collect(next), send: (frame) => writeSync(fd, frame), close: () => closeSync(fd) };
}

/** Hears every frame that comes in by a link (packet(7)); frames that bear `ownMac` as source are left out. */
export function openListener(netns: Netns, ifIndex: number, ownMac: string): FramePort {
  const fd = withNetns(netns, () => openSocket(AF.packet, SOCK_RAW, 0x0300));
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF.packet, 0);
  address.writeUInt16BE(0x0003, 2);
  address.writeInt32LE(ifIndex, 4);
  bindSocket(fd, address);
  const own = parseMac(ownMac);
  const buffer = Buffer.alloc(65536);
  const next = (): Buffer | undefined => {
    try {
      return Buffer.from(buffer.subarray(0, receiveInto(fd, buffer, MSG_DONTWAIT)));
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'EAGAIN') return undefined;
      throw error;
    }
  };
  const receive = () => collect(next).filter((frame) => !frame.subarray(6, 12).equals(own));
  return { receive, send: () => undefined, close: () => closeFd(fd) };
}

function collect(next: () => Buffer | undefined): Buffer[] {
  const out: Buffer[] = [];
  for (let frame = next(); frame !== undefined; frame = next()) out.push(frame);
  return out;
}

export type Endpoint = { mac: string; ip: string; port: number };

/** An IPv4 UDP datagram in its frame. */
export function buildUdp(from: Endpoint, to: Endpoint, body: string): Buffer {
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(from.port, 0);
  udp.writeUInt16BE(to.port, 2);
  udp.writeUInt16BE(8 + body.length, 4);
  const header = Buffer.from([0x45, 0, 0, 28 + body.length, 0, 0, 0x40, 0, 64, 17, 0, 0]);
  const addresses = Buffer.concat([parseIp(from.ip).bytes, parseIp(to.ip).bytes]);
  const words = Buffer.concat([header, addresses]);
  let sum = 0;
  for (let at = 0; at < words.length; at += 2) sum += words.readUInt16BE(at);
  header.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
  const ethernet = Buffer.concat([parseMac(to.mac), parseMac(from.mac), Buffer.from([8, 0])]);
  return Buffer.concat([ethernet, header, addresses, udp, Buffer.from(body)]);
}

/** The answer to an ARP request frame, undefined when it asks for another address. */
export function answerArp(frame: Buffer, own: { mac: string; ip: string }): Buffer | undefined {
  const isRequest = frame.readUInt16BE(12) === 0x0806 && frame.readUInt16BE(20) === 1;
  if (!isRequest || !frame.subarray(38, 42).equals(parseIp(own.ip).bytes)) return undefined;
  const mac = parseMac(own.mac);
  const head = Buffer.concat([frame.subarray(6, 12), mac, frame.subarray(12, 20), Buffer.from([0, 2])]);
  return Buffer.concat([head, mac, frame.subarray(38, 42), frame.subarray(22, 32), Buffer.alloc(18)]);
}

/** The body of a UDP frame, undefined for anything else. */
export function readUdpBody(frame: Buffer): string | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800 || frame.readUInt8(23) !== 17) return undefined;
  return frame.toString('utf8', 42, 14 + frame.readUInt16BE(16));
}
