import { countShares, planEdges } from './histogram.ts';
import { takeOffNoise } from './judge.ts';
import { BINDINGS, type Binding } from './objects.ts';
import type { Seen } from './run.ts';
import { findPercentile, round } from './stats.ts';
import type { Strategy } from './strategy.ts';

type Series = { readonly label: string; readonly colour: string; readonly values: readonly number[] };
type Panel = { readonly title: string; readonly series: readonly Series[] };

const WIDTH = 480;
const HEIGHT = 190;
const GAP = 44;
/** Below a panel: its axis and a line for each series. */
const BELOW = 80;
const ROW = HEIGHT + GAP + BELOW;
const LEFT = 54;
const TOP = 84;
const LOW = 0.5;
const HIGH = 1024;
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const EDGES = planEdges(LOW, HIGH, 3);
const TEXT = '#33424e';

const x = (ms: number): number => (Math.log2(Math.max(LOW, Math.min(HIGH, ms)) / LOW) / Math.log2(HIGH / LOW)) * WIDTH;
const y = (share: number): number => HEIGHT * (1 - share);
const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** Histograms of one run, a row per binding: what the guest's traffic lost, and what of it is the network's. */
export function formatPicture(seen: Seen, kept: Strategy): string {
  const rows = BINDINGS.flatMap((binding) => {
    const panels = listPanels(seen, { binding, kept });
    return panels === undefined ? [] : [panels];
  });
  const total = { width: LEFT + 2 * (WIDTH + GAP) + 20, height: TOP + rows.length * ROW };
  const body = rows.flatMap((panels, row) =>
    panels.map((panel, column) => {
      const at = `${LEFT + column * (WIDTH + GAP + 10)},${TOP + row * ROW}`;
      return `<g transform="translate(${at})">${formatPanel(panel)}</g>`;
    }),
  );
  const count = seen.migrations.filter(({ strategy }) => strategy === kept).length;
  const title = `${count} live migrations (${kept}): longest silence of each UDP flow; a probe each ms from three nodes, IPv4 and IPv6 in turn`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" font-family="system-ui,sans-serif" font-size="11" fill="${TEXT}">
<rect width="${total.width}" height="${total.height}" fill="#fff"/>
<text x="${LEFT}" y="28" font-size="16" font-weight="600">${escapeXml(title)}</text>
<text x="${LEFT}" y="46">Milliseconds on a logarithmic axis; height is the share of (migrations x flows) in a class. Dashed: p50 and p99 of the last series named.</text>
${body.join('\n')}
</svg>
`;
}

function listPanels(seen: Seen, { binding, kept }: { binding: Binding; kept: Strategy }): [Panel, Panel] | undefined {
  const of = (strategy: Strategy) =>
    seen.migrations.filter((one) => one.binding === binding && one.strategy === strategy);
  const own = of(kept);
  if (own.length === 0) return undefined;
  const noise = seen.noise.filter((one) => one.binding === binding).map(({ gapMs }) => gapMs);
  const beyond = (strategy: Strategy): number[] =>
    of(strategy).flatMap((one) => takeOffNoise(one, seen.noise).map(({ beyondMs }) => beyondMs));
  const down = own.flatMap((one) => one.flows.map(({ coldMs = 0 }) => one.pausedMs + coldMs));
  const other = kept === 'gate' ? 'rarp' : 'gate';
  const compared = beyond(other);
  return [
    {
      title: `${binding}: gap, and what the guest and the noise explain`,
      series: [
        { label: 'without migration', colour: '#7f8c8d', values: noise },
        { label: "guest's own downtime", colour: '#2a9d55', values: down },
        { label: 'gap', colour: '#1f77b4', values: own.flatMap((one) => one.flows.map(({ gapMs }) => gapMs)) },
      ],
    },
    {
      title: `${binding}: beyond downtime and noise`,
      series: [
        ...(compared.length === 0 ? [] : [{ label: other, colour: '#e08e0b', values: compared }]),
        { label: kept, colour: '#c0392b', values: beyond(kept) },
      ],
    },
  ];
}

function formatPanel({ title, series }: Panel): string {
  const filled = series.filter(({ values }) => values.length > 0);
  const highest = Math.max(0.05, ...filled.flatMap(({ values }) => countShares(values, EDGES)));
  const scale = Math.min(1, Math.ceil(highest * 10) / 10);
  const last = filled.at(-1);
  return [
    `<text y="-12" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    formatAxes(scale),
    ...filled.map((one) => formatSeries(one, scale)),
    ...(last === undefined ? [] : [formatMarks(last)]),
    ...filled.map(formatLegend),
  ].join('');
}

function formatAxes(scale: number): string {
  const columns = TICKS.map(
    (ms) =>
      `<line x1="${x(ms).toFixed(1)}" x2="${x(ms).toFixed(1)}" y1="0" y2="${HEIGHT}" stroke="#e8edf1"/><text x="${x(ms).toFixed(1)}" y="${HEIGHT + 15}" text-anchor="middle">${ms}</text>`,
  );
  const rows = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = y(part).toFixed(1);
    return `<line x1="0" x2="${WIDTH}" y1="${at}" y2="${at}" stroke="#e8edf1"/><text x="-6" y="${Number(at) + 4}" text-anchor="end">${Math.round(part * scale * 100)}%</text>`;
  });
  return `${columns.join('')}${rows.join('')}<text x="${WIDTH}" y="${HEIGHT + 30}" text-anchor="end">ms</text><rect width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#93a0aa"/>`;
}

function formatSeries({ values, colour }: Series, scale: number): string {
  const steps = countShares(values, EDGES).flatMap((share, index) => {
    const [from, to] = [EDGES[index] ?? LOW, EDGES[index + 1] ?? HIGH];
    const height = y(share / scale).toFixed(1);
    return [`${x(from).toFixed(1)},${height}`, `${x(to).toFixed(1)},${height}`];
  });
  const points = [`0,${HEIGHT}`, ...steps, `${WIDTH},${HEIGHT}`].join(' ');
  return `<polygon points="${points}" fill="${colour}" fill-opacity="0.18" stroke="${colour}" stroke-width="1.6"/>`;
}

function formatMarks({ values, colour }: Series): string {
  return [0.5, 0.99]
    .map((share) => {
      const at = x(findPercentile(values, share)).toFixed(1);
      return `<line x1="${at}" x2="${at}" y1="0" y2="${HEIGHT}" stroke="${colour}" stroke-dasharray="4 3"/>`;
    })
    .join('');
}

function formatLegend({ label, colour, values }: Series, index: number): string {
  const [p50, p99] = [0.5, 0.99].map((share) => round(findPercentile(values, share), 1));
  const top = HEIGHT + 34 + index * 16;
  const text = `${label}: p50 ${p50} ms, p99 ${p99} ms (n ${values.length})`;
  return `<rect x="0" y="${top - 9}" width="10" height="10" fill="${colour}"/><text x="16" y="${top}">${escapeXml(text)}</text>`;
}
