import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAddress, encodeAddress } from './addresses.ts';
import { decodeAttributes, encodeAttributes, type Message, text, u32 } from './codec.ts';
import { IFA_F, IFLA, IFLA_INFO, RTA, RTM, VETH_INFO_PEER } from './constants.ts';
import { formatIp, maskCidr, parseCidr } from './ip.ts';
import { decodeLink, encodeVethPair } from './links.ts';
import { decodeNeighbour, encodeNeighbour } from './neighbours.ts';
import { decodeRoute, encodeRoute } from './routes.ts';

const wrap = (type: number, payload: Buffer): Message => ({ type, flags: 0, seq: 0, portId: 0, payload });
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(formatIp);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatIp);
const cidr = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
);
const index = fc.integer({ min: 1, max: 0x7fffffff });

describe('addresses', () => {
  test('an encoded address decodes to itself', () => {
    fc.assert(
      fc.property(index, cidr, (ifIndex, [ip, prefix]) => {
        const payload = encodeAddress(ifIndex, parseCidr(`${ip}/${prefix}`), IFA_F.noDad);
        expect(decodeAddress(wrap(RTM.newAddress, payload))).toMatchObject({
          ifIndex,
          cidr: `${ip}/${prefix}`,
          flags: IFA_F.noDad,
        });
      }),
    );
  });

  test('a message without address, or too short, is refused', () => {
    expect(() => decodeAddress(wrap(RTM.newAddress, Buffer.alloc(8)))).toThrow(/EBADMSG/);
    expect(() => decodeAddress(wrap(RTM.newAddress, Buffer.alloc(7)))).toThrow(/EBADMSG/);
  });
});

describe('routes', () => {
  test('an encoded route decodes to its network, gateway and link', () => {
    const pair = fc.oneof(
      fc.tuple(ipv4, fc.integer({ min: 0, max: 32 }), ipv4),
      fc.tuple(ipv6, fc.integer({ min: 0, max: 128 }), ipv6),
    );
    fc.assert(
      fc.property(index, pair, fc.boolean(), (ifIndex, [ip, prefix, gw], onlink) => {
        const network = maskCidr(parseCidr(`${ip}/${prefix}`));
        const found = decodeRoute(wrap(RTM.newRoute, encodeRoute(ifIndex, { dst: `${ip}/${prefix}`, gw, onlink })));
        expect(found).toMatchObject({ dst: `${formatIp(network.bytes)}/${prefix}`, gw, ifIndex, onlink, table: 254 });
      }),
    );
  });

  test.each([
    ['default by the gateway, IPv4', { gw: '10.0.0.1' }, { dst: '0.0.0.0/0', scope: 0 }],
    ['default by the gateway, IPv6', { gw: 'fd00::1' }, { dst: '::/0', scope: 0 }],
    ['on the link, IPv4', { dst: '10.1.0.0/16' }, { dst: '10.1.0.0/16', scope: 253 }],
    ['on the link, IPv6', { dst: 'fd00:1::/64' }, { dst: 'fd00:1::/64', scope: 0 }],
    ['with source and priority', { gw: '10.0.0.1', src: '10.0.0.5', priority: 50 }, { src: '10.0.0.5', priority: 50 }],
  ])('%s', (_cause, spec, wanted) => {
    expect(decodeRoute(wrap(RTM.newRoute, encodeRoute(3, spec)))).toMatchObject(wanted);
  });

  test('a default route has no destination attribute', () => {
    expect(decodeAttributes(encodeRoute(3, { gw: '10.0.0.1' }).subarray(12)).has(RTA.dst)).toBe(false);
  });

  test.each([
    ['neither destination nor gateway', {}],
    ['families that differ', { dst: '10.0.0.0/8', gw: 'fd00::1' }],
    ['a gateway that is no address', { gw: 'gw' }],
  ])('%s is refused', (_cause, spec) => {
    expect(() => encodeRoute(3, spec)).toThrow(/EINVAL/);
  });

  test('a message too short is refused', () => {
    expect(() => decodeRoute(wrap(RTM.newRoute, Buffer.alloc(11)))).toThrow(/EBADMSG/);
  });
});

describe('links', () => {
  const pair = { hostName: 'h0', peerName: 'eth0', peerNetnsFd: 9, peerMac: '0a:58:0a:10:00:05', mtu: 1400 };

  test('the peer of a veth carries name, MAC, MTU and namespace inside the one request', () => {
    const top = decodeAttributes(encodeVethPair(pair).subarray(16));
    const info = decodeAttributes(top.get(IFLA.linkInfo) ?? Buffer.alloc(0));
    const data = decodeAttributes(info.get(IFLA_INFO.data) ?? Buffer.alloc(0));
    const peer = decodeAttributes((data.get(VETH_INFO_PEER) ?? Buffer.alloc(16)).subarray(16));
    expect(info.get(IFLA_INFO.kind)?.toString()).toBe('veth\0');
    expect(peer.get(IFLA.ifname)?.toString()).toBe('eth0\0');
    expect(peer.get(IFLA.address)?.toString('hex')).toBe('0a580a100005');
    expect(peer.get(IFLA.mtu)?.readUInt32LE()).toBe(1400);
    expect(peer.get(IFLA.netNsFd)?.readUInt32LE()).toBe(9);
    expect(top.has(IFLA.address)).toBe(false);
  });

  test.each([
    ['host name', { hostName: 'a/b' }],
    ['peer name', { peerName: 'longer than fifteen' }],
    ['MAC', { peerMac: 'ff:ff:ff:ff:ff:ff' }],
    ['host MAC', { hostMac: 'x' }],
    ['MTU', { mtu: 20 }],
  ])('a bad %s is refused before anything is sent', (_cause, change) => {
    expect(() => encodeVethPair({ ...pair, ...change })).toThrow(/EINVAL/);
  });

  test('a link message is read into plain words; what is absent stays absent', () => {
    const header = Buffer.alloc(16);
    header.writeInt32LE(7, 4);
    header.writeUInt32LE(1, 8);
    const payload = Buffer.concat([
      header,
      encodeAttributes([
        { type: IFLA.ifname, value: text('eth0') },
        { type: IFLA.mtu, value: u32(1400) },
      ]),
    ]);
    expect(decodeLink(wrap(RTM.newLink, payload))).toEqual({
      index: 7,
      name: 'eth0',
      mtu: 1400,
      up: true,
      running: false,
    });
  });

  test('a message too short is refused', () => {
    expect(() => decodeLink(wrap(RTM.newLink, Buffer.alloc(15)))).toThrow(/EBADMSG/);
  });
});

describe('neighbours', () => {
  test.each(['10.16.0.1', 'fd00:10::1'])('%s decodes to itself', (ip) => {
    const payload = encodeNeighbour(4, ip, '0a:00:00:00:00:01');
    expect(decodeNeighbour(wrap(RTM.newNeighbour, payload))).toEqual({
      ifIndex: 4,
      ip,
      mac: '0a:00:00:00:00:01',
      state: 0x80,
    });
  });

  test('a message without address, or too short, is refused', () => {
    expect(() => decodeNeighbour(wrap(RTM.newNeighbour, Buffer.alloc(12)))).toThrow(/EBADMSG/);
    expect(() => decodeNeighbour(wrap(RTM.newNeighbour, Buffer.alloc(3)))).toThrow(/EBADMSG/);
  });
});
