import { describe, expect, test } from 'vitest';
import { buildGratuitousArp, buildNeighbourAdvertisement, buildRarp, planAnnouncement } from './announce.ts';

const MAC = '0a:58:0a:10:00:05';
const SENDER = '0a580a100005';

describe('announcements', () => {
  test('gratuitous ARP: a broadcast request for the own address', () => {
    const frame = buildGratuitousArp(MAC, '10.16.0.5').toString('hex');
    const body = `${SENDER}0a100005${'00'.repeat(6)}0a100005`;
    expect(frame).toBe(`${'ff'.repeat(6)}${SENDER}08060001080006040001${body}${'00'.repeat(18)}`);
  });

  test('RARP: what QEMU sends, sender and target are the own MAC', () => {
    const frame = buildRarp(MAC).toString('hex');
    const body = `${SENDER}00000000${SENDER}00000000`;
    expect(frame).toBe(`${'ff'.repeat(6)}${SENDER}80350001080006040003${body}${'00'.repeat(18)}`);
  });

  test('neighbour advertisement: to all nodes, override, own link address, sum right', () => {
    const frame = buildNeighbourAdvertisement(MAC, 'fd00:10::5');
    expect(frame.toString('hex', 0, 14)).toBe(`333300000001${SENDER}86dd`);
    expect(frame.readUInt16BE(18)).toBe(32);
    expect(frame.readUInt8(21)).toBe(255);
    expect(frame.toString('hex', 38, 54)).toBe('ff020000000000000000000000000001');
    expect(frame.readUInt8(54)).toBe(136);
    expect(frame.readUInt8(58)).toBe(0x20);
    expect(frame.toString('hex', 78, 86)).toBe(`0201${SENDER}`);
    expect(sumIcmp6(frame)).toBe(0xffff);
  });

  test('one frame per address, by family, and a RARP when asked for', () => {
    const frames = planAnnouncement({ ifIndex: 2, mac: MAC, ips: ['10.16.0.5', 'fd00:10::5'], rarp: true });
    expect(frames.map((frame) => frame.readUInt16BE(12).toString(16))).toEqual(['806', '86dd', '8035']);
    expect(planAnnouncement({ ifIndex: 2, mac: MAC, ips: [] })).toEqual([]);
  });

  test('no frame is shorter than Ethernet allows', () => {
    const frames = planAnnouncement({ ifIndex: 2, mac: MAC, ips: ['10.16.0.5', 'fd00:10::5'], rarp: true });
    expect(Math.min(...frames.map((frame) => frame.length))).toBeGreaterThanOrEqual(60);
  });

  test('the wrong family is refused', () => {
    expect(() => buildGratuitousArp(MAC, 'fd00::1')).toThrow(/EINVAL/);
    expect(() => buildNeighbourAdvertisement(MAC, '10.0.0.1')).toThrow(/EINVAL/);
  });
});

/** Ones' complement sum of the ICMPv6 message with its pseudo header: 0xffff when the checksum is right (RFC 1071). */
function sumIcmp6(frame: Buffer): number {
  const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58]), frame.subarray(54)]);
  let sum = 0;
  for (let at = 0; at < pseudo.length; at += 2) sum += pseudo.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
