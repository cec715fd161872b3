import { timeOf } from '../../test/lab/probe/recording.ts';
import { type ProbeRecord, type StreamKind, streamOf } from '../../test/lab/probe/records.ts';
import { cutStreams, findCold, findLateness, findLongestGap, judgeGap, lengthOf, type Span } from './gaps.ts';
import {
  findSpoken,
  findWorst,
  listDumb,
  listHeld,
  listSilences,
  listStarved,
  listUnasked,
  type Silence,
} from './held.ts';
import { type Moved, TAP_AFTER_MS } from './migrate.ts';
import type { Binding } from './objects.ts';
import { findPercentile, round } from './stats.ts';
import type { Strategy } from './strategy.ts';

/** Where a prober stands, seen from the migration. */
export const PLACES = ['source', 'target', 'third'] as const;
export type Place = (typeof PLACES)[number];

/** One flow of UDP probes in one migration, all times in ms. */
export type FlowFigures = {
  readonly place: Place;
  readonly family: 4 | 6;
  readonly gapMs: number;
  readonly handOver: boolean;
  /** When the gap began, after RESUME. */
  readonly fromMs: number;
  readonly coldMs: number | undefined;
  /** What neither the pause nor a guest that holds a request explains of the worst silence; the noise is taken off by `takeOffNoise`. */
  readonly beyondMs: number;
  /** Where that silence lies, after RESUME; none when no silence was worth the name. */
  readonly hardest: Span | undefined;
  readonly beyondQemuMs: number;
  readonly lost: number;
};

/** One TCP connection in one migration. */
export type TcpFigures = {
  readonly place: Place;
  readonly family: 4 | 6;
  readonly openedBy: 'client' | 'guest';
  readonly stallMs: number;
  readonly resets: number;
};

/** One migration, judged. */
export type MigrationFigures = {
  readonly name: string;
  readonly strategy: Strategy;
  readonly binding: Binding;
  readonly source: string;
  readonly target: string;
  readonly seconds: number;
  readonly windowMs: number;
  readonly pausedMs: number;
  readonly qemuDowntimeMs: number;
  readonly commitMs: number;
  readonly addressChanged: boolean;
  /** How late the prober itself woke at worst; what it says is no finer than this. */
  readonly proberLateMs: number;
  readonly flows: readonly FlowFigures[];
  readonly tcp: readonly TcpFigures[];
};

/** The longest gap of each flow in one window without migration. */
export type NoiseSample = {
  readonly binding: Binding;
  readonly family: 4 | 6;
  readonly gapMs: number;
  /** Of it, what the guest does not explain. */
  readonly unexplainedMs: number;
};

/** Answers come each millisecond or two: what is shorter is no silence. */
const LEAST_MS = 4;

/** From the target launcher's making until a second after the commit. */
export const windowOf = ({ launcherAt, commitAt }: Pick<Moved, 'launcherAt' | 'commitAt'>): Span => ({
  from: launcherAt,
  to: commitAt + TAP_AFTER_MS,
});

const familyOf = (kind: StreamKind): 4 | 6 => (kind.endsWith('4') ? 4 : 6);
const isUdp = (kind: StreamKind): boolean => kind.startsWith('udp');

export type Judging = {
  readonly name: string;
  readonly strategy: Strategy;
  readonly binding: Binding;
  readonly addressChanged: boolean;
  /** Nodes of the prober's places, in their order. */
  readonly nodes: readonly string[];
  readonly records: readonly ProbeRecord[];
  /** Between two requests of one flow. */
  readonly requestMs: number;
};

