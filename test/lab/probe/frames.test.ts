import { describe, expect, it } from 'vitest';
import {
  deriveLinkLocal,
  formatAdvertisement,
  formatArp,
  formatDhcpOffer,
  formatNeighbour,
  formatUdp,
  formatUdp6,
  packIp6,
} from './frames.ts';

const FROM = { mac: '02:00:00:00:00:01', ip: '10.0.0.1', ip6: 'fe80::ff:fe00:1' };
const TO = { mac: '02:00:00:00:00:02', ip: '10.0.0.2', ip6: 'fd00::2' };

/** The sum of a whole with its checksum in it, as a receiver makes it: all ones when it is right (RFC 1071). */
function add(text: string): number {
  let total = 0;
  for (let at = 0; at < text.length; at += 4) total += Number.parseInt(text.slice(at, at + 4).padEnd(4, '0'), 16);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
const payloadOf = (frame: string): string => frame.slice(28);
const pseudo6 = (packet: string): string => {
  const body = packet.slice(80);
  const length = (body.length / 2).toString(16).padStart(8, '0');
  return `${packet.slice(16, 80)}${length}000000${packet.slice(12, 14)}${body}`;
};
const pseudo4 = (packet: string): string => {
  const body = packet.slice(40);
  return `${packet.slice(24, 40)}0011${(body.length / 2).toString(16).padStart(4, '0')}${body}`;
};

describe('frames', () => {
  it('an ARP answer', () => {
    const [source, target] = ['020000000001', '020000000002'];
    expect(formatArp(FROM, TO)).toBe(`${target}${source}08060001080006040002${source}0a000001${target}0a000002`);
  });

  it.each([
    ['UDP', formatUdp({ from: FROM, to: TO }, { source: 1, target: 2 })],
    ['a DHCP offer', formatDhcpOffer(FROM, TO, '10.0.0.9')],
  ])('%s has checksums that a receiver takes', (_cause, frame) => {
    const packet = payloadOf(frame);
    expect(add(packet.slice(0, 40))).toBe(0xffff);
    expect(add(pseudo4(packet))).toBe(0xffff);
    expect(Number.parseInt(packet.slice(4, 8), 16)).toBe(packet.length / 2);
  });

  it.each([
    ['UDP over IPv6', formatUdp6({ from: FROM, to: TO }, { source: 547, target: 546 })],
    ['an advertisement', formatAdvertisement(FROM, 'fd66::')],
    ['a neighbour', formatNeighbour(FROM, 'fd00::9')],
  ])('%s has a checksum that a receiver takes', (_cause, frame) => {
    const packet = payloadOf(frame);
    expect(add(pseudo6(packet))).toBe(0xffff);
    expect(Number.parseInt(packet.slice(8, 12), 16)).toBe(packet.length / 2 - 40);
  });

  it('a DHCP offer goes to everybody, from the port of servers to that of clients', () => {
    const frame = formatDhcpOffer(FROM, TO, '10.0.0.9');
    expect(frame.slice(0, 12)).toBe('f'.repeat(12));
    expect(payloadOf(frame).slice(40, 48)).toBe('00430044');
    expect(frame).toContain('0a000009');
  });

  it.each([
    ['::', '0'.repeat(32)],
    ['fe80::1', `fe80${'0'.repeat(27)}1`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['fd00::', `fd00${'0'.repeat(28)}`],
  ])('address %s', (ip6, expected) => expect(packIp6(ip6)).toBe(expected));

  it('the link-local address of a MAC', () => expect(deriveLinkLocal('02:00:0a:10:00:05')).toBe('fe80::0:aff:fe10:5'));
});
