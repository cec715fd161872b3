import { type ProbeRecord, type StreamKind, streamOf } from '../../test/lab/probe/records.ts';
import { cutStreams, findCold, findLateness, findLongestGap, judgeGap, lengthOf, type Span } from './gaps.ts';
import type { Moved } from './migrate.ts';
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
  /** Beyond the guest's downtime; the noise is taken off by `takeOffNoise`. */
  readonly beyondMs: number;
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
export type NoiseSample = { readonly binding: Binding; readonly family: 4 | 6; readonly gapMs: number };

export const WINDOW_AFTER_MS = 2000;

/** From the target launcher's making until two seconds after the commit. */
export const windowOf = ({ launcherAt, commitAt }: Pick<Moved, 'launcherAt' | 'commitAt'>): Span => ({
  from: launcherAt,
  to: commitAt + WINDOW_AFTER_MS,
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
};

/** What one migration cost each flow, by the prober's record and the target's tap. */
export function judgeMigration(moved: Moved, judging: Judging): MigrationFigures {
  const { name, strategy, binding, addressChanged, nodes, records } = judging;
  const window = windowOf(moved);
  const streams = cutStreams(records, window, nodes.length);
  const { stoppedAt, resumedAt, qemuDowntimeMs } = moved.figures;
  const placeOf = (index: number): Place => {
    const node = nodes[index];
    return node === moved.source ? 'source' : node === moved.target ? 'target' : 'third';
  };
  const flows = streams.flatMap(({ place, kind, answers, lost }): FlowFigures[] => {
    if (!isUdp(kind)) return [];
    const family = familyOf(kind);
    const coldMs = findCold(moved.tap, streamOf(place, kind), resumedAt);
    const gap = findLongestGap(answers, window);
    const judged = judgeGap(gap, {
      pause: { from: stoppedAt, to: resumedAt },
      coldMs: coldMs ?? 0,
      qemuDowntimeMs,
    });
    const fromMs = round(gap.from - resumedAt);
    return [{ place: placeOf(place), family, coldMs: coldMs && round(coldMs), lost, fromMs, ...roundAll(judged) }];
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

/** The median of the same flows' longest gaps without migration; 0 as long as none was taken. */
export function findNoise(noise: readonly NoiseSample[], binding: Binding, family: 4 | 6): number {
  const own = noise.filter((one) => one.binding === binding && one.family === family).map(({ gapMs }) => gapMs);
  return own.length === 0 ? 0 : findPercentile(own, 0.5);
}

/** The longest gaps of all flows in windows without migration. */
export function judgeNoise(
  records: readonly ProbeRecord[],
  windows: readonly Span[],
  { binding, places }: { binding: Binding; places: number },
): NoiseSample[] {
  return windows.flatMap((window) =>
    cutStreams(records, window, places).flatMap(({ kind, answers }): NoiseSample[] =>
      isUdp(kind) ? [{ binding, family: familyOf(kind), gapMs: round(lengthOf(findLongestGap(answers, window))) }] : [],
    ),
  );
}
