import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AttachVeth } from './jobs.ts';
import { createVethPair, findLink, listLinks } from './links.ts';
import { openRouteSocket } from './socket.ts';
import { countFds, createTestNetns, nextLinkName, type TestNetns } from './testing.ts';
import { createNetnsWorker, type NetnsWorker } from './worker.ts';

let worker: NetnsWorker;
let pod: TestNetns;
let hostName: string;

beforeAll(() => {
  worker = createNetnsWorker();
});

afterAll(async () => {
  await worker.stop();
});

beforeEach(() => {
  pod = createTestNetns();
  hostName = nextLinkName();
});

afterEach(async () => {
  await worker.run({ kind: 'detachVeth', hostName });
  pod.remove();
});

function plan(change: Partial<AttachVeth> = {}): AttachVeth {
  return {
    kind: 'attachVeth',
    netnsPath: pod.path,
    hostName,
    peerName: 'eth0',
    mac: '0a:58:0a:10:00:05',
    mtu: 1400,
    addresses: ['10.16.0.5/16', 'fd00:10::5/64'],
    routes: [{ gw: '10.16.0.1' }, { gw: 'fd00:10::1' }],
    expectHostNetnsDifferent: true,
    disableTxChecksum: true,
    ...change,
  };
}

function hostLinks(): string[] {
  const socket = openRouteSocket();
  const names = listLinks(socket).map(({ name }) => name);
  socket.close();
  return names;
}

