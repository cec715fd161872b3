import type { ProbeRecord } from '../../test/lab/probe/records.ts';
import { lengthOf, type Span } from './gaps.ts';

/** The prober sleeps up to a request's time of the 50 ms, and others may end them early. */
const FAIR_SERVER_LEAST_MS = 30;

/** A silence of one flow, and how much of it nobody but the network can have caused. */
export type Silence = { readonly gap: Span; readonly unexplainedMs: number };

/**
 * When the guest had a request of this flow in its hands and did not answer: from the first request that its tap handed
 * over to the next answer that left. Whatever the network does, it cannot make these times shorter. Records of one tap, of
 * one stream or more; `until` ends what was never answered there.
 */
export function listHeld(tap: readonly ProbeRecord[], stream: number, until: number): Span[] {
  const held: Span[] = [];
  let since: number | undefined;
  let newest = -1;
  for (const record of tap.filter(isPassing)) {
    if (record.stream !== stream || record.at > until) continue;
    if (record.type === 'request') {
      since ??= record.at;
      newest = Math.max(newest, record.sequence);
      continue;
    }
    if (since !== undefined) held.push({ from: since, to: record.at });
    since = newest > record.sequence ? record.at : undefined;
  }
  return since === undefined || since >= until ? held : [...held, { from: since, to: until }];
}

/**
 * Of a guest behind a gate that opens with its own first packet (masquerade): from RESUME until it said anything at all;
 * while it held a request of any flow, until its first answer, as nobody else's request may reach it before; and while it
 * was asked for its address and said nothing, as the launcher's kernel keeps what is for it until it does. `tap`: records
 * since RESUME.
 */
export function listDumb(tap: readonly ProbeRecord[], resumedAt: number): Span[] {
  const timesOf = (...types: readonly string[]): number[] =>
    tap
      .flatMap((record) => (types.includes(record.type) && 'at' in record ? [record.at] : []))
      .toSorted((a, b) => a - b);
  const spoken = timesOf('spoke', 'reply');
  const [[spokeAt], [answeredAt], [requestedAt]] = [spoken, timesOf('reply'), timesOf('request')];
  if (spokeAt === undefined || answeredAt === undefined) return [];
  const asked = timesOf('asked').flatMap((from): Span[] => {
    const to = spoken.find((at) => at >= from);
    return to === undefined ? [] : [{ from, to }];
  });
  const first = { from: Math.min(requestedAt ?? answeredAt, answeredAt), to: answeredAt };
  return [{ from: resumedAt, to: spokeAt }, first, ...asked];
}

/**
 * From the moment at which a guest could be reached again to the next request of one flow that was sent then: nobody had asked it. At
 * most the time between two requests of a flow, so that requests that were lost stay the network's. `answers`: of that flow.
 */
export function listUnasked(answers: readonly ProbeRecord[], since: number, requestMs: number): Span[] {
  const sent = answers.flatMap((record) => (record.type === 'answer' && record.sent >= since ? [record.sent] : []));
  if (sent.length === 0) return [];
  return [{ from: since, to: Math.min(...sent, since + requestMs) }];
}

/**
 * While the kernel let ordinary programs run in the place of real-time ones: it gives them 50 ms of a second that those have taken
 * whole (the fair server of deadline scheduling, Linux 6.12). Neither the prober nor the datapath runs then, which on a
 * node that forwards in the kernel nothing could hold up. Told from shorter waits, which may be ours, by their length.
 */
export function listStarved(records: readonly ProbeRecord[]): Span[] {
  return records.flatMap((record): Span[] =>
    record.type === 'late' && record.at - record.due >= FAIR_SERVER_LEAST_MS
      ? [{ from: record.due, to: record.at }]
      : [],
  );
}

/** When a guest behind a gate that opens with its own first packet said something first; undefined if it never did. */
export function findSpoken(tap: readonly ProbeRecord[]): number | undefined {
  const times = tap.flatMap((record) => (record.type === 'spoke' || record.type === 'reply' ? [record.at] : []));
  return times.length === 0 ? undefined : Math.min(...times);
}

type Passing = Extract<ProbeRecord, { type: 'request' | 'reply' }>;

const isPassing = (record: ProbeRecord): record is Passing => record.type === 'request' || record.type === 'reply';

/** The silences of a flow within a window that are longer than `leastMs`, with what neither of the spans explains. */
export function listSilences(
  answers: readonly number[],
  { window, own, leastMs }: { window: Span; own: readonly Span[]; leastMs: number },
): Silence[] {
  const edges = [window.from, ...answers, window.to];
  const gaps = edges.slice(1).flatMap((to, index): Span[] => {
    const from = edges[index] ?? to;
    return to - from > leastMs ? [{ from, to }] : [];
  });
  return gaps.map((gap) => ({ gap, unexplainedMs: lengthOf(gap) - measureWithin(own, gap) }));
}

/** How much of a span others cover, in ms; what overlaps counts once. */
export function measureWithin(spans: readonly Span[], within: Span): number {
  const cut = spans
    .map(({ from, to }) => ({ from: Math.max(from, within.from), to: Math.min(to, within.to) }))
    .filter(({ from, to }) => to > from)
    .toSorted((a, b) => a.from - b.from);
  let [sum, end] = [0, within.from];
  for (const { from, to } of cut) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

/** The silence that is hardest to explain; none when all answers came closer together than `leastMs`. */
export function findWorst(silences: readonly Silence[]): Silence | undefined {
  return silences.reduce<Silence | undefined>(
    (worst, one) => (worst === undefined || one.unexplainedMs > worst.unexplainedMs ? one : worst),
    undefined,
  );
}
