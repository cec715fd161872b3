import { type ProbeRecord, STREAM_KINDS, type StreamKind } from '../../test/lab/probe/records.ts';

/** A span of time, milliseconds since the epoch. */
export type Span = { readonly from: number; readonly to: number };

/** What one stream of the prober brought within a window. */
export type StreamRecord = {
  readonly place: number;
  readonly kind: StreamKind;
  /** When answers came, ascending. */
  readonly answers: readonly number[];
  /** Probes sent within the window whose answer never came, as far as later ones show it. */
  readonly lost: number;
  /** Times at which a TCP stream ended. */
  readonly closed: readonly number[];
};

type Growing = { answers: number[]; closed: number[]; sequences: number[] };

/** Cuts the record into its streams within a window. A stream that has nothing there is there, and empty. */
export function cutStreams(records: readonly ProbeRecord[], window: Span, places: number): StreamRecord[] {
  const streams = Array.from(
    { length: places * STREAM_KINDS.length },
    (): Growing => ({ answers: [], closed: [], sequences: [] }),
  );
  const isWithin = (at: number): boolean => at >= window.from && at <= window.to;
  for (const record of records) {
    if (record.type === 'answer') {
      const stream = streams[record.stream];
      if (isWithin(record.received)) stream?.answers.push(record.received);
      if (isWithin(record.sent)) stream?.sequences.push(record.sequence);
    } else if (record.type === 'closed' && isWithin(record.at)) streams[record.stream]?.closed.push(record.at);
  }
  return streams.map(({ answers, closed, sequences }, index) => ({
    place: Math.floor(index / STREAM_KINDS.length),
    kind: STREAM_KINDS[index % STREAM_KINDS.length] ?? 'udp4',
    answers: answers.sort((a, b) => a - b),
    lost: countMissing(sequences),
    closed,
  }));
}

function countMissing(sequences: readonly number[]): number {
  const known = new Set(sequences);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const sequence of known) {
    low = Math.min(low, sequence);
    high = Math.max(high, sequence);
  }
  return known.size === 0 ? 0 : high - low + 1 - known.size;
}

/** The longest silence of a window, its edges included: a stream that never spoke was silent all the time. */
export function findLongestGap(answers: readonly number[], window: Span): Span {
  let longest: Span = { from: window.from, to: window.from };
  let previous = window.from;
  for (const at of [...answers, window.to]) {
    if (at - previous > longest.to - longest.from) longest = { from: previous, to: at };
    previous = at;
  }
  return longest;
}

export const lengthOf = ({ from, to }: Span): number => to - from;
export const overlaps = (a: Span, b: Span): boolean => a.from <= b.to && b.from <= a.to;

/** Longest time by which the prober itself was late within the window: what it says of the guest is no better. */
export function findLateness(records: readonly ProbeRecord[], window: Span): number {
  const late = records.flatMap((record) =>
    record.type === 'late' && record.at >= window.from && record.due <= window.to ? [record.at - record.due] : [],
  );
  return Math.max(0, ...late);
}

/**
 * How long the guest had the first request of a stream in its hands before it answered, after it resumed: from the
 * target's tap. Under emulation it starts with nothing translated. Undefined when the tap saw none.
 */
export function findCold(tap: readonly ProbeRecord[], stream: number, resumedAt: number): number | undefined {
  const first = (type: 'request' | 'reply'): number | undefined => {
    const times = tap.flatMap((record) =>
      record.type === type && record.stream === stream && record.at >= resumedAt ? [record.at] : [],
    );
    return times.length === 0 ? undefined : Math.min(...times);
  };
  const [request, reply] = [first('request'), first('reply')];
  return request === undefined || reply === undefined ? undefined : Math.max(0, reply - request);
}

/** `count` windows of one length that lie evenly over a span; they overlap where the span is too short for all. */
export function planWindows(span: Span, count: number, length: number): Span[] {
  const room = lengthOf(span) - length;
  if (room < 0 || count < 1) return [];
  const step = count === 1 ? 0 : room / (count - 1);
  return Array.from({ length: count }, (_, index) => {
    const from = span.from + index * step;
    return { from, to: from + length };
  });
}

/** When the guest stood still, from the source's STOP to the target's RESUME, and QEMU's own figure for it. */
export type Cause = { readonly pause: Span; readonly qemuDowntimeMs: number };

export type Judged = {
  readonly gapMs: number;
  /** The longest gap is the one of the hand-over. */
  readonly handOver: boolean;
  readonly beyondQemuMs: number;
};

/** QEMU's downtime is taken off only from the gap that holds it. */
export function judgeGap(gap: Span, { pause, qemuDowntimeMs }: Cause): Judged {
  const gapMs = lengthOf(gap);
  const handOver = overlaps(gap, pause);
  return { gapMs, handOver, beyondQemuMs: Math.max(0, gapMs - (handOver ? qemuDowntimeMs : 0)) };
}