describe('attach', () => {
  test('one job makes a whole pod interface', async () => {
    const found = await worker.run(plan({ alias: 'sandbox-1/eth0', hostMac: '0a:00:00:00:00:01' }));
    expect(found.netnsId).toBe(pod.id);
    expect(pod.run('ip -o addr show eth0')).toMatch(/10\.16\.0\.5\/16[\s\S]*fd00:10::5\/64/);
    expect(pod.run('ip route show default')).toContain('via 10.16.0.1 dev eth0');
    expect(pod.run('ip -6 route show default')).toContain('via fd00:10::1 dev eth0');
    expect(pod.run('ethtool -k eth0')).toContain('tx-checksumming: off');
    expect(execFileSync('ip', ['link', 'show', hostName], { encoding: 'utf8' })).toMatch(
      /UP[\s\S]*0a:00:00:00:00:01[\s\S]*alias sandbox-1\/eth0/,
    );
    const { links } = await worker.run({ kind: 'listLinks', prefix: hostName });
    expect(links).toMatchObject([{ index: found.hostIfIndex, peerIndex: found.peerIfIndex, alias: 'sandbox-1/eth0' }]);
  });

  test('the host end neither routes, nor answers, nor hears router advertisements', async () => {
    await worker.run(plan());
    const read = (path: string) => execFileSync('cat', [`/proc/sys/net/${path}`], { encoding: 'utf8' }).trim();
    expect(read(`ipv4/conf/${hostName}/forwarding`)).toBe('0');
    expect(read(`ipv4/conf/${hostName}/arp_ignore`)).toBe('8');
    expect(read(`ipv6/conf/${hostName}/disable_ipv6`)).toBe('1');
    expect(pod.run('cat /proc/sys/net/ipv6/conf/eth0/accept_ra')).toBe('0\n');
  });

  test('CHECK finds nothing wrong, then names each thing that was broken', async () => {
    await worker.run(plan());
    const { mac, mtu, addresses, routes } = plan();
    const check = {
      kind: 'checkVeth',
      hostName,
      netnsPath: pod.path,
      peerName: 'eth0',
      mac,
      mtu,
      addresses,
      routes,
    } as const;
    expect(await worker.run(check)).toEqual({ problems: [], mtu: 1400 });
    for (const line of ['ip link set eth0 mtu 1300', 'ip addr del 10.16.0.5/16 dev eth0', 'ip -6 route del default']) {
      pod.run(line);
    }
    pod.run('ip link set eth0 address 0a:58:0a:10:00:06');
    expect((await worker.run(check)).problems).toEqual([
      'eth0 has MAC 0a:58:0a:10:00:06',
      'eth0 has MTU 1300',
      'eth0 lacks address 10.16.0.5/16',
      'eth0 lacks route 0.0.0.0/0 via 10.16.0.1',
      'eth0 lacks route ::/0 via fd00:10::1',
    ]);
    pod.run('ip link set eth0 name eth9');
    expect((await worker.run(check)).problems).toEqual(['eth0 is missing in the pod']);
    await worker.run({ kind: 'detachVeth', hostName });
    expect((await worker.run(check)).problems).toEqual([`${hostName} is missing on the node`]);
  });

  test('CHECK takes a default route that another interface of the pod has drawn to itself, and no other loss', async () => {
    await worker.run(plan({}));
    const { hostName, routes } = plan({});
    const check = { kind: 'checkVeth', hostName, netnsPath: pod.path, peerName: 'eth0', routes } as const;
    for (const line of [
      'ip link add d0 type veth peer name d1',
      'ip link set d0 up',
      'ip link set d1 up',
      'ip addr add 192.0.2.1/24 dev d0',
      'ip route replace default via 192.0.2.2 dev d0',
    ]) {
      pod.run(line);
    }
    expect((await worker.run(check)).problems).toEqual([]);
    pod.run('ip route del default');
    expect((await worker.run(check)).problems).toEqual(['eth0 lacks route 0.0.0.0/0 via 10.16.0.1']);
  });

  test('with a gate the interface comes up shut', async () => {
    await worker.run(plan({ gate: { binding: 'bridge' } }));
    const ask = { kind: 'getGateState', netnsPath: pod.path, interface: 'eth0' } as const;
    expect((await worker.run(ask)).state).toMatchObject({ open: false });
    expect(await worker.run({ ...ask, kind: 'ensureGate', binding: 'bridge' })).toEqual({ created: false });
    await worker.run({ ...ask, kind: 'openGate', binding: 'bridge' });
    expect((await worker.run(ask)).state).toMatchObject({ open: true });
    await worker.run({ kind: 'deleteGate', netnsPath: pod.path });
    expect((await worker.run(ask)).state).toBeNull();
  });

  test.each([
    [true, '1'],
    [false, '0'],
  ])(
    'a tracker that sees half of a connection is liberal, and tells of all flows, only where asked (%s)',
    async (trackForMigration, expected) => {
      await worker.run(plan({ trackForMigration }));
      expect(pod.run('cat /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal').trim()).toBe(expected);
      expect(pod.run('cat /proc/sys/net/netfilter/nf_conntrack_events').trim()).toBe(trackForMigration ? '1' : '2');
    },
  );

  test.each([
    ['masquerade', '0'],
    ['bridge', '1'],
  ] as const)(
    'behind a gate of binding %s a bridge made later checks its own address: %s (masquerade would be deaf on IPv6)',
    async (binding, expected) => {
      await worker.run(plan({ gate: { binding } }));
      pod.run('ip link add k6t-eth0 type bridge');
      expect(pod.run('cat /proc/sys/net/ipv6/conf/k6t-eth0/accept_dad').trim()).toBe(expected);
    },
  );

  test('announcements go out through the new interface', async () => {
    await worker.run(plan({ announce: true }));
    const sent = () => Number(pod.run('cat /sys/class/net/eth0/statistics/tx_packets'));
    const before = sent();
    await worker.run({
      kind: 'announce',
      netnsPath: pod.path,
      name: 'eth0',
      mac: plan().mac,
      ips: ['10.16.0.5'],
      rarp: true,
    });
    expect(before).toBeGreaterThanOrEqual(2);
    expect(sent()).toBeGreaterThanOrEqual(before + 2);
  });
});

