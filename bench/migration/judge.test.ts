import { describe, expect, it } from 'vitest';
import { type ProbeRecord, streamOf } from '../../test/lab/probe/records.ts';
import { findNoise, judgeMigration, judgeNoise, takeOffNoise } from './judge.ts';
import type { Moved } from './migrate.ts';

const NODES = ['node1', 'node2', 'node3'];
const STOP = 5000;
const RESUME = 5010;

/** A probe each ms from `from` to `to`, answered at once but for a silence. */
function answers(stream: number, silence: { from: number; to: number }): ProbeRecord[] {
  return Array.from({ length: 6000 }, (_, index) => 2000 + index).flatMap((at): ProbeRecord[] =>
    at > silence.from && at < silence.to
      ? []
      : [{ type: 'answer', stream, sequence: at, sent: at - 0.5, received: at }],
  );
}

const moved: Moved = {
  uid: 'u',
  source: 'node2',
  target: 'node3',
  createdAt: 2500,
  launcherAt: 3000,
  readyAt: 5100,
  commitAt: 5150,
  figures: {
    uid: 'u',
    namespace: 'n',
    vmi: 'v',
    stoppedAt: STOP,
    resumedAt: RESUME,
    qemuDowntimeMs: 7,
  },
  taps: {
    source: [
      { type: 'request', stream: streamOf(2, 'udp6'), sequence: 1, at: 4001 },
      { type: 'reply', stream: streamOf(2, 'udp6'), sequence: 1, at: 4029 },
      // After the guest has stopped nobody holds what still comes.
      { type: 'request', stream: streamOf(1, 'udp4'), sequence: 9, at: STOP + 1 },
    ],
    target: [
      { type: 'request', stream: streamOf(0, 'udp4'), sequence: 1, at: RESUME + 1 },
      { type: 'reply', stream: streamOf(0, 'udp4'), sequence: 1, at: RESUME + 61 },
    ],
  },
};

const records: ProbeRecord[] = NODES.flatMap((_, place) => [
  ...answers(streamOf(place, 'udp4'), { from: STOP - 1, to: RESUME + 62 }),
  ...answers(streamOf(place, 'udp6'), { from: 6000, to: 6021 }),
]);
const judged = judgeMigration(moved, {
  name: 'm',
  strategy: 'gate',
  binding: 'bridge',
  addressChanged: false,
  nodes: NODES,
  requestMs: 1,
  records: [...records, { type: 'closed', stream: streamOf(1, 'out6'), at: 5500, errno: 104 }],
});

describe('a migration, judged', () => {
  it('has each flow of both families, by where its prober stands', () => {
    expect(judged.flows).toHaveLength(6);
    expect(judged.flows.map(({ place }) => place)).toEqual(['third', 'third', 'source', 'source', 'target', 'target']);
  });

  it('takes off what the guest had in its hands, of the flow that the tap saw', () => {
    expect(judged.flows[0]).toMatchObject({ family: 4, gapMs: 73, handOver: true, coldMs: 60, beyondMs: 2 });
  });

  it('takes only the pause off where the tap saw nothing', () => {
    expect(judged.flows[2]).toMatchObject({ coldMs: undefined, beyondMs: 62, beyondQemuMs: 66 });
  });

  it('tells the silence that the guest explains least, which need not be the longest', () => {
    const own = records.filter(
      ({ type, ...more }) => type !== 'answer' || !('stream' in more) || more.stream !== streamOf(2, 'udp6'),
    );
    const twice = answers(streamOf(2, 'udp6'), { from: 4000, to: 4031 }).filter(
      (record) => record.type === 'answer' && (record.received <= 6000 || record.received >= 6009),
    );
    const [flow] = judgeMigration(moved, {
      ...judged,
      nodes: NODES,
      requestMs: 1,
      records: [...own, ...twice],
    }).flows.slice(-1);
    expect(flow).toMatchObject({ place: 'target', family: 6, gapMs: 31, beyondMs: 9 });
  });

  it('takes nothing off a silence elsewhere', () => {
    expect(judged.flows[1]).toMatchObject({ gapMs: 21, handOver: false, fromMs: 990, beyondMs: 21 });
  });

  it('says where that silence lies, after RESUME', () => {
    expect(judged.flows[1]?.hardest).toEqual({ from: 990, to: 1011 });
  });

  it.each([
    ['takes off a silence in which nothing in real time ran, the prober neither', 6000 - 33, 6010, 11],
    ['takes nothing off for a shorter wait of the prober, which may be of our making', 6000 - 7, 6010, 21],
  ])('%s', (_cause, due, at, beyondMs) => {
    const late: ProbeRecord = { type: 'late', due, at };
    const { flows } = judgeMigration(moved, { ...judged, nodes: NODES, requestMs: 1, records: [...records, late] });
    expect(flows[1]).toMatchObject({ family: 6, beyondMs });
  });

  it('says which TCP connection was lost and which stood still', () => {
    const lost = judged.tcp.filter(({ resets }) => resets > 0);
    expect(lost).toMatchObject([{ place: 'source', family: 6, openedBy: 'guest', resets: 1 }]);
    expect(judged.tcp[0]?.stallMs).toBe(judged.windowMs);
  });

  it('measures the commit from when the event was seen, and never less than nothing', () => {
    expect(judged.commitMs).toBe(50);
    const early = judgeMigration({ ...moved, readyAt: 5200 }, { ...judged, nodes: NODES, requestMs: 1, records });
    expect(early.commitMs).toBe(0);
  });
});

describe('noise', () => {
  const noise = judgeNoise(records, [{ from: 2100, to: 2300 }], {
    binding: 'bridge',
    places: 3,
    tap: [],
  });

  it('is the longest gap of each flow in a window without migration', () => {
    expect(noise).toHaveLength(6);
    expect(noise[0]).toEqual({ binding: 'bridge', family: 4, gapMs: 1, unexplainedMs: 0 });
  });

  it('is taken off by the median of the same binding and family', () => {
    const more = [5, 6, 9].map(
      (unexplainedMs) => ({ binding: 'bridge', family: 4, gapMs: 99, unexplainedMs }) as const,
    );
    expect(findNoise(more, 'bridge', 4)).toBe(6);
    expect(findNoise(more, 'bridge', 6)).toBe(0);
    expect(takeOffNoise(judged, more).map(({ beyondMs }) => beyondMs)).toEqual([0, 21, 56, 21, 56, 21]);
  });
});
