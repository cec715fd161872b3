import type { Bar } from '../scale/report.ts';
import { type FlowFigures, type MigrationFigures, type NoiseSample, takeOffNoise } from './judge.ts';
import { BINDINGS, type Binding } from './objects.ts';
import type { Seen } from './run.ts';
import { type Summary, summarise } from './stats.ts';
import type { Strategy } from './strategy.ts';

type Pair = { readonly p50: number; readonly p99: number };
type Triple = Pair & { readonly max: number };

/** One binding with one strategy, in detail; all in ms, over (migrations x flows) where a flow is meant. */
export type Detail = {
  readonly strategy: Strategy;
  readonly binding: Binding;
  readonly migrations: number;
  /** TCP connections lost. */
  readonly resets: number;
  readonly gap: Summary;
  readonly qemuDowntime: Summary;
  /** From QEMU's STOP at the source to RESUME at the target. */
  readonly paused: Summary;
  /** After RESUME, with the first request in the guest's hands, until its first answer. */
  readonly cold: Summary;
  readonly guestDowntime: Summary;
  readonly beyond: Summary;
  readonly beyondQemu: Summary;
  /** The worst flow of each migration. */
  readonly beyondWorstFlow: Summary;
  readonly noise: Summary;
  readonly commit: Summary;
  readonly byFamily: Readonly<Record<string, Summary>>;
  readonly byPlace: Readonly<Record<string, Summary>>;
  readonly tcpStall: Readonly<Record<string, Summary>>;
  readonly lostPerFlow: Summary;
  /** Longest gaps that did not hold the guest's pause: the network's alone. */
  readonly gapsElsewhere: number;
  /** How late the prober itself woke at worst: what it measures is no finer. */
  readonly proberLate: Summary;
  readonly seconds: Summary;
};

/** `out/bench/migration.json`. */
export type Report = {
  readonly migrations: number;
  readonly addressChanges: number;
  readonly resets: number;
  readonly noiseMs: Pair;
  readonly beyondDowntimeMs: Readonly<Partial<Record<Binding, Triple>>>;
  readonly commitMs: Pair;
  readonly rollbackMs: Pair;
  readonly aborts: number;
  /** Of the strategy that is kept, and of the run; another strategy's are in `otherFailures`. */
  readonly failures: readonly string[];
  readonly otherFailures: readonly string[];
  readonly seed: number;
  /** The strategy that the figures above are of. */
  readonly strategy: Strategy;
  readonly details: readonly Detail[];
  readonly all: readonly MigrationFigures[];
  readonly allAborts: Seen['aborts'];
};

const pairOf = ({ p50, p99 }: Summary): Pair => ({ p50, p99 });
const tripleOf = ({ p50, p99, max }: Summary): Triple => ({ p50, p99, max });

/** Figures of a run; those at the top are of the strategy that the product keeps. */
export function deriveReport(seen: Seen, { kept, seed }: { kept: Strategy; seed: number }): Report {
  const own = seen.migrations.filter(({ strategy }) => strategy === kept);
  const details = listGroups(seen.migrations).map((group) => describeGroup(group, seen.noise));
  const beyond = details.filter(({ strategy }) => strategy === kept);
  return {
    migrations: own.length,
    addressChanges: own.filter(({ addressChanged }) => addressChanged).length,
    resets: own.flatMap(({ tcp }) => tcp).reduce((sum, { resets }) => sum + resets, 0),
    noiseMs: pairOf(summarise(seen.noise.map(({ gapMs }) => gapMs))),
    beyondDowntimeMs: Object.fromEntries(beyond.map((one) => [one.binding, tripleOf(one.beyond)])),
    commitMs: pairOf(summarise(own.map(({ commitMs }) => commitMs))),
    rollbackMs: pairOf(summarise(seen.aborts.map(({ rollbackMs }) => rollbackMs))),
    aborts: seen.aborts.length,
    failures: seen.failures.filter(({ strategy = kept }) => strategy === kept).map(({ what }) => what),
    otherFailures: seen.failures.filter(({ strategy = kept }) => strategy !== kept).map(({ what }) => what),
    seed,
    strategy: kept,
    details,
    all: seen.migrations,
    allAborts: seen.aborts,
  };
}

type Group = { strategy: Strategy; binding: Binding; own: readonly MigrationFigures[] };

function listGroups(all: readonly MigrationFigures[]): Group[] {
  const strategies = [...new Set(all.map(({ strategy }) => strategy))];
  return strategies.flatMap((strategy) =>
    BINDINGS.flatMap((binding) => {
      const own = all.filter((one) => one.strategy === strategy && one.binding === binding);
      return own.length === 0 ? [] : [{ strategy, binding, own }];
    }),
  );
}

