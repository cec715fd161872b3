import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConntrack } from './conntrack.ts';
import { type ConntrackEntry, formatConntrackKey } from './conntrack-entry.ts';
import { type ConntrackWatches, createConntrackWatches } from './conntrack-watch.ts';
import { openOwnNetns } from './netns.ts';
import { countFds, createTestNetns, type TestNetns } from './testing.ts';
import { createNetnsWorker, type NetnsWorker } from './worker.ts';

const LIMIT = 1000;
let pod: TestNetns;
let watches: ConntrackWatches;
let watch: number;

beforeEach(() => {
  pod = createTestNetns();
  watches = createConntrackWatches();
});
afterEach(() => {
  watches.close(watch);
  pod.remove();
});

const tell = (value: 0 | 1 | 2) => pod.run(`sysctl -qw net.netfilter.nf_conntrack_events=${value}`);
const flow = (sport: number) => `-s 10.0.2.2 -d 10.16.0.9 --sport ${sport} --dport 443`;
const begin = (sport: number, state = 'SYN_SENT') =>
  pod.run(`conntrack -I -p tcp ${flow(sport)} --src-nat 10.16.0.5 -t 300 --state ${state}`);
const change = (sport: number, state: string) => pod.run(`conntrack -U -p tcp ${flow(sport)} -t 300 --state ${state}`);
const end = (sport: number) => pod.run(`conntrack -D -p tcp ${flow(sport)}`);
const formatFlow = (sourcePort: number): ConntrackEntry => ({
  ...{ family: 4, protocol: 17, status: 0xa, timeoutSeconds: 100 },
  original: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort, destinationPort: 53 },
  reply: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 53, destinationPort: sourcePort },
});
const read = (limit = LIMIT) => watches.read(watch, limit);
const portsOf = ({ entries }: ReturnType<typeof read>) => entries.map(({ original }) => original.sourcePort).sort();

describe('a tracker that is listened to', () => {
  test('tells of a new flow once, whole: translation, state and time', () => {
    watch = watches.open(pod);
    begin(40_001, 'ESTABLISHED');
    const { entries, lost } = read();
    expect(lost).toBe(false);
    expect(entries).toMatchObject([
      {
        ...{ family: 4, protocol: 6, tcp: { state: 3 } },
        original: { source: '10.0.2.2', sourcePort: 40_001 },
        reply: { destination: '10.16.0.5' },
      },
    ]);
    expect(entries[0]?.timeoutSeconds).toBeGreaterThan(290);
    expect(read()).toEqual({ entries: [], lost: false });
  });

  test('tells a flow that changes several times between two looks once, as it is now', () => {
    watch = watches.open(pod);
    begin(40_002);
    change(40_002, 'ESTABLISHED');
    change(40_002, 'CLOSE_WAIT');
    expect(read().entries.map(({ tcp }) => tcp?.state)).toEqual([5]);
  });

  test('tells of a TCP flow whose mark has changed alone: the event has no state of it', () => {
    watch = watches.open(pod);
    begin(40_007, 'ESTABLISHED');
    read();
    pod.run(`conntrack -U -p tcp ${flow(40_007)} -m 5`);
    expect(read().entries).toMatchObject([{ mark: 5, tcp: { state: 3 } }]);
  });

  test.each([
    [1, [40_003]],
    [0, []],
  ] as const)(
    'tells of flows that are older than the watch where the launcher was made so (nf_conntrack_events %i)',
    (events, told) => {
      tell(events);
      begin(40_003);
      watch = watches.open(pod);
      change(40_003, 'ESTABLISHED');
      expect(portsOf(read())).toEqual(told);
    },
  );

  test('says nothing of a flow that has ended, nor of what belongs to the launcher alone', () => {
    watch = watches.open(pod);
    begin(40_004);
    begin(40_005);
    end(40_004);
    pod.run('conntrack -I -p udp -s 127.0.0.1 -d 127.0.0.1 --sport 1 --dport 2 -t 90');
    pod.run('conntrack -I -p udp -s 10.0.2.2 -d 224.0.0.251 --sport 5353 --dport 5353 -t 90');
    expect(portsOf(read())).toEqual([40_005]);
  });

  test('says that more has changed than was asked for, and then goes on', () => {
    watch = watches.open(pod);
    for (const port of [1, 2, 3]) begin(port);
    expect(read(2)).toEqual({ entries: [], lost: true });
    begin(4);
    expect(portsOf(read(2))).toEqual([4]);
  });

  test('says that the kernel had no room for all changes, and then goes on', () => {
    watch = watches.open(pod);
    const entries = Array.from({ length: 12_000 }, (_, index) => formatFlow(index + 1000));
    expect(loadConntrack(pod, { entries })).toEqual({ loaded: 12_000, refused: 0 });
    expect(read()).toEqual({ entries: [], lost: true });
    begin(2);
    expect(portsOf(read())).toEqual([2]);
  });

  test('hears nothing of another namespace', () => {
    const other = createTestNetns();
    try {
      watch = watches.open(other);
      begin(1);
      expect(read()).toEqual({ entries: [], lost: false });
    } finally {
      other.remove();
    }
  });

  test("the node's own is refused, a watch that is not there is not found", () => {
    const own = openOwnNetns();
    expect(() => watches.open(own)).toThrow(/EHOSTNETNS/);
    expect(() => watches.read(77, LIMIT)).toThrow(expect.objectContaining({ class: 'not-found' }));
    expect(watches.close(77)).toBe(false);
  });
});

describe('jobs of the worker', () => {
  let worker: NetnsWorker;
  beforeAll(() => {
    worker = createNetnsWorker();
  });
  afterAll(() => worker.stop());

  test('open, read and end a watch, and leave no descriptor', async () => {
    await worker.run({ kind: 'listLinks' });
    const before = countFds();
    const opened = await worker.run({ kind: 'watchConntrack', netnsPath: pod.path });
    begin(40_006);
    const { entries } = await worker.run({ kind: 'readConntrackChanges', ...opened, limit: LIMIT });
    expect(entries.map(formatConntrackKey)).toHaveLength(1);
    expect(await worker.run({ kind: 'endConntrackWatch', ...opened })).toEqual({ ended: true });
    expect(await worker.run({ kind: 'endConntrackWatch', ...opened })).toEqual({ ended: false });
    expect(countFds()).toBe(before);
  });

  test('a launcher that has gone is not found', async () => {
    const job = { kind: 'watchConntrack', netnsPath: '/run/netns/mlt-gone' } as const;
    await expect(worker.run(job)).rejects.toMatchObject({ class: 'not-found' });
  });
});
