import { createRtNetlink } from 'netlink';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureAddress, listAddresses } from './addresses.ts';
import { formatIp, formatMac } from './ip.ts';
import { createVethPair, getLink, listLinks, setLinkUp } from './links.ts';
import { withNetns } from './netns.ts';
import { ensureRoute, listRoutes } from './routes.ts';
import { openRouteSocketIn, type RouteSocket } from './socket.ts';
import { createTestNetns, type TestNetns } from './testing.ts';

/** The npm package `netlink`, written by others, must see what our codec wrote and read what it reads. */
let here: TestNetns;
let there: TestNetns;
let ours: RouteSocket;
let theirs: ReturnType<typeof createRtNetlink>;
let index: number;

beforeAll(() => {
  here = createTestNetns();
  there = createTestNetns();
  ours = openRouteSocketIn(here);
  theirs = withNetns(here, () => createRtNetlink());
  const mtu = 1400;
  createVethPair(ours, { hostName: 'v0', peerName: 'eth0', peerNetnsFd: there.fd, peerMac: '0a:58:0a:10:00:05', mtu });
  there.run('ip link set eth0 up');
  index = getLink(ours, 'v0').index;
  setLinkUp(ours, index);
  ensureAddress(ours, index, '10.16.0.5/16');
  ensureAddress(ours, index, 'fd00:10::5/64', { noDad: true });
  ensureRoute(ours, index, { gw: '10.16.0.1' });
  ensureRoute(ours, index, { dst: '10.99.0.0/16', gw: '169.254.1.1', onlink: true, priority: 7 });
  ensureRoute(ours, index, { dst: 'fd00:99::/64', gw: 'fd00:10::1' });
});

afterAll(() => {
  theirs.socket.close();
  ours.close();
  here.remove();
  there.remove();
});

describe('second opinion', () => {
  test('links', async () => {
    const seen = (await theirs.getLinks()).map(({ data, attrs }) => ({
      index: data.index,
      name: attrs.ifname,
      mtu: attrs.mtu,
      mac: attrs.address === undefined ? undefined : formatMac(attrs.address),
      up: data.flags?.up === true,
    }));
    expect(listLinks(ours).map(({ index, name, mtu, mac, up }) => ({ index, name, mtu, mac, up }))).toEqual(seen);
  });

  test('addresses', async () => {
    const seen = (await theirs.getAddresses()).map(({ data, attrs }) => ({
      ifIndex: data.index,
      cidr: `${formatIp(attrs.local ?? attrs.address ?? Buffer.alloc(0))}/${data.prefixlen}`,
    }));
    expect(listAddresses(ours).map(({ ifIndex, cidr }) => ({ ifIndex, cidr }))).toEqual(seen);
    expect(seen).toContainEqual({ ifIndex: index, cidr: '10.16.0.5/16' });
  });

  test('routes', async () => {
    const seen = (await theirs.getRoutes())
      .filter(({ data, attrs }) => (attrs.table ?? data.table) === 254 && data.type === 'UNICAST')
      .map(({ data, attrs }) => ({
        dst: attrs.dst === undefined ? undefined : `${formatIp(attrs.dst)}/${data.dstLen}`,
        gw: attrs.gateway === undefined ? undefined : formatIp(attrs.gateway),
        priority: attrs.priority,
      }));
    const found = listRoutes(ours).map(({ dst, gw, priority }) => ({
      dst: dst.endsWith('/0') ? undefined : dst,
      gw,
      priority,
    }));
    expect(found.toSorted(byText)).toEqual(seen.toSorted(byText));
    expect(found.length).toBeGreaterThanOrEqual(5);
  });

  test('an address that they encode is one that we decode', async () => {
    await theirs.newAddress(
      { family: 2, prefixlen: 24, index },
      { local: Buffer.from([192, 168, 9, 1]), address: Buffer.from([192, 168, 9, 1]) },
      { ack: true, flags: 0x400 | 0x200 } as never,
    );
    expect(listAddresses(ours, index).map(({ cidr }) => cidr)).toContain('192.168.9.1/24');
  });
});

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a).localeCompare(JSON.stringify(b));
}
