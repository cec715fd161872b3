import { describe, expect, it } from 'vitest';
import { deriveRow, parseRoundTrips, parseThroughput, type Sample, WARM_UP } from './figures.ts';

const WARM = Array.from({ length: WARM_UP }, () => '9999.9').join('\n');
const CASE = { binding: 'bridge', placement: 'sameNode', path: 'podToGuest' } as const;
const sample = (more: Partial<Sample> = {}): Sample => ({ roundTripsUs: [100], lost: 0, mbit: 50, ...more });

describe('round trips', () => {
  it('are those after the warm-up', () => {
    expect(parseRoundTrips(`${WARM}\n10.5\n11.0\n`)).toEqual({ roundTripsUs: [10.5, 11], lost: 0 });
  });

  it('count what was not answered, but for the warm-up', () => {
    expect(parseRoundTrips(`lost\n${WARM.slice(7)}\nlost\n12.0\n`)).toEqual({ roundTripsUs: [12], lost: 1 });
  });

  it('are refused when the program said something else, as on a console', () => {
    expect(() => parseRoundTrips(`${WARM}\nflow: not found`)).toThrow('no round trip: 9999.9');
  });
});

describe('throughput', () => {
  it('is what arrived, in megabits of a second', () => expect(parseThroughput('12500000 1000000000\n')).toBe(100));

  it.each(['', 'send: Connection reset by peer', '100 0', '100'])('is refused when there is none: "%s"', (text) => {
    expect(() => parseThroughput(text)).toThrow('no count of bytes');
  });
});

describe('a row', () => {
  it('has percentiles over all rounds and the middle throughput', () => {
    const rounds = [sample({ roundTripsUs: [300, 100.4], mbit: 10.04 }), sample({ mbit: 30 }), sample({ mbit: 20 })];
    expect(deriveRow(CASE, rounds)).toEqual({
      ...CASE,
      latencyUs: { p50: 100, p99: 300 },
      throughputMbit: 20,
      throughputRangeMbit: [10, 30],
      requests: 4,
      lost: 0,
    });
  });

  it('counts lost requests among the requests', () => {
    expect(deriveRow(CASE, [sample({ lost: 3 })])).toMatchObject({ requests: 4, lost: 3 });
  });

  it('is none when nobody answered', () => {
    expect(deriveRow(CASE, [sample({ roundTripsUs: [], lost: 7 })])).toBeUndefined();
  });
});
