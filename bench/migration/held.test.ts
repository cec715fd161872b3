import { describe, expect, it } from 'vitest';
import type { ProbeRecord } from '../../test/lab/probe/records.ts';
import { findSpoken, findWorst, listDumb, listHeld, listSilences, listUnasked, measureWithin } from './held.ts';

const at = (type: 'request' | 'reply', time: number, sequence: number, stream = 1): ProbeRecord => ({
  type,
  stream,
  sequence,
  at: time,
});

describe('what a guest holds', () => {
  it('is each time from a request to its answer', () => {
    const tap = [at('request', 10, 1), at('reply', 12, 1), at('request', 20, 2), at('reply', 25, 2)];
    expect(listHeld(tap, 1, 100)).toEqual([
      { from: 10, to: 12 },
      { from: 20, to: 25 },
    ]);
  });

  it('goes on while later requests wait behind the one that is answered', () => {
    const tap = [at('request', 10, 1), at('request', 11, 2), at('reply', 40, 1), at('reply', 41, 2)];
    expect(listHeld(tap, 1, 100)).toEqual([
      { from: 10, to: 40 },
      { from: 40, to: 41 },
    ]);
  });

  it('does not count an answer that never came, when a later one did', () => {
    const tap = [
      at('request', 10, 1),
      at('request', 20, 2),
      at('reply', 21, 2),
      at('request', 50, 3),
      at('reply', 51, 3),
    ];
    expect(listHeld(tap, 1, 100)).toEqual([
      { from: 10, to: 21 },
      { from: 50, to: 51 },
    ]);
  });

  it('ends where the guest stops, and is of one flow only', () => {
    const tap = [at('request', 10, 1), at('request', 12, 1, 2), at('reply', 13, 1, 2), at('request', 70, 2)];
    expect(listHeld(tap, 1, 50)).toEqual([{ from: 10, to: 50 }]);
    expect(listHeld(tap, 3, 50)).toEqual([]);
  });
});

describe('a guest at a gate that opens with its own first packet', () => {
  it('is silent until it speaks, and while it holds the first request of anyone', () => {
    const tap = [
      { type: 'spoke', at: 30 } as const,
      at('request', 34, 1),
      at('request', 35, 1, 2),
      at('reply', 50, 1, 2),
      at('reply', 51, 1),
      at('request', 60, 2),
    ];
    expect(listDumb(tap, 10)).toEqual([
      { from: 10, to: 30 },
      { from: 34, to: 50 },
    ]);
  });

  it('may answer at once what was kept for it', () => {
    expect(listDumb([at('reply', 12, 1), at('request', 20, 2), at('reply', 21, 2)], 10)).toEqual([
      { from: 10, to: 12 },
      { from: 12, to: 12 },
    ]);
  });

  it('keeps what waits for its address while it does not give it', () => {
    const tap = [
      at('reply', 12, 1),
      { type: 'asked', at: 20 } as const,
      { type: 'spoke', at: 33 } as const,
      { type: 'asked', at: 40 } as const,
    ];
    expect(listDumb(tap, 10)[2]).toEqual({ from: 20, to: 33 });
    expect(listDumb(tap, 10)).toHaveLength(3);
  });

  it('is not excused when it never answers', () => {
    expect(listDumb([at('request', 12, 1), { type: 'spoke', at: 14 }], 10)).toEqual([]);
  });
});

describe('silences', () => {
  const window = { from: 0, to: 100 };

  it('are told with what the guest does not explain', () => {
    const silences = listSilences([5, 65, 70], { window, own: [{ from: 10, to: 60 }], leastMs: 5 });
    expect(silences).toEqual([
      { gap: { from: 5, to: 65 }, unexplainedMs: 10 },
      { gap: { from: 70, to: 100 }, unexplainedMs: 30 },
    ]);
    expect(findWorst(silences)?.gap).toEqual({ from: 70, to: 100 });
  });

  it('of a flow that never spoke are the whole window', () => {
    expect(listSilences([], { window, own: [], leastMs: 5 })).toEqual([{ gap: window, unexplainedMs: 100 }]);
  });

  it('are none where answers are close', () => {
    const answers = Array.from({ length: 50 }, (_, index) => index * 2);
    expect(findWorst(listSilences(answers, { window: { from: 0, to: 98 }, own: [], leastMs: 5 }))).toBeUndefined();
  });

  it.each([
    ['nothing', [], 0],
    ['one inside', [{ from: 20, to: 30 }], 10],
    ['one that sticks out', [{ from: 90, to: 130 }], 10],
    [
      'two that overlap count once',
      [
        { from: 10, to: 30 },
        { from: 20, to: 40 },
      ],
      30,
    ],
    [
      'one within another',
      [
        { from: 10, to: 60 },
        { from: 20, to: 30 },
      ],
      50,
    ],
  ])('are covered by %s', (_cause, spans, expected) => {
    expect(measureWithin(spans, window)).toBe(expected);
  });
});

describe('a flow that nobody asked', () => {
  const answer = (sent: number): ProbeRecord => ({
    type: 'answer',
    stream: 1,
    sequence: sent,
    sent,
    received: sent + 2,
  });

  it.each([
    ['waits for its next request', [answer(90), answer(103), answer(109)], [{ from: 100, to: 103 }]],
    [
      'waits no longer than the time between two: what was lost is not its own',
      [answer(140)],
      [{ from: 100, to: 106 }],
    ],
    ['was asked at that moment', [answer(100)], [{ from: 100, to: 100 }]],
    ['was never answered again', [answer(90)], []],
  ])('%s', (_what, answers, expected) => {
    expect(listUnasked(answers, 100, 6)).toEqual(expected);
  });

  it('can be reached from the guest’s first word on, whichever it is', () => {
    expect(findSpoken([at('request', 5, 1), at('reply', 30, 1), { type: 'spoke', at: 20 }])).toBe(20);
    expect(findSpoken([at('request', 5, 1)])).toBeUndefined();
  });
});
