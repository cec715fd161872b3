import { execFileSync, spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deleteAddress, ensureAddress, listAddresses } from './addresses.ts';
import { encodeMessage } from './codec.ts';
import { IFA_F, NLM, NLM_DUMP, RTM } from './constants.ts';
import { getOffload, setOffload } from './ethtool.ts';
import {
  createVethPair,
  deleteIfPresent,
  deleteLink,
  disableLinkLocal,
  findLink,
  getLink,
  listLinks,
  setLinkMac,
  setLinkMtu,
  setLinkUp,
} from './links.ts';
import { ensureNeighbour, listNeighbours } from './neighbours.ts';
import { closeNetns, openNetns, openOwnNetns, refuseOwnNetns, withNetns } from './netns.ts';
import { runNft } from './nft.ts';
import { deleteRoute, ensureRoute, listRoutes } from './routes.ts';
import { createRouteSocket, openRouteSocket, openTransport, type RouteSocket, type Transport } from './socket.ts';
import { readSysctl, writeInterfaceSysctls, writeSysctl } from './sysctl.ts';
import { countFds, createTestNetns, type TestNetns } from './testing.ts';

const MAC = '0a:58:0a:10:00:05';
let left: TestNetns;
let right: TestNetns;
let socket: RouteSocket;

beforeEach(() => {
  left = createTestNetns();
  right = createTestNetns();
  socket = openRouteSocket(left.path);
});

afterEach(() => {
  socket.close();
  left.remove();
  right.remove();
});

function createPair(hostName = 'v0', peerName = 'eth0'): number {
  createVethPair(socket, { hostName, peerName, peerNetnsFd: right.fd, peerMac: MAC, mtu: 1400 });
  return getLink(socket, hostName).index;
}

describe('links', () => {
  test('both ends of a veth appear at once, the peer in its namespace with name, MAC and MTU', () => {
    const index = createPair();
    const inside = openRouteSocket(right.path);
    expect(getLink(inside, 'eth0')).toMatchObject({ mac: MAC, mtu: 1400, kind: 'veth', up: false, peerIndex: index });
    expect(getLink(socket, index)).toMatchObject({ name: 'v0', mtu: 1400, kind: 'veth' });
    inside.close();
  });

  test('a name that is taken on either side is EEXIST and changes nothing', () => {
    createPair();
    expect(() => createPair('v0', 'eth1')).toThrow(/EEXIST/);
    expect(() => createPair('v1', 'eth0')).toThrow(/EEXIST/);
    expect(listLinks(socket).map(({ name }) => name)).toEqual(['lo', 'v0']);
  });

  test('up, MTU and MAC are set as asked', () => {
    const index = createPair();
    setLinkMtu(socket, index, 1300);
    setLinkMac(socket, 'v0', '0a:00:00:00:00:07');
    setLinkUp(socket, index);
    expect(getLink(socket, 'v0')).toMatchObject({ mtu: 1300, mac: '0a:00:00:00:00:07', up: true });
    setLinkUp(socket, index, false);
    expect(getLink(socket, 'v0').up).toBe(false);
  });

  test('without generation the kernel makes no link-local address', () => {
    const index = createPair();
    disableLinkLocal(socket, index);
    setLinkUp(socket, index);
    right.run('ip link set eth0 up');
    expect(listAddresses(socket, index)).toEqual([]);
  });

  test('deleting is idempotent where asked, and the peer goes too', () => {
    createPair();
    expect(deleteIfPresent(socket, 'v0')).toBe(true);
    expect(deleteIfPresent(socket, 'v0')).toBe(false);
    expect(() => deleteLink(socket, 'v0')).toThrow(/ENODEV/);
    expect(findLink(socket, 'v0')).toBeUndefined();
    expect(right.run('ip -o link')).not.toContain('eth0');
  });

  test('the words of the kernel are in the error', () => {
    left.run('ip link add br0 type bridge');
    left.run('ip link add br1 type bridge');
    const master = Buffer.alloc(24);
    master.writeInt32LE(getLink(socket, 'br1').index, 4);
    master.writeUInt16LE(8, 16);
    master.writeUInt16LE(10, 18);
    master.writeInt32LE(getLink(socket, 'br0').index, 20);
    const request = { type: RTM.setLink, payload: master, what: 'enslave' };
    expect(() => socket.request(request)).toThrow('enslave: ELOOP: Can not enslave a bridge to a bridge');
  });

  test('offloads are read and switched in the namespace of the thread', () => {
    createPair();
    const before = withNetns(left, () => getOffload('v0', 'txChecksum'));
    withNetns(left, () => setOffload('v0', 'txChecksum', false));
    expect([before, withNetns(left, () => getOffload('v0', 'txChecksum'))]).toEqual([true, false]);
    expect(() => setOffload('v0', 'txChecksum', false)).toThrow(/ENODEV/);
  });
});