/** What one migration cost each flow, by the prober's record and the target's tap. */
export function judgeMigration(moved: Moved, judging: Judging): MigrationFigures {
  const { name, strategy, binding, addressChanged, nodes, records, requestMs } = judging;
  const window = windowOf(moved);
  const streams = cutStreams(records, window, nodes.length);
  const { stoppedAt, resumedAt, qemuDowntimeMs } = moved.figures;
  const starved = listStarved(records);
  const placeOf = (index: number): Place => {
    const node = nodes[index];
    return node === moved.source ? 'source' : node === moved.target ? 'target' : 'third';
  };
  const flows = streams.flatMap(({ place, kind, answers, lost }): FlowFigures[] => {
    if (!isUdp(kind)) return [];
    const family = familyOf(kind);
    const stream = streamOf(place, kind);
    const coldMs = findCold(moved.taps.target, stream, resumedAt);
    const gap = findLongestGap(answers, window);
    const pause = { from: stoppedAt, to: resumedAt };
    const asked = records.filter((record) => record.type === 'answer' && record.stream === stream);
    const own = [pause, ...starved, ...listOwn(moved, { stream, window, binding, asked, requestMs })];
    const { gap: hard, unexplainedMs: beyondMs } = findHardest(answers, window, own);
    const judged = { ...judgeGap(gap, { pause, qemuDowntimeMs }), beyondMs };
    const since = (span: Span): Span => ({ from: round(span.from - resumedAt), to: round(span.to - resumedAt) });
    const where = { place: placeOf(place), family, fromMs: since(gap).from, hardest: hard && since(hard) };
    return [{ ...where, coldMs: coldMs && round(coldMs), lost, ...roundAll(judged) }];
  });
  const tcp = streams.flatMap(({ place, kind, answers, closed }): TcpFigures[] => {
    if (isUdp(kind)) return [];
    const openedBy = kind.startsWith('in') ? 'client' : 'guest';
    const stallMs = round(lengthOf(findLongestGap(answers, window)));
    return [{ place: placeOf(place), family: familyOf(kind), openedBy, stallMs, resets: closed.length }];
  });
  return {
    ...{ name, strategy, binding, addressChanged, flows, tcp },
    source: moved.source,
    target: moved.target,
    seconds: round((window.to - moved.createdAt) / 1000),
    windowMs: Math.round(lengthOf(window)),
    pausedMs: round(resumedAt - stoppedAt),
    qemuDowntimeMs,
    // The databases may show the target before the watch brings the VMI.
    commitMs: Math.max(0, moved.commitAt - moved.readyAt),
    proberLateMs: round(findLateness(records, window)),
  };
}

type Flow = {
  readonly stream: number;
  readonly window: Span;
  readonly binding: Binding;
  readonly asked: readonly ProbeRecord[];
  readonly requestMs: number;
};

/**
 * While the guest held a request unanswered, on either side, or had not said a word yet at a gate that opens when it does;
 * and while nobody asked it since it could be reached.
 */
function listOwn({ taps, figures }: Moved, { stream, window, binding, asked, requestMs }: Flow): Span[] {
  const { stoppedAt, resumedAt } = figures;
  const arrived = taps.target.filter((record) => timeOf(record) >= resumedAt);
  const isGated = binding === 'masquerade';
  const reachableAt = (isGated ? findSpoken(arrived) : undefined) ?? resumedAt;
  return [
    ...listHeld(taps.source, stream, stoppedAt),
    ...listHeld(arrived, stream, window.to),
    ...(isGated ? listDumb(arrived, resumedAt) : []),
    ...listUnasked(asked, reachableAt, requestMs),
  ];
}

/** The silence that is hardest to explain, and what of it is not the guest's own. */
function findHardest(
  answers: readonly number[],
  window: Span,
  own: readonly Span[],
): Pick<Silence, 'unexplainedMs'> & { readonly gap?: Span } {
  return findWorst(listSilences(answers, { window, own, leastMs: LEAST_MS })) ?? { unexplainedMs: 0 };
}

function roundAll<T extends { gapMs: number; beyondMs: number; beyondQemuMs: number }>(judged: T): T {
  const { gapMs, beyondMs, beyondQemuMs } = judged;
  return { ...judged, gapMs: round(gapMs), beyondMs: round(beyondMs), beyondQemuMs: round(beyondQemuMs) };
}

/** What is left beyond downtime when the usual longest gap of such a flow is taken off. */
export function takeOffNoise(
  { binding, flows }: Pick<MigrationFigures, 'binding' | 'flows'>,
  noise: readonly NoiseSample[],
): FlowFigures[] {
  return flows.map((flow) => {
    const usual = findNoise(noise, binding, flow.family);
    return { ...flow, beyondMs: round(Math.max(0, flow.beyondMs - usual)) };
  });
}

/** The median of what the same flows' silences have unexplained without migration; 0 as long as none was taken. */
export function findNoise(noise: readonly NoiseSample[], binding: Binding, family: 4 | 6): number {
  const own = noise
    .filter((one) => one.binding === binding && one.family === family)
    .map(({ unexplainedMs }) => unexplainedMs);
  return own.length === 0 ? 0 : findPercentile(own, 0.5);
}

/** The longest gaps of all flows in windows without migration. */
export function judgeNoise(
  records: readonly ProbeRecord[],
  windows: readonly Span[],
  { binding, places, tap }: { binding: Binding; places: number; tap: readonly ProbeRecord[] },
): NoiseSample[] {
  const starved = listStarved(records);
  return windows.flatMap((window) =>
    cutStreams(records, window, places).flatMap(({ place, kind, answers }): NoiseSample[] => {
      if (!isUdp(kind)) return [];
      const gapMs = round(lengthOf(findLongestGap(answers, window)));
      const own = [...starved, ...listHeld(tap, streamOf(place, kind), window.to)];
      const unexplainedMs = round(findHardest(answers, window, own).unexplainedMs);
      return [{ binding, family: familyOf(kind), gapMs, unexplainedMs }];
    }),
  );
}