function describeGroup({ strategy, binding, own }: Group, noise: readonly NoiseSample[]): Detail {
  const flows = own.flatMap((one) => takeOffNoise(one, noise));
  const worst = own.map((one) => Math.max(...takeOffNoise(one, noise).map(({ beyondMs }) => beyondMs)));
  const colds = own.flatMap((one) => one.flows.flatMap(({ coldMs }) => coldMs ?? []));
  const down = own.flatMap((one) => one.flows.flatMap(({ coldMs = 0 }) => one.pausedMs + coldMs));
  const beyondOf = (some: readonly FlowFigures[]): Summary => summarise(some.map(({ beyondMs }) => beyondMs));
  const tcp = own.flatMap((one) => one.tcp);
  return {
    ...{ strategy, binding, migrations: own.length },
    resets: tcp.reduce((sum, { resets }) => sum + resets, 0),
    gap: summarise(flows.map(({ gapMs }) => gapMs)),
    qemuDowntime: summarise(own.map(({ qemuDowntimeMs }) => qemuDowntimeMs)),
    paused: summarise(own.map(({ pausedMs }) => pausedMs)),
    cold: summarise(colds),
    guestDowntime: summarise(down),
    beyond: beyondOf(flows),
    beyondQemu: summarise(flows.map(({ beyondQemuMs }) => beyondQemuMs)),
    beyondWorstFlow: summarise(worst),
    noise: summarise(noise.filter((one) => one.binding === binding).map(({ gapMs }) => gapMs)),
    commit: summarise(own.map(({ commitMs }) => commitMs)),
    byFamily: groupBy(flows, ({ family }) => `IPv${family}`, beyondOf),
    byPlace: groupBy(flows, ({ place }) => place, beyondOf),
    tcpStall: groupBy(
      tcp,
      ({ openedBy, family }) => `opened by ${openedBy}, IPv${family}`,
      (some) => summarise(some.map(({ stallMs }) => stallMs)),
    ),
    lostPerFlow: summarise(flows.map(({ lost }) => lost)),
    gapsElsewhere: flows.filter(({ handOver }) => !handOver).length,
    proberLate: summarise(own.map(({ proberLateMs }) => proberLateMs)),
    seconds: summarise(own.map(({ seconds }) => seconds)),
  };
}

function groupBy<T>(
  values: readonly T[],
  keyOf: (value: T) => string,
  tell: (some: readonly T[]) => Summary,
): Record<string, Summary> {
  const groups = Map.groupBy(values, keyOf);
  return Object.fromEntries([...groups].sort().map(([key, some]) => [key, tell(some)]));
}

const BEYOND_P50 = 5;
const BEYOND_P99: Readonly<Record<Binding, number>> = { bridge: 40, managedTap: 40, masquerade: 80 };

/** The bars of issue 5; a run with nothing to judge misses them. */
export function listBars(report: Report, wanted: { count: number; bindings: readonly Binding[] }): Bar[] {
  const ms = { unit: 'ms' };
  return [
    { name: 'migrations that did not take place', value: wanted.count - report.migrations, most: 0, unit: '' },
    { name: 'failures', value: report.failures.length, most: 0, unit: '' },
    { name: 'address or MAC changes', value: report.addressChanges, most: 0, unit: '' },
    { name: 'TCP connections lost', value: report.resets, most: 0, unit: '' },
    ...wanted.bindings.flatMap((binding): Bar[] => {
      const own = report.beyondDowntimeMs[binding] ?? { p50: Number.NaN, p99: Number.NaN };
      const name = `gap beyond downtime and noise, ${binding}`;
      return [
        { name: `${name}, p50`, value: own.p50, most: BEYOND_P50, ...ms },
        { name: `${name}, p99`, value: own.p99, most: BEYOND_P99[binding], ...ms },
      ];
    }),
    { name: 'event to commit, p99', value: report.commitMs.p99, most: 2000, ...ms },
    ...(report.aborts === 0
      ? []
      : [{ name: 'event to rolled back, p99', value: report.rollbackMs.p99, most: 2000, ...ms }]),
    { name: 'noise, p50', value: report.noiseMs.p50, ...ms },
    { name: 'noise, p99', value: report.noiseMs.p99, ...ms },
    ...report.details.flatMap(listFigures),
    { name: 'failures of another strategy', value: report.otherFailures.length, unit: '' },
  ];
}

/** What stands beside the bars: strategies side by side. */
function listFigures({ strategy, binding, resets, gap, guestDowntime, qemuDowntime, cold, beyond }: Detail): Bar[] {
  const name = `${strategy}, ${binding}`;
  return [
    { name: `${name}: gap, p50`, value: gap.p50, unit: 'ms' },
    { name: `${name}: guest's downtime, p50`, value: guestDowntime.p50, unit: 'ms' },
    { name: `${name}: of it QEMU's own figure, p50`, value: qemuDowntime.p50, unit: 'ms' },
    { name: `${name}: of it cold, p50`, value: cold.p50, unit: 'ms' },
    { name: `${name}: beyond, p50`, value: beyond.p50, unit: 'ms' },
    { name: `${name}: beyond, p99`, value: beyond.p99, unit: 'ms' },
    { name: `${name}: connections lost`, value: resets, unit: '' },
  ];
}