describe('addresses', () => {
  test('of both families, repeated without harm, usable at once', () => {
    const index = createPair();
    setLinkUp(socket, index);
    for (const cidr of ['10.16.0.5/16', 'fd00:10::5/64', '10.16.0.5/16', 'fd00:10::5/64']) {
      ensureAddress(socket, index, cidr, { noDad: true });
    }
    const found = listAddresses(socket, index).filter(({ cidr }) => !cidr.startsWith('fe80'));
    expect(found.map(({ cidr }) => cidr)).toEqual(['10.16.0.5/16', 'fd00:10::5/64']);
    expect((found[1]?.flags ?? 0) & (IFA_F.noDad | IFA_F.tentative)).toBe(IFA_F.noDad);
  });

  test('deleting says whether there was one', () => {
    const index = createPair();
    ensureAddress(socket, index, '10.16.0.5/16');
    expect(deleteAddress(socket, index, '10.16.0.5/16')).toBe(true);
    expect(deleteAddress(socket, index, '10.16.0.5/16')).toBe(false);
  });

  test('a link that is not there is not found', () => {
    expect(() => ensureAddress(socket, 4242, '10.16.0.5/16')).toThrow(/ENODEV/);
  });
});

describe('routes', () => {
  test('default, on-link gateway and plain link routes; replacing moves the gateway', () => {
    const index = createPair();
    right.run('ip link set eth0 up');
    setLinkUp(socket, index);
    ensureAddress(socket, index, '10.16.0.5/16');
    ensureAddress(socket, index, 'fd00:10::5/64', { noDad: true });
    ensureRoute(socket, index, { gw: '10.16.0.1' });
    ensureRoute(socket, index, { gw: '10.16.0.2' });
    ensureRoute(socket, index, { gw: 'fd00:10::1' });
    ensureRoute(socket, index, { dst: '10.99.0.0/16', gw: '169.254.1.1', onlink: true });
    ensureRoute(socket, index, { dst: '10.98.7.7/16' });
    const found = listRoutes(socket, index);
    expect(found).toContainEqual(expect.objectContaining({ dst: '0.0.0.0/0', gw: '10.16.0.2' }));
    expect(found.filter(({ dst }) => dst === '0.0.0.0/0')).toHaveLength(1);
    expect(found).toContainEqual(expect.objectContaining({ dst: '::/0', gw: 'fd00:10::1' }));
    expect(found).toContainEqual(expect.objectContaining({ dst: '10.99.0.0/16', onlink: true }));
    expect(found).toContainEqual(expect.objectContaining({ dst: '10.98.0.0/16', scope: 253 }));
    expect(deleteRoute(socket, index, { dst: '10.98.0.0/16' })).toBe(true);
    expect(deleteRoute(socket, index, { dst: '10.98.0.0/16' })).toBe(false);
  });

  test('a gateway that the link does not reach is refused with the words of the kernel', () => {
    const index = createPair();
    setLinkUp(socket, index);
    expect(() => ensureRoute(socket, index, { gw: '10.77.0.1' })).toThrow(/ENETUNREACH: .+/);
  });

  test('permanent neighbours are set and listed', () => {
    const index = createPair();
    setLinkUp(socket, index);
    ensureNeighbour(socket, index, { ip: '10.16.0.1', mac: '0a:00:00:00:00:01' });
    expect(listNeighbours(socket, index)).toContainEqual(
      expect.objectContaining({ ip: '10.16.0.1', mac: '0a:00:00:00:00:01' }),
    );
  });
});

