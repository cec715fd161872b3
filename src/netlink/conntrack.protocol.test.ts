import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deleteConntrack, dumpConntrack, loadConntrack } from './conntrack.ts';
import { type ConntrackEntry, formatConntrackKey, formatConntrackState } from './conntrack-entry.ts';
import { deleteGate, ensureGate, openGate } from './gate.ts';
import { openOwnNetns } from './netns.ts';
import { countFds, createTestNetns, type TestNetns } from './testing.ts';
import { createNetnsWorker, type NetnsWorker } from './worker.ts';

const OUTBOUND: ConntrackEntry = {
  family: 4,
  protocol: 6,
  original: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort: 40000, destinationPort: 80 },
  reply: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 80, destinationPort: 1025 },
  status: 0xe,
  timeoutSeconds: 1000,
  mark: 7,
  tcp: { state: 3, windowScaleOriginal: 7, windowScaleReply: 9, flagsOriginal: 3, flagsReply: 3 },
};
const INBOUND6: ConntrackEntry = {
  family: 6,
  protocol: 17,
  original: { source: 'fd00:10::9', destination: 'fd00:10::5', sourcePort: 4000, destinationPort: 53 },
  reply: { source: 'fd10:0:2::2', destination: 'fd00:10::9', sourcePort: 53, destinationPort: 4000 },
  status: 0xa,
  timeoutSeconds: 100,
};
const ECHO: ConntrackEntry = {
  family: 4,
  protocol: 1,
  original: { source: '10.0.2.2', destination: '10.16.0.9', icmp: { type: 8, code: 0, id: 77 } },
  reply: { source: '10.16.0.9', destination: '10.16.0.5', icmp: { type: 0, code: 0, id: 99 } },
  status: 0x8,
  timeoutSeconds: 30,
};
const ALL = [OUTBOUND, INBOUND6, ECHO];

let pod: TestNetns;

beforeEach(() => {
  pod = createTestNetns();
});

afterEach(() => pod.remove());

const load = (...entries: ConntrackEntry[]) => loadConntrack(pod, { entries });
const dump = (limit = 1000) => dumpConntrack(pod, limit).entries;
const states = (entries: readonly ConntrackEntry[]) => entries.map(formatConntrackState).sort();
const list = () => pod.run('conntrack -L -o extended');

describe('a second opinion: conntrack(8)', () => {
  test('reads what we wrote, translation, state and mark', () => {
    expect(load(...ALL)).toEqual({ loaded: 3, refused: 0 });
    expect(list()).toMatch(
      /tcp +6 \d+ ESTABLISHED src=10\.0\.2\.2 dst=10\.16\.0\.9 sport=40000 dport=80 src=10\.16\.0\.9 dst=10\.16\.0\.5 sport=80 dport=1025 \[ASSURED\] mark=7/,
    );
    expect(list()).toMatch(
      /udp +17 \d+ src=fd00:10::9 dst=fd00:10::5 sport=4000 dport=53 src=fd10:0:2::2 dst=fd00:10::9 sport=53 dport=4000/,
    );
    expect(list()).toMatch(
      /icmp +1 \d+ src=10\.0\.2\.2 dst=10\.16\.0\.9 type=8 code=0 id=77 \[UNREPLIED\] src=10\.16\.0\.9 dst=10\.16\.0\.5 type=0 code=0 id=99/,
    );
  });

  test('sees a translation as one: only then does the kernel apply it', () => {
    load(...ALL);
    expect(pod.run('conntrack -L --src-nat')).toContain('sport=40000');
    expect(pod.run('conntrack -L -f ipv6 --dst-nat')).toContain('dport=53');
    expect(pod.run('conntrack -L -p tcp --dst-nat')).toBe('');
    expect(pod.run('conntrack -L -f ipv6 -p udp --src-nat')).toBe('');
  });

  test('what it writes we read', () => {
    pod.run(
      'conntrack -I -p udp -s 10.0.2.2 -d 10.16.0.9 --sport 5353 --dport 53 -t 90 -u SEEN_REPLY -n 10.16.0.5:1026 -m 5',
    );
    pod.run(
      'conntrack -I -p tcp -s 10.16.0.9 -d 10.16.0.5 --sport 9 --dport 80 -t 90 --state CLOSE_WAIT -g 10.0.2.2:8080',
    );
    expect(dump().sort((one, other) => one.protocol - other.protocol)).toMatchObject([
      {
        protocol: 6,
        original: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 9, destinationPort: 80 },
        reply: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort: 8080, destinationPort: 9 },
        tcp: { state: 5 },
      },
      {
        protocol: 17,
        original: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort: 5353, destinationPort: 53 },
        reply: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 53, destinationPort: 1026 },
        status: 0xa,
        mark: 5,
      },
    ]);
  });

  test('what belongs to the launcher alone, and protocols that we do not know, are left out', () => {
    pod.run('conntrack -I -p udp -s 127.0.0.1 -d 127.0.0.1 --sport 1 --dport 2 -t 90');
    pod.run('conntrack -I -p udp -s 10.0.2.2 -d 224.0.0.251 --sport 5353 --dport 5353 -t 90');
    pod.run('conntrack -I -p udp -s fe80::1 -d fe80::2 --sport 1 --dport 2 -t 90');
    pod.run(
      'conntrack -I -p sctp -s 10.0.2.2 -d 10.16.0.9 --sport 1 --dport 2 -t 90 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2',
    );
    load(ECHO);
    expect(pod.run('conntrack -C').trim()).toBe('5');
    expect(dump().map(formatConntrackKey)).toEqual([formatConntrackKey(ECHO)]);
  });
});

