import { describe, expect, it } from 'vitest';
import { type ProbeRecord, streamOf } from '../../test/lab/probe/records.ts';
import { cutStreams, findCold, findLateness, findLongestGap, judgeGap, lengthOf, planWindows } from './gaps.ts';

const answer = (stream: number, sequence: number, sent: number, received = sent + 1): ProbeRecord => ({
  type: 'answer',
  stream,
  sequence,
  sent,
  received,
});

describe('the record of a prober, cut into windows', () => {
  const records: ProbeRecord[] = [
    answer(0, 1, 100),
    answer(0, 4, 103),
    answer(0, 3, 102, 110),
    answer(0, 9, 300),
    answer(streamOf(1, 'udp6'), 1, 101),
    { type: 'closed', stream: streamOf(1, 'in4'), at: 105, errno: 104 },
    { type: 'closed', stream: streamOf(1, 'in4'), at: 500, errno: 104 },
    { type: 'mark', at: 400 },
  ];
  const streams = cutStreams(records, { from: 100, to: 200 }, 2);

  it('has every stream of every place, also those that said nothing', () => {
    expect(streams).toHaveLength(12);
    expect(streams[6]).toMatchObject({ place: 1, kind: 'udp4', answers: [], lost: 0 });
  });

  it('holds answers in the order in which they came, of this window alone', () => {
    expect(streams[0]?.answers).toEqual([101, 104, 110]);
    expect(streams[streamOf(1, 'udp6')]?.answers).toEqual([102]);
  });

  it('counts a probe as lost that was never answered, and not one that was overtaken', () => {
    expect(streams[0]?.lost).toBe(1);
  });

  it('keeps the ends of TCP streams', () => {
    expect(streams[streamOf(1, 'in4')]?.closed).toEqual([105]);
  });
});

describe('the longest gap', () => {
  const window = { from: 0, to: 100 };
  it.each([
    ['lies between two answers', [1, 2, 60, 98], { from: 2, to: 60 }],
    ['lies at the end, when no more answers came', [1, 2, 20], { from: 20, to: 100 }],
    ['lies at the start, when none came yet', [70, 71, 99], { from: 0, to: 70 }],
    ['is the whole window of a stream that was dead', [], { from: 0, to: 100 }],
  ])('%s', (_, answers, gap) => {
    expect(findLongestGap(answers, window)).toEqual(gap);
  });
});

describe('the time that a resumed guest needs for its first answer', () => {
  const at = (type: 'request' | 'reply', time: number, stream = 3): ProbeRecord => ({
    type,
    stream,
    sequence: 0,
    at: time,
  });

  it('is from the first request to the first reply at the tap, after it resumed', () => {
    const tap = [at('request', 90), at('reply', 91), at('request', 101), at('request', 102), at('reply', 161)];
    expect(findCold(tap, 3, 100)).toBe(60);
  });

  it('is nothing when it answers what it had got before', () => {
    expect(findCold([at('reply', 101), at('request', 105)], 3, 100)).toBe(0);
  });

  it('is not known by the packets of other streams', () => {
    expect(findCold([at('request', 101, 4), at('reply', 102, 4)], 3, 100)).toBeUndefined();
    expect(findCold([at('request', 101)], 3, 100)).toBeUndefined();
  });
});

describe('a gap', () => {
  const cause = { pause: { from: 50, to: 60 }, qemuDowntimeMs: 5 };

  it("of the hand-over is lessened by QEMU's own downtime", () => {
    expect(judgeGap({ from: 49, to: 85 }, cause)).toEqual({ gapMs: 36, handOver: true, beyondQemuMs: 31 });
  });

  it('elsewhere is not', () => {
    expect(judgeGap({ from: 100, to: 136 }, cause)).toEqual({ gapMs: 36, handOver: false, beyondQemuMs: 36 });
  });
});

describe('windows without migration', () => {
  it('are as many as asked for and lie within the span', () => {
    expect(planWindows({ from: 0, to: 100 }, 3, 50)).toEqual([
      { from: 0, to: 50 },
      { from: 25, to: 75 },
      { from: 50, to: 100 },
    ]);
    expect(planWindows({ from: 0, to: 100 }, 1, 40).map(lengthOf)).toEqual([40]);
  });

  it('are none when the span is shorter than one', () => {
    expect(planWindows({ from: 0, to: 10 }, 3, 50)).toEqual([]);
  });
});

describe('a prober that woke late', () => {
  it('says by how much within the window', () => {
    const records: ProbeRecord[] = [
      { type: 'late', due: 10, at: 19 },
      { type: 'late', due: 50, at: 53 },
      { type: 'late', due: 200, at: 300 },
    ];
    expect(findLateness(records, { from: 15, to: 100 })).toBe(9);
    expect(findLateness([], { from: 0, to: 1 })).toBe(0);
  });
});
