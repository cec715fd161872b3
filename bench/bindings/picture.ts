import { formatCase, type Row } from './figures.ts';
import { BINDINGS, type Binding, type Path, type Placement } from './plan.ts';
import type { Report } from './report.ts';

type Group = { readonly title: string; readonly rows: readonly Row[] };
/** A column of bars: the bar's length, the mark beyond it, and the text beside it. */
type Column = {
  readonly title: string;
  readonly value: (row: Row) => number;
  readonly mark: (row: Row) => readonly [number, number];
  readonly text: (row: Row) => string;
};

const LEFT = 132;
const TOP = 78;
const WIDTH = 300;
const GAP = 205;
const BAR = 16;
const STEP = 21;
const BETWEEN = 34;
const TEXT = '#33424e';
const COLOURS: Readonly<Record<Binding, string>> = {
  ...{ pod: '#7f8c8d', macvlanPod: '#b3bcc2', bridge: '#1f77b4' },
  ...{ masquerade: '#e08e0b', managedTap: '#2a9d55', macvtap: '#8e5ea2' },
};
const TITLES: readonly (readonly [Path, Placement, string])[] = [
  ['podToPod', 'sameNode', 'pod to pod, one node'],
  ['podToPod', 'twoNodes', 'pod to pod, two nodes'],
  ['podToGuest', 'sameNode', 'pod to guest, one node'],
  ['podToGuest', 'twoNodes', 'pod to guest, two nodes'],
  ['guestToGuest', 'sameNode', 'guest to guest, one node'],
  ['guestToGuest', 'twoNodes', 'guest to guest, two nodes'],
];
const COLUMNS: readonly Column[] = [
  {
    title: 'round trip of a UDP request: p50, line to p99 (shorter is better)',
    value: ({ latencyUs }) => latencyUs.p50,
    mark: ({ latencyUs }) => [latencyUs.p50, latencyUs.p99],
    text: ({ latencyUs }) => `${ms(latencyUs.p50)} / ${ms(latencyUs.p99)} ms`,
  },
  {
    title: 'one TCP connection: middle round, line from slowest to fastest',
    value: ({ throughputMbit }) => throughputMbit,
    mark: ({ throughputRangeMbit }) => throughputRangeMbit,
    text: ({ throughputMbit }) => `${Math.round(throughputMbit)} Mbit/s`,
  },
];

const ms = (us: number): string => (us / 1000).toFixed(2);
const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** `out/bench/bindings.svg`: a bar for each row, those that can be compared side by side. */
export function formatPicture({ machine, rows }: Report): string {
  const groups = listGroups(rows);
  const height = TOP + groups.reduce((sum, group) => sum + BETWEEN + group.rows.length * STEP, 0) + 10;
  const width = LEFT + COLUMNS.length * (WIDTH + GAP);
  const about = `${machine.cores} cores for ${machine.nodes} nodes; ${machine.guests}; ${machine.datapath}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui,sans-serif" font-size="11" fill="${TEXT}">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="16" y="28" font-size="16" font-weight="600">Latency and throughput by binding</text>
<text x="16" y="46">${escapeXml(about)}</text>
${COLUMNS.map((column, at) => formatColumn(column, LEFT + at * (WIDTH + GAP), groups)).join('\n')}
</svg>
`;
}

function listGroups(rows: readonly Row[]): Group[] {
  return TITLES.flatMap(([path, placement, title]) => {
    const own = rows.filter((row) => row.path === path && row.placement === placement);
    const sorted = own.toSorted((a, b) => BINDINGS.indexOf(a.binding) - BINDINGS.indexOf(b.binding));
    return sorted.length === 0 ? [] : [{ title, rows: sorted }];
  });
}

/** A line is cut where it would leave nothing to see of the bars; the text has the figure. */
const LONGEST_LINE = 4;

/** Pods are so much faster than emulated guests that one scale would leave nothing to see of those: each group has its own. */
function formatColumn(column: Column, left: number, groups: readonly Group[]): string {
  const parts = [`<text x="${left}" y="${TOP - 10}" font-weight="600">${escapeXml(column.title)}</text>`];
  let top = TOP;
  for (const { title, rows } of groups) {
    parts.push(`<text x="${left}" y="${top + 20}" fill="#66757f">${escapeXml(title)}</text>`);
    const highest = Math.max(...rows.map(column.value), Number.MIN_VALUE);
    const most = Math.min(LONGEST_LINE * highest, Math.max(highest, ...rows.flatMap(column.mark)));
    const bars = rows.map((row, at) => formatBar(column, row, { left, top: top + BETWEEN - 6 + at * STEP, most }));
    parts.push(...bars);
    top += BETWEEN + rows.length * STEP;
  }
  return parts.join('');
}

type Place = { readonly left: number; readonly top: number; readonly most: number };

function formatBar(column: Column, row: Row, { left, top, most }: Place): string {
  const x = (value: number): string => (left + Math.min(1, value / most) * WIDTH).toFixed(1);
  const [from, to] = column.mark(row);
  const middle = top + BAR / 2;
  const label = `<text x="${left - 6}" y="${middle + 4}" text-anchor="end">${row.binding}</text>`;
  const width = ((column.value(row) / most) * WIDTH).toFixed(1);
  const bar = `<rect class="bar" x="${left}" y="${top}" width="${width}" height="${BAR}" fill="${COLOURS[row.binding]}"><title>${escapeXml(formatCase(row))}</title></rect>`;
  const line = `<line x1="${x(from)}" x2="${x(to)}" y1="${middle}" y2="${middle}" stroke="${TEXT}" stroke-width="1.5"/>`;
  return `${label}${bar}${line}<text x="${left + WIDTH + 8}" y="${middle + 4}">${escapeXml(column.text(row))}</text>`;
}
