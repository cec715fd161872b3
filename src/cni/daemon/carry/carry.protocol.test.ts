import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../kube/testing/eventually.ts';
import { createTestNetns, type TestNetns } from '../../../netlink/testing.ts';
import { createNetnsWorker, type NetnsWorker } from '../../../netlink/worker.ts';
import { formatAttachment, formatJournal, formatPort, GUEST_IP, PORT_IP, REMOTE_IP } from './testing/records.ts';
import { type CarryNode, type CarryWorld, startCarryWorld } from './testing/world.ts';

/** Two launchers' namespaces, their nodes' agents, and the kernel's own tables, read and written by conntrack(8). */
let links: NetnsWorker;
let world: CarryWorld;
let source: TestNetns;
let target: TestNetns;
let a: CarryNode;
let b: CarryNode;
beforeAll(() => {
  links = createNetnsWorker();
});
afterAll(() => links.stop());
beforeEach(async () => {
  source = createTestNetns();
  target = createTestNetns();
  const gate = { netnsPath: `/run/netns/${target.name}`, interface: 'eth0', binding: 'masquerade' } as const;
  await links.run({ kind: 'ensureGate', ...gate });
  world = await startCarryWorld();
  a = await world.startNode('a', { links, journal: [formatJournal('s', `/run/netns/${source.name}`)] });
  b = await world.startNode('b', { links, journal: [formatJournal('t', `/run/netns/${target.name}`, { gate: true })] });
});
afterEach(async () => {
  await world.stop();
  source.remove();
  target.remove();
});

const PORT = formatPort('p1');
const SETTLED = formatPort('p1', { attachments: [formatAttachment('t', 'b', 'Source')] });
const ROLLED_BACK = formatPort('p1', { attachments: [formatAttachment('s', 'a', 'Source')] });

/** A session of the guest to port 443 of a server, as its launcher tracks it. */
function track(netns: TestNetns, sport: number, protocol = 'tcp --state ESTABLISHED'): void {
  const tuple = `-s ${GUEST_IP} -d ${REMOTE_IP} --sport ${sport} --dport 443 --src-nat ${PORT_IP}`;
  netns.run(`conntrack -I -p ${protocol} ${tuple} -t 300 -u SEEN_REPLY,ASSURED`);
}

const GUEST_MAC = '02:00:0a:10:00:05';
const PEER_MAC = '0a:58:0a:10:00:09';

function makeLinks(netns: TestNetns): void {
  netns.run('ip link add eth0 type veth peer name far0');
  netns.run('ip link set far0 up');
  netns.run(`ip addr add ${PORT_IP}/24 dev eth0`);
  netns.run('ip link set eth0 up');
}

function makeBridge(netns: TestNetns): void {
  netns.run('ip link add k6t-eth0 type bridge stp_state 0');
  netns.run('ip addr add 10.0.2.1/24 dev k6t-eth0');
  netns.run('ip addr add fd10:0:2::1/120 dev k6t-eth0 nodad');
  netns.run('ip link set k6t-eth0 up');
}

/** What the target's kernel knows of an address, in the words of ip(8). */
const knows = (ip: string) =>
  target
    .run(`ip neigh show ${ip}`)
    .replace(/^.*lladdr/, 'lladdr')
    .trim();
const list = (netns: TestNetns) => netns.run('conntrack -L -o extended');
const has = (netns: TestNetns, sport: number) => list(netns).includes(`sport=${sport} dport=443`);
const move = () => {
  for (const node of [a, b]) node.show(PORT);
};
const warnings = (node: CarryNode) => node.log.lines.filter(({ level }) => level === 'warn');