describe('attach that fails leaves nothing behind', () => {
  test.each([
    ['a gateway out of reach', { routes: [{ gw: '10.77.0.1' }] }, 'ENETUNREACH'],
    ['an address that the kernel refuses', { addresses: ['224.0.0.1/32', '::1/128', 'ff02::1/64'] }, 'EADDRNOTAVAIL'],
    ['an alias too long', { alias: 'x'.repeat(300) }, 'EINVAL'],
    ['an address without prefix', { addresses: ['10.16.0.5'] }, 'EINVAL'],
    ['a bad interface name', { peerName: '../eth0' }, 'EINVAL'],
    ['a bad MTU', { mtu: 1 }, 'EINVAL'],
    ['a gate and an announcement', { gate: { binding: 'bridge' as const }, announce: true }, 'EINVAL'],
    ['no promise about the namespace', { expectHostNetnsDifferent: false as true }, 'EINVAL'],
  ])('%s', async (_cause, change, code) => {
    const before = countFds();
    await expect(worker.run(plan(change))).rejects.toMatchObject({ name: 'NetlinkError', code });
    expect(hostLinks()).not.toContain(hostName);
    expect(pod.run('ip -o link')).not.toContain('eth0');
    expect(countFds()).toBe(before);
  });

  test('a name taken in the pod: EEXIST, the old interface stays', async () => {
    pod.run('ip link add eth0 type bridge');
    await expect(worker.run(plan())).rejects.toMatchObject({ code: 'EEXIST', errno: 17, class: 'terminal' });
    expect(pod.run('ip -o -d link show eth0')).toContain('bridge');
    expect(hostLinks()).not.toContain(hostName);
  });

  test('a name taken on the node: EEXIST, the other pod keeps its interface', async () => {
    await worker.run(plan());
    const other = createTestNetns();
    await expect(worker.run(plan({ netnsPath: other.path }))).rejects.toMatchObject({ code: 'EEXIST' });
    expect(pod.run('ip -o link')).toContain('eth0');
    other.remove();
  });

  test('the namespace of the host: refused', async () => {
    for (const netnsPath of ['/proc/self/ns/net', '/proc/thread-self/ns/net', `/proc/${process.pid}/ns/net`]) {
      await expect(worker.run(plan({ netnsPath }))).rejects.toMatchObject({ code: 'EHOSTNETNS', class: 'terminal' });
    }
    expect(hostLinks()).not.toContain(hostName);
  });

  test('a namespace that vanished: not found, whether its file went or only its mount', async () => {
    const gone = createTestNetns();
    gone.remove();
    await expect(worker.run(plan({ netnsPath: gone.path }))).rejects.toMatchObject({ class: 'not-found' });
    const unmounted = createTestNetns();
    execFileSync('umount', ['--lazy', unmounted.path]);
    expect(existsSync(unmounted.path)).toBe(true);
    await expect(worker.run(plan({ netnsPath: unmounted.path }))).rejects.toMatchObject({ class: 'not-found' });
    unmounted.remove();
  });
});

describe('the worker', () => {
  test('200 attachments and detachments leave no descriptor, link or namespace', async () => {
    await worker.run(plan());
    await worker.run({ kind: 'detachVeth', hostName });
    const before = { fds: countFds(), links: hostLinks().filter((name) => name.startsWith('mlt')).length };
    for (let round = 0; round < 200; round += 1) {
      await worker.run(plan({ gate: { binding: round % 2 === 0 ? 'bridge' : 'masquerade' } }));
      expect(await worker.run({ kind: 'detachVeth', hostName })).toEqual({ deleted: true });
    }
    const after = { fds: countFds(), links: hostLinks().filter((name) => name.startsWith('mlt')).length };
    expect(after).toEqual(before);
    expect(pod.run('ip -o link')).not.toContain('eth0');
    expect(await worker.run({ kind: 'detachVeth', hostName })).toEqual({ deleted: false });
  });

  test('no thread of this process ever stays in another namespace', async () => {
    await Promise.all([worker.run(plan()), worker.run({ kind: 'listLinks' }), worker.run({ kind: 'listLinks' })]);
    const own = readlinkSync('/proc/self/ns/net');
    const threads = readdirSync('/proc/self/task').map((id) => readlinkSync(`/proc/self/task/${id}/ns/net`));
    expect(new Set(threads)).toEqual(new Set([own]));
  });

  test('stop lets given jobs finish; later ones are told that it is gone', async () => {
    const other = createNetnsWorker();
    const job = other.run({ kind: 'listLinks', prefix: 'lo' });
    await other.stop();
    await other.stop();
    expect((await job).links).toMatchObject([{ name: 'lo' }]);
    await expect(other.run({ kind: 'listLinks' })).rejects.toMatchObject({ code: 'EWORKERGONE', class: 'terminal' });
  });

  test('an entry file that is missing is told to every caller', async () => {
    const broken = createNetnsWorker(new URL('./no-such-worker.ts', import.meta.url));
    await expect(broken.run({ kind: 'listLinks' })).rejects.toMatchObject({ code: 'EWORKERGONE' });
    await broken.stop();
  });

  test('a worker that dies in a job rejects that job and the next', async () => {
    const entry = new URL(
      'data:text/javascript,import{parentPort as p}from"node:worker_threads";p.on("message",()=>{throw new Error("boom")});p.postMessage("ready")',
    );
    const dying = createNetnsWorker(entry);
    await expect(dying.run({ kind: 'listLinks' })).rejects.toThrow(/boom/);
    await expect(dying.run({ kind: 'listLinks' })).rejects.toMatchObject({ code: 'EWORKERGONE' });
    await dying.stop();
  });
});

