import { formatCase, type Row } from './figures.ts';
import type { Effort } from './measure.ts';
import { BINDINGS, type Binding, type Case, PATHS, planCases } from './plan.ts';

/** `out/bench/bindings.json`. */
export type Report = {
  /** What it was measured on; without it the figures say nothing. */
  readonly machine: {
    readonly cores: number;
    readonly kernel: string;
    readonly guests: string;
    readonly datapath: string;
    readonly nodes: number;
  };
  readonly effort: Effort;
  readonly rows: readonly Row[];
  readonly failures: readonly string[];
};

/** The rows that a run should have and has not. */
export function listMissing(bindings: readonly Binding[], rows: readonly Row[]): string[] {
  const there = new Set(rows.map(formatCase));
  return bindings
    .flatMap(planCases)
    .map(formatCase)
    .filter((name) => !there.has(name));
}

/** A table for people, one row per binding, path and placement. */
export function formatTable(rows: readonly Row[]): string {
  const head = ['binding', 'path', 'placement', 'latency p50', 'p99', 'throughput', 'slowest..fastest', 'lost'];
  const cells = sortRows(rows).map((row) => [
    ...[row.binding, row.path, row.placement],
    ...[`${row.latencyUs.p50} us`, `${row.latencyUs.p99} us`, `${row.throughputMbit} Mbit/s`],
    ...[row.throughputRangeMbit.join('..'), `${row.lost}/${row.requests}`],
  ]);
  const all = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function sortRows(rows: readonly Row[]): Row[] {
  const order = BINDINGS.flatMap(planCases).map(formatCase);
  return rows.toSorted((a, b) => order.indexOf(formatCase(a)) - order.indexOf(formatCase(b)));
}

/** How the document calls them. */
const NAMES: Readonly<Record<Binding, string>> = {
  pod: 'no guest: pod',
  bridge: '`bridge`',
  masquerade: '`masquerade`',
  managedTap: 'managedTap',
  macvtap: 'macvtap, not Mooring',
  macvlanPod: 'no guest: pod with macvlan',
};
const PATH_NAMES: Readonly<Record<Case['path'], string>> = {
  podToPod: 'pod to pod',
  podToGuest: 'pod to guest',
  guestToGuest: 'guest to guest',
};

/** The part of docs/bindings.md that comes from a report. */
export function formatMarkdown({ machine, effort, rows }: Report): string {
  const head = ['', 'path', 'one node: latency', 'throughput', 'two nodes: latency', 'throughput'];
  const lines = BINDINGS.flatMap((binding) =>
    PATHS.flatMap((path) => {
      const own = rows.filter((row) => row.binding === binding && row.path === path);
      return own.length === 0 ? [] : [[NAMES[binding], PATH_NAMES[path], ...formatPlaces(own)]];
    }),
  );
  const cells = [head, head.map((_, at) => (at < 2 ? '---' : '--:')), ...lines];
  return `${formatMachine(machine, effort)}

${cells.map((line) => `| ${line.join(' | ')} |`).join('\n')}
`;
}

function formatPlaces(rows: readonly Row[]): string[] {
  return (['sameNode', 'twoNodes'] as const).flatMap((placement) => {
    const row = rows.find((one) => one.placement === placement);
    if (row === undefined) return ['–', '–'];
    return [
      `${formatMs(row.latencyUs.p50)}, ${formatMs(row.latencyUs.p99)} ms`,
      `${Math.round(row.throughputMbit)} Mbit/s`,
    ];
  });
}

const formatMs = (us: number): string => (us / 1000).toFixed(2);

const COUNTS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];

function formatMachine(
  { cores, guests, datapath, nodes }: Report['machine'],
  { rounds, requests, seconds }: Effort,
): string {
  const count = (number: number): string => COUNTS[number] ?? String(number);
  const times = seconds === 1 ? 'a second' : `${count(seconds)} seconds`;
  return wrap(
    `Measured with \`make bench NAME=bindings\` on a machine with ${count(cores)} cores that plays all ${count(nodes)} nodes: \
${guests}, ${datapath}, offloads are off for guests and on our network. The rows can be compared with each other, not with other machines. Latency \
is the round trip of a small UDP request between two programs, p50 and p99 of ${rounds * requests}; throughput is one TCP \
connection, the middle of ${count(rounds)} times ${times}.`,
  );
}

const LINE = 125;

/** Breaks a text between words. */
function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > LINE) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}