describe('load', () => {
  test('what is dumped of a load is what was loaded', () => {
    load(...ALL);
    const confirmed = ALL.map((entry) => ({ ...entry, status: entry.status | 8 }));
    expect(states(dump())).toEqual(states(confirmed));
  });

  test('a table carried twice over stays as it was', () => {
    load(...ALL);
    const once = dump();
    const other = createTestNetns();
    try {
      for (let times = 0; times < 2; times += 1) {
        expect(loadConntrack(other, { entries: once })).toEqual({ loaded: 3, refused: 0 });
        expect(states(dumpConntrack(other, 10).entries)).toEqual(states(once));
      }
    } finally {
      other.remove();
    }
  });

  test('an entry that is there is brought up to date; that an answer was seen is never taken back', () => {
    load(OUTBOUND, ECHO);
    const closing = { ...OUTBOUND, status: 0x8, timeoutSeconds: 60, mark: 9, tcp: { ...tcpOf(OUTBOUND), state: 7 } };
    expect(load(closing, { ...ECHO, status: 0xa })).toEqual({ loaded: 2, refused: 0 });
    expect(states(dump())).toEqual(
      states([
        { ...closing, status: 0xe },
        { ...ECHO, status: 0xa },
      ]),
    );
    expect(dump().every(({ timeoutSeconds }) => timeoutSeconds <= 60)).toBe(true);
  });

  test.each([
    ['began on the other side', { original: OUTBOUND.reply, reply: OUTBOUND.original }],
    ['took another port', { reply: { ...OUTBOUND.reply, destinationPort: 40000 } }],
    ['holds the answers of this one', { original: { ...OUTBOUND.original, sourcePort: 40001 } }],
  ])('an entry in the way that %s goes', (_cause, change) => {
    load({ ...OUTBOUND, ...change });
    expect(load(OUTBOUND)).toEqual({ loaded: 1, refused: 0 });
    expect(states(dump())).toEqual(states([OUTBOUND]));
  });

  test('two entries in the way of one go both', () => {
    load({ ...OUTBOUND, reply: { ...OUTBOUND.reply, destinationPort: 40000 } });
    load({ ...OUTBOUND, original: { ...OUTBOUND.original, sourcePort: 40001 } });
    expect(load(OUTBOUND)).toEqual({ loaded: 1, refused: 0 });
    expect(states(dump())).toEqual(states([OUTBOUND]));
  });

  test('while the gate is shut the source knows better; once it is open, or gone, this kernel does', () => {
    ensureGate(pod, { interface: 'eth0', binding: 'masquerade' });
    const closing = { ...OUTBOUND, tcp: { ...tcpOf(OUTBOUND), state: 4 } };
    const inTheWay = { ...ECHO, reply: { ...ECHO.reply, icmp: { type: 0, code: 0, id: 5 } } };
    const carry = (...entries: ConntrackEntry[]) => loadConntrack(pod, { entries, gateInterface: 'eth0' });
    carry(OUTBOUND, inTheWay);
    openGate(pod, { interface: 'eth0', binding: 'masquerade' });
    expect(carry(closing, ECHO, INBOUND6)).toEqual({ loaded: 2, refused: 1 });
    expect(states(dump())).toEqual(states([OUTBOUND, inTheWay, INBOUND6]));
    deleteGate(pod, 'eth0');
    expect(carry(closing, ECHO)).toEqual({ loaded: 1, refused: 1 });
    ensureGate(pod, { interface: 'eth0', binding: 'masquerade' });
    expect(carry(closing, ECHO)).toEqual({ loaded: 2, refused: 0 });
    expect(states(dump())).toEqual(states([closing, ECHO, INBOUND6]));
  });

  test('hundreds at once: more than one datagram, the bad ones among them counted', () => {
    const many = Array.from({ length: 300 }, (_, at) => numbered(at));
    const loopback = { ...OUTBOUND, original: { ...OUTBOUND.original, source: '127.0.0.1' } };
    expect(load(...many, loopback)).toEqual({ loaded: 300, refused: 1 });
    expect(load(...many)).toEqual({ loaded: 300, refused: 0 });
    expect(states(dump())).toEqual(states(many));
  });

  test('nothing is nothing, and too much is refused before anything is written', () => {
    expect(load()).toEqual({ loaded: 0, refused: 0 });
    expect(() => load(...Array.from({ length: 65_537 }, () => ECHO))).toThrow(/EINVAL/);
    expect(dump()).toEqual([]);
  });
});