describe('dumps and overflow', () => {
  const ADDRESSES = 1500;

  function fillAddresses(index: number): void {
    for (let n = 0; n < ADDRESSES; n += 1) ensureAddress(socket, index, `10.${20 + (n >> 8)}.${n & 0xff}.1/32`);
  }

  test('a dump that a change interrupts is repeated and complete', () => {
    const index = createPair();
    fillAddresses(index);
    const real = withNetns(left, () => openTransport());
    let changes = 2;
    let datagrams = 0;
    const transport: Transport = {
      ...real,
      receive: (wait) => {
        const bytes = real.receive(wait);
        datagrams += 1;
        if (changes > 0) ensureAddress(socket, index, `10.99.0.${changes}/32`);
        changes -= 1;
        return bytes;
      },
    };
    const dumping = createRouteSocket(transport);
    const found = listAddresses(dumping, index).filter(({ cidr }) => cidr.startsWith('10.'));
    dumping.close();
    expect(new Set(found.map(({ cidr }) => cidr)).size).toBe(ADDRESSES + 2);
    expect(found).toHaveLength(ADDRESSES + 2);
    expect(datagrams).toBeGreaterThan(Math.ceil((ADDRESSES * 60) / 32768));
  });

  test('a dump that is interrupted every time ends in an error to retry, and the socket is still good', () => {
    const index = createPair();
    fillAddresses(index);
    const real = withNetns(left, () => openTransport());
    let n = 0;
    const receive = (wait: boolean) => {
      n += 1;
      ensureAddress(socket, index, `10.99.${n >> 8}.${n & 0xff}/32`);
      return real.receive(wait);
    };
    const dumping = createRouteSocket({ ...real, receive });
    expect(() => listAddresses(dumping, index)).toThrow(expect.objectContaining({ code: 'EINTR', class: 'retry' }));
    const quiet = createRouteSocket(real);
    expect(getLink(quiet, 'v0').index).toBe(index);
    quiet.close();
  });

  test('answers lost to a full buffer (ENOBUFS) are an error for a change, and a repeated read for the rest', () => {
    createPair();
    const transport = withNetns(left, () => openTransport(2048));
    const small = createRouteSocket(transport);
    const overflow = () => {
      const request = encodeMessage({
        type: RTM.getLink,
        flags: NLM.request | NLM.ack,
        seq: 0x7fffffff,
        portId: 0,
        payload: indexHeader(1),
      });
      for (let n = 0; n < 64; n += 1) transport.send(request);
    };
    overflow();
    expect(getLink(small, 'v0').name).toBe('v0');
    overflow();
    expect(() => setLinkUp(small, 'v0')).toThrow(expect.objectContaining({ code: 'ENOBUFS', class: 'retry' }));
    setLinkUp(small, 'v0');
    expect(getLink(small, 'v0').up).toBe(true);
    small.close();
  });

  test('a dump left unread by someone before does not spoil the next', () => {
    const index = createPair();
    fillAddresses(index);
    const transport = withNetns(left, () => openTransport());
    const used = createRouteSocket(transport);
    const payload = Buffer.alloc(8);
    transport.send(encodeMessage({ type: RTM.getAddress, flags: NLM.request | NLM_DUMP, seq: 99, portId: 0, payload }));
    expect(listAddresses(used, index).filter(({ cidr }) => cidr.startsWith('10.'))).toHaveLength(ADDRESSES);
    used.close();
  });

  function indexHeader(index: number): Buffer {
    const out = Buffer.alloc(16);
    out.writeInt32LE(index, 4);
    return out;
  }
});