describe('a masquerade port that moves', () => {
  test('takes what its launcher tracks along, translation and state included', async () => {
    track(source, 40_001);
    track(source, 40_002, 'udp');
    move();
    await eventually('both in the target', () => has(target, 40_001) && has(target, 40_002));
    const line =
      list(target)
        .split('\n')
        .find((text) => text.includes('sport=40001')) ?? '';
    expect(line).toContain('ESTABLISHED');
    expect(line).toContain('[ASSURED]');
    expect(line).toContain(`src=${REMOTE_IP} dst=${PORT_IP} sport=443 dport=40001`);
    expect(line).not.toContain('[UNREPLIED]');
    await eventually('metric', () => b.metrics.includes('carry_ms'));
    expect(warnings(a)).toEqual([]);
  });

  test('and what comes to it meanwhile, until it has settled', async () => {
    move();
    await eventually('the first table', () => b.metrics.includes('carry_ms'));
    track(source, 40_003);
    await eventually('a later one', () => has(target, 40_003));
    source.run('conntrack -D -p tcp --orig-port-src 40003');
    track(source, 40_003, 'tcp --state FIN_WAIT');
    await eventually('its end', () => /FIN_WAIT.*sport=40003/.test(list(target)));
    for (const node of [a, b]) node.show(SETTLED);
    await eventually('the end of both sessions', () =>
      [a, b].every((node, at) => node.metrics.includes(`carry_sessions ${['source ended', 'target carried'][at]}`)),
    );
    track(source, 40_004);
    expect(has(target, 40_004)).toBe(false);
    expect(b.events).toEqual([]);
  });

  test('knows at the target whom its launcher knew, the guest as soon as its bridge is there', async () => {
    makeLinks(source);
    makeBridge(source);
    makeLinks(target);
    source.run(`ip neigh add ${GUEST_IP} lladdr ${GUEST_MAC} dev k6t-eth0 nud stale`);
    source.run('ip neigh add fd10:0:2::2 lladdr 02:00:0a:10:00:05 dev k6t-eth0 nud reachable');
    source.run(`ip neigh add 10.16.0.9 lladdr ${PEER_MAC} dev eth0 nud reachable`);
    source.run('ip neigh add 10.16.0.10 dev eth0 nud failed');
    move();
    await eventually('the peer', () => knows('10.16.0.9') === `lladdr ${PEER_MAC} STALE`);
    await eventually('the first table', () => b.metrics.includes('carry_ms'));
    makeBridge(target);
    await eventually('the guest', () => knows(GUEST_IP) === `lladdr ${GUEST_MAC} STALE`);
    await eventually('the other family', () => knows('fd10:0:2::2') === `lladdr ${GUEST_MAC} STALE`);
    expect(knows('10.16.0.10')).toBe('');
    target.run(`ip neigh replace ${GUEST_IP} dev k6t-eth0 nud failed`);
    await eventually('it again', () => knows(GUEST_IP) === `lladdr ${GUEST_MAC} STALE`);
    for (const node of [a, b]) node.show(SETTLED);
    await eventually('the end', () => b.metrics.includes('carry_sessions target carried'));
    expect(b.metrics.filter((metric) => metric.startsWith('carry_failures'))).toEqual([]);
  });

  test('leaves behind what is not its own', async () => {
    source.run(
      `conntrack -I -p tcp -s 10.9.9.9 -d ${REMOTE_IP} --sport 40005 --dport 443 -t 300 --state ESTABLISHED -u SEEN_REPLY,ASSURED`,
    );
    track(source, 40_006);
    move();
    await eventually('its own', () => has(target, 40_006));
    expect(has(target, 40_005)).toBe(false);
  });

  test('goes on after the agent of the target was started anew, with another key', async () => {
    track(source, 40_007);
    move();
    await eventually('the first', () => has(target, 40_007));
    await b.restart();
    track(source, 40_008);
    await eventually('the second', () => has(target, 40_008));
  });

  test('goes on after the agent of the source was started anew, with another key', async () => {
    track(source, 40_009);
    move();
    await eventually('the first', () => has(target, 40_009));
    await a.restart();
    track(source, 40_010);
    await eventually('the second', () => has(target, 40_010));
  });

  test('is carried when the ADD of its launcher ends after the operator has named it', async () => {
    const { journal } = b;
    b.journal = [];
    track(source, 40_011);
    move();
    await eventually(
      'a Lease of the source',
      () => world.api.storage.list('coordination.k8s.io/v1/leases').length === 2,
    );
    b.journal = journal;
    await eventually('it in the target', () => has(target, 40_011));
  });

  test('carries thousands at once', async () => {
    const entries = Array.from({ length: 20_000 }, (_, index) => ({
      family: 4 as const,
      protocol: 17,
      original: { source: GUEST_IP, destination: REMOTE_IP, sourcePort: index + 1000, destinationPort: 53 },
      reply: { source: REMOTE_IP, destination: PORT_IP, sourcePort: 53, destinationPort: index + 1000 },
      status: 0xe,
      timeoutSeconds: 300,
    }));
    await links.run({ kind: 'loadConntrack', netnsPath: `/run/netns/${source.name}`, entries });
    move();
    await eventually('the whole table', () => b.metrics.includes('carry_ms'), 30_000);
    expect(target.run('conntrack -C').trim()).toBe('20000');
  });

  test('and whose source launcher has gone already has nothing to carry', async () => {
    a.journal = [formatJournal('s', '/run/netns/vanished')];
    move();
    await eventually('an empty table', () => b.metrics.includes('carry_ms'));
    expect(warnings(b)).toEqual([]);
  });
});

describe('a carry that cannot be', () => {
  test('with an agent that publishes nothing is said once, tried again, and told when the guest has moved', async () => {
    world.api.storage.remove('coordination.k8s.io/v1/leases', 'mooring-system/node.a');
    b.show(PORT);
    await eventually('three attempts', () => b.metrics.filter((name) => name.startsWith('carry_failures')).length >= 3);
    expect(warnings(b)).toHaveLength(1);
    b.show(SETTLED);
    expect(await eventually('the event', () => b.events[0])).toMatchObject({
      regarding: { kind: 'Pod', metadata: { namespace: 'shop', name: 'virt-launcher-t', uid: 't' } },
      note: { type: 'Warning', reason: 'ConnectionsNotCarried', note: expect.stringContaining('no key and address') },
    });
  });

  test('with an agent that does not answer ends quietly when the migration is called off', async () => {
    await a.stop();
    b.show(PORT);
    await eventually('an attempt', () => b.metrics.includes('carry_failures target unreachable'));
    b.show(ROLLED_BACK);
    await eventually('its end', () => b.metrics.includes('carry_sessions target never'));
    expect(b.events).toEqual([]);
  });

  test('into a namespace that has gone is tried again and ends with the migration', async () => {
    b.journal = [formatJournal('t', '/run/netns/vanished')];
    track(source, 40_012);
    move();
    await eventually('an attempt', () => b.metrics.includes('carry_failures target kernel'));
    for (const node of [a, b]) node.show(ROLLED_BACK);
    await eventually('its end', () => b.metrics.includes('carry_sessions target never'));
  });

  test('with an API server that does not answer begins when it does', async () => {
    track(source, 40_013);
    world.api.fault = () => ({ status: 500 });
    move();
    await eventually('an attempt', () => b.metrics.includes('carry_failures target api'));
    world.api.fault = undefined;
    await eventually('it in the target', () => has(target, 40_013));
  });
});