describe('dump', () => {
  test('stops at the limit and says so', () => {
    load(...Array.from({ length: 100 }, (_, at) => numbered(at)));
    expect(dumpConntrack(pod, 100).truncated).toBe(false);
    expect(dumpConntrack(pod, 99)).toMatchObject({ truncated: true, entries: { length: 99 } });
    expect(dumpConntrack(pod, 0)).toEqual({ truncated: true, entries: [] });
  });

  test('sees no namespace but its own', () => {
    const other = createTestNetns();
    load(...ALL);
    expect(dumpConntrack(other, 10)).toEqual({ entries: [], truncated: false });
    other.remove();
  });
});

describe('delete', () => {
  test('takes one entry, and may be repeated', () => {
    load(...ALL);
    expect(deleteConntrack(pod, ECHO)).toBe(true);
    expect(deleteConntrack(pod, ECHO)).toBe(false);
    expect(states(dump())).toEqual(states([OUTBOUND, INBOUND6]));
  });
});

describe('the namespace of the host', () => {
  test('is refused by every one of them', () => {
    const own = openOwnNetns();
    expect(() => dumpConntrack(own, 1)).toThrow(/EHOSTNETNS/);
    expect(() => loadConntrack(own, { entries: [] })).toThrow(/EHOSTNETNS/);
    expect(() => deleteConntrack(own, ECHO)).toThrow(/EHOSTNETNS/);
  });
});

describe('jobs of the worker', () => {
  let worker: NetnsWorker;

  beforeAll(() => {
    worker = createNetnsWorker();
  });

  afterAll(() => worker.stop());

  test('a table goes from one namespace to another, and no descriptor is left', async () => {
    await worker.run({ kind: 'loadConntrack', netnsPath: pod.path, entries: ALL });
    const before = countFds();
    const { entries, truncated } = await worker.run({ kind: 'dumpConntrack', netnsPath: pod.path, limit: 10 });
    const job = { kind: 'loadConntrack', netnsPath: pod.path, entries, gateInterface: 'eth0' } as const;
    expect(await worker.run(job)).toEqual({ loaded: 3, refused: 0 });
    expect({ count: entries.length, truncated }).toEqual({ count: 3, truncated: false });
    expect(countFds()).toBe(before);
  });

  test('a launcher that has gone is not found', async () => {
    const job = { kind: 'dumpConntrack', netnsPath: '/run/netns/mlt-gone', limit: 1 } as const;
    await expect(worker.run(job)).rejects.toMatchObject({ class: 'not-found' });
  });
});

function tcpOf(entry: ConntrackEntry): NonNullable<ConntrackEntry['tcp']> {
  if (entry.tcp === undefined) throw new Error('no TCP');
  return entry.tcp;
}

function numbered(at: number): ConntrackEntry {
  const sourcePort = 10_000 + at;
  const reply = { ...OUTBOUND.reply, destinationPort: sourcePort };
  return { ...OUTBOUND, original: { ...OUTBOUND.original, sourcePort }, reply };
}