describe('namespaces', () => {
  test('a socket keeps the namespace it was opened in', () => {
    createPair();
    const host = openRouteSocket();
    expect(findLink(host, 'v0')).toBeUndefined();
    expect(findLink(socket, 'v0')).toBeDefined();
    host.close();
  });

  test('the same namespace has one identity, another one another', () => {
    const again = openNetns(left.path);
    expect(again.id).toBe(left.id);
    expect(right.id).not.toBe(left.id);
    closeNetns(again);
  });

  test('the own namespace is refused, a pod namespace is not', () => {
    const own = openOwnNetns();
    expect(() => refuseOwnNetns(own)).toThrow(expect.objectContaining({ code: 'EHOSTNETNS', class: 'terminal' }));
    expect(() => refuseOwnNetns(left)).not.toThrow();
    closeNetns(own);
  });

  test('the thread comes back when the work inside throws', () => {
    const own = openOwnNetns();
    expect(() =>
      withNetns(left, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    const after = openOwnNetns();
    expect(after.id).toBe(own.id);
    closeNetns(own);
    closeNetns(after);
  });

  test('a thread that cannot come back takes the process down', () => {
    const netnsFile = new URL('./netns.ts', import.meta.url).href;
    const script = `import { closeSync, readdirSync, readlinkSync } from 'node:fs';
      import { openNetns, withNetns } from ${JSON.stringify(netnsFile)};
      const own = readlinkSync('/proc/self/ns/net');
      const isOwn = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) === own; } catch { return false; } };
      withNetns(openNetns(${JSON.stringify(left.path)}), () => readdirSync('/proc/self/fd').filter(isOwn).forEach((fd) => closeSync(Number(fd))));
      console.log('went on');`;
    const args = ['-c', 'ulimit -c 0; exec "$0" --input-type=module -e "$1"', process.execPath, script];
    const { signal, stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
    expect({ signal, stdout }).toEqual({ signal: 'SIGABRT', stdout: '' });
    expect(stderr).toContain("cannot return to the host's network namespace");
  });

  test('a file that is no namespace, and none at all, are not found', () => {
    expect(() => openNetns('/proc/self/status')).toThrow(/ENOENT/);
    expect(() => openNetns('/run/netns/mlt-there-is-none')).toThrow(/ENOENT/);
  });

  test('settings are written in the namespace alone', () => {
    createPair();
    const before = readSysctl('ipv4/ip_forward');
    withNetns(left, () => {
      writeInterfaceSysctls('v0', { ipv4: { rp_filter: 2 }, ipv6: { accept_ra: 0 } });
      writeSysctl('ipv4/ip_forward', before === 1 ? 0 : 1);
    });
    expect(left.run('cat /proc/sys/net/ipv4/conf/v0/rp_filter /proc/sys/net/ipv6/conf/v0/accept_ra')).toBe('2\n0\n');
    expect(readSysctl('ipv4/ip_forward')).toBe(before);
    expect(writeSysctl('ipv4/conf/none/rp_filter', 1)).toBe(false);
    expect(() => withNetns(left, () => writeSysctl('ipv4/conf/v0/forwarding', Number.NaN))).toThrow(/EINVAL/);
  });

  test('nft runs inside, and tells what was wrong', () => {
    withNetns(left, () => runNft('add table inet mine'));
    expect(left.run('nft list tables')).toBe('table inet mine\n');
    expect(() => withNetns(left, () => runNft('list table inet yours'))).toThrow(/ENOENT/);
    expect(() => withNetns(left, () => runNft('add tabel'))).toThrow(/EINVAL/);
  });

  test('a namespace that was deleted while open still closes its sockets without a leak', () => {
    const before = countFds();
    const gone = createTestNetns();
    const inside = openRouteSocket(gone.path);
    gone.remove();
    expect(findLink(inside, 'lo')?.name).toBe('lo');
    inside.close();
    inside.close();
    expect(countFds()).toBe(before);
    expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain(gone.name);
  });
});
