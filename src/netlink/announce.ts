import { AF } from './constants.ts';
import { fromCode } from './errors.ts';
import { type Ip, parseIp, parseMac } from './ip.ts';
import { closeFd, openSocket, SOCK_RAW, sendBytesTo } from './libc.ts';

/** Who is announced; `ips` may be of both families. */
export type Announcement = { ifIndex: number; mac: string; ips: readonly string[]; rarp?: boolean };

const ETH_P = { arp: 0x0806, rarp: 0x8035, ipv6: 0x86dd } as const;
const BROADCAST = Buffer.alloc(6, 0xff);
const ALL_NODES = Buffer.from('ff020000000000000000000000000001', 'hex');
const MIN_FRAME = 60;

/** An ARP request for the own address, to everybody (RFC 5227 section 2.3 "ARP announcement"). */
export function buildGratuitousArp(mac: string, ip: string): Buffer {
  const address = parseIp(ip);
  if (address.family !== AF.inet) throw fromCode('EINVAL', `ARP is not for ${ip}`);
  return buildArp(ETH_P.arp, 1, { mac: parseMac(mac), ip: address.bytes });
}

/** The frame by which QEMU announces a migrated guest: a reverse ARP request about its MAC (RFC 903). */
export function buildRarp(mac: string): Buffer {
  return buildArp(ETH_P.rarp, 3, { mac: parseMac(mac), ip: Buffer.alloc(4) });
}

function buildArp(etherType: number, operation: number, sender: { mac: Buffer; ip: Buffer }): Buffer {
  const body = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]);
  const target = etherType === ETH_P.rarp ? sender.mac : Buffer.alloc(6);
  return buildFrame(BROADCAST, sender.mac, etherType, Buffer.concat([body, sender.mac, sender.ip, target, sender.ip]));
}

/** An unsolicited neighbour advertisement to all nodes, override flag set (RFC 4861 section 7.2.6). */
export function buildNeighbourAdvertisement(mac: string, ip: string): Buffer {
  const source = parseIp(ip);
  if (source.family !== AF.inet6) throw fromCode('EINVAL', `neighbour discovery is not for ${ip}`);
  const hardware = parseMac(mac);
  const fixed = Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0]);
  const icmp = Buffer.concat([fixed, source.bytes, Buffer.from([2, 1]), hardware]);
  icmp.writeUInt16BE(checksumIcmp6(source, icmp), 2);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(icmp.length, 4);
  header.writeUInt8(58, 6);
  header.writeUInt8(255, 7);
  const packet = Buffer.concat([header, source.bytes, ALL_NODES, icmp]);
  return buildFrame(Buffer.from('333300000001', 'hex'), hardware, ETH_P.ipv6, packet);
}

function checksumIcmp6(source: Ip, icmp: Buffer): number {
  const length = Buffer.alloc(8);
  length.writeUInt32BE(icmp.length, 0);
  length.writeUInt8(58, 7);
  const all = Buffer.concat([source.bytes, ALL_NODES, length, icmp]);
  let sum = 0;
  for (let at = 0; at + 1 < all.length; at += 2) sum += all.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function buildFrame(target: Buffer, source: Buffer, etherType: number, payload: Buffer): Buffer {
  const type = Buffer.from([etherType >> 8, etherType & 0xff]);
  const frame = Buffer.concat([target, source, type, payload]);
  return frame.length >= MIN_FRAME ? frame : Buffer.concat([frame, Buffer.alloc(MIN_FRAME - frame.length)]);
}

/** The frames of an announcement: one per address, and a RARP when asked for. Pure. */
export function planAnnouncement(announcement: Announcement): Buffer[] {
  const { mac, ips } = announcement;
  const frames = ips.map((ip) =>
    ip.includes(':') ? buildNeighbourAdvertisement(mac, ip) : buildGratuitousArp(mac, ip),
  );
  return announcement.rarp === true ? [...frames, buildRarp(mac)] : frames;
}

/** Sends frames out of an interface of the calling thread's namespace (packet(7)). Throws ENETDOWN, ENXIO. */
export function sendFrames(ifIndex: number, frames: readonly Buffer[]): void {
  const fd = openSocket(AF.packet, SOCK_RAW, 0);
  try {
    for (const frame of frames) {
      const address = Buffer.alloc(20);
      address.writeUInt16LE(AF.packet, 0);
      address.writeUInt16BE(frame.readUInt16BE(12), 2);
      address.writeInt32LE(ifIndex, 4);
      address.writeUInt8(6, 11);
      frame.copy(address, 12, 0, 6);
      sendBytesTo(fd, frame, address);
    }
  } finally {
    closeFd(fd);
  }
}

/** Tells the neighbours of an interface where its addresses are. */
export function sendAnnouncement(announcement: Announcement): void {
  sendFrames(announcement.ifIndex, planAnnouncement(announcement));
}