describe('node ports', () => {
  /** The worker acts on the namespace in which its thread was made, so a stand-in node needs a process of its own. */
  function runOnNode(node: TestNetns, job: unknown): unknown {
    const script = `import { createNetnsWorker } from ${JSON.stringify(new URL('./worker.ts', import.meta.url).href)};
      const worker = createNetnsWorker();
      const done = (value) => worker.stop().then(() => console.log(JSON.stringify(value)));
      await worker.run(${JSON.stringify(job)}).then(done, (error) => done({ ...error, message: error.message }));`;
    const folder = mkdtempSync(join(tmpdir(), 'mlt-'));
    try {
      writeFileSync(join(folder, 'run.mjs'), script);
      const args = ['netns', 'exec', node.name, process.execPath, join(folder, 'run.mjs')];
      return JSON.parse(execFileSync('ip', args, { encoding: 'utf8' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const job = {
    kind: 'configureNodePorts',
    forwarding: { ipv4: true, ipv6: true },
    ports: [
      {
        name: 'gw0',
        mac: '0a:00:00:00:01:02',
        mtu: 1400,
        addresses: ['100.64.0.2/32'],
        routes: [],
        disableTxChecksum: true,
      },
      {
        name: 'mo0',
        mac: '0a:00:00:00:02:11',
        mtu: 1400,
        addresses: ['100.64.0.11/16', 'fd64::11/64'],
        routes: [
          { dst: '10.16.0.0/16', gw: '100.64.0.1' },
          { dst: 'fd00:10::/64', gw: 'fd64::1' },
        ],
        disableTxChecksum: true,
      },
    ],
    rules: {
      sources: ['10.16.0.0/16', 'fd00:10::/64'],
      ownPorts: ['gw0', 'mo0'],
      vpcMacPrefix: '0e',
      nodePort: 'mo0',
      routerIps: ['100.64.0.1', 'fd64::1'],
    },
  };

  test('addresses, MTU, MAC, routes, settings and NAT are set, strangers go, and a second run changes nothing', () => {
    for (const name of ['gw0', 'mo0']) pod.run(`ip tuntap add ${name} mode tap`);
    pod.run('ip addr add 192.168.7.7/24 dev mo0');
    runOnNode(pod, job);
    const lines = ['ip -o addr', 'ip route', 'ip -6 route show dev mo0', 'nft list ruleset', 'ip -o link'];
    const state = () =>
      lines
        .map((line) => pod.run(line))
        .join('')
        .replaceAll('{ "mo0", "gw0" }', '{ "gw0", "mo0" }');
    const first = state();
    expect(first).toMatch(/gw0 +inet 100\.64\.0\.2\/32/);
    expect(first).toMatch(/mo0 +inet 100\.64\.0\.11\/16/);
    expect(first).not.toContain('192.168.7.7');
    expect(first).toContain('10.16.0.0/16 via 100.64.0.1 dev mo0');
    expect(first).toContain('fd00:10::/64 via fd64::1');
    expect(first).toMatch(/ip saddr @pods oifname != \{ "gw0", "mo0" \} counter packets 0 bytes 0 masquerade/);
    expect(first).toMatch(/gw0: .*mtu 1400.*0a:00:00:00:01:02/);
    expect(pod.run('cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/gw0/rp_filter')).toBe('1\n2\n');
    runOnNode(pod, job);
    expect(state()).toBe(first);
    runOnNode(pod, { kind: 'deleteNodeRules' });
    runOnNode(pod, { kind: 'deleteNodeRules' });
    expect(pod.run('nft list ruleset')).toBe('');
  });

  test('routes of ours that are not wanted any more go, others stay, and one that takes from the node is refused', () => {
    for (const name of ['gw0', 'mo0']) pod.run(`ip tuntap add ${name} mode tap`);
    pod.run('ip link add own0 type veth peer name own1');
    pod.run('ip link set own0 up');
    pod.run('ip link set own1 up');
    pod.run('ip addr add 10.99.8.1/24 dev own0');
    const withHosts = (yieldingRoutes: object[]) => ({
      ...job,
      ports: [job.ports[0], { ...job.ports[1], yieldingRoutes }],
    });
    const hosts = [
      { dst: '10.99.0.5/32', gw: '100.64.0.9' },
      { dst: '10.99.8.7/32', gw: '100.64.0.9' },
      { dst: 'fd99::5/128', gw: 'fd64::9' },
    ];
    expect(runOnNode(pod, withHosts(hosts))).toMatchObject({ refused: ['10.99.8.7/32'] });
    pod.run('ip route add 10.98.0.0/16 via 100.64.0.1 dev mo0');
    expect(pod.run('ip route')).toContain('10.99.0.5 via 100.64.0.9 dev mo0 proto 109');
    expect(pod.run('ip -6 route')).toContain('fd99::5 via fd64::9 dev mo0 proto 109');
    expect(pod.run('ip route')).not.toContain('10.99.8.7');
    runOnNode(pod, withHosts(hosts.slice(1)));
    const rest = pod.run('ip route') + pod.run('ip -6 route');
    expect(rest).not.toContain('10.99.0.5');
    expect(rest).toContain('fd99::5 via fd64::9');
    expect(rest).toContain('10.98.0.0/16 via 100.64.0.1');
    expect(rest).toContain('10.16.0.0/16 via 100.64.0.1');
    runOnNode(pod, withHosts([]));
    expect(pod.run('ip -6 route')).not.toContain('fd99::5');
  });

  test('a node with IPv6 switched off gets the IPv4 half', () => {
    for (const name of ['gw0', 'mo0']) pod.run(`ip tuntap add ${name} mode tap`);
    pod.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
    runOnNode(pod, job);
    expect(pod.run('ip -o addr')).toMatch(/mo0 +inet 100\.64\.0\.11\/16/);
    expect(pod.run('ip -o addr')).not.toContain('fd64');
    expect(pod.run('nft list tables')).not.toContain('ip6');
    expect(pod.run('cat /proc/sys/net/ipv6/conf/all/forwarding')).toBe('0\n');
  });

  test('a node that has its IPv6 way out by advertisement keeps it when it begins to forward', () => {
    for (const name of ['gw0', 'mo0']) pod.run(`ip tuntap add ${name} mode tap`);
    pod.run('ip link add own0 type veth peer name own1');
    pod.run('ip link set own0 up');
    pod.run('ip link set own1 up');
    pod.run('ip -6 route add default via fe80::1 dev own0 proto ra');
    runOnNode(pod, job);
    const read = 'cat /proc/sys/net/ipv6/conf/own0/accept_ra /proc/sys/net/ipv6/conf/own1/accept_ra';
    expect(pod.run(read)).toBe('2\n1\n');
    expect(pod.run('cat /proc/sys/net/ipv6/conf/all/forwarding')).toBe('1\n');
  });

  test('a port that OVS has not made yet is not found, to be tried again', () => {
    expect(runOnNode(pod, job)).toMatchObject({ code: 'ENODEV', class: 'not-found' });
  });
});

describe('links that are not ours', () => {
  test('detaching one name leaves every other link', async () => {
    const socket = openRouteSocket();
    const other = nextLinkName();
    createVethPair(socket, {
      hostName: other,
      peerName: 'other',
      peerNetnsFd: pod.fd,
      peerMac: '0a:00:00:00:00:09',
      mtu: 1400,
    });
    await worker.run(plan());
    await worker.run({ kind: 'detachVeth', hostName });
    expect(findLink(socket, other)?.name).toBe(other);
    await worker.run({ kind: 'detachVeth', hostName: other });
    socket.close();
  });
});
