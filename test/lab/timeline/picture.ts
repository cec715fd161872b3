import { type Probe, summariseProbes } from '../demo/analyse.ts';
import { LANES, type Mark } from './marks.ts';

/** One migration as it is drawn; times are ms since the epoch. */
export type Story = {
  readonly probes: readonly Probe[];
  readonly marks: readonly Mark[];
};
type Span = { readonly from: number; readonly to: number };

const WIDTH = 1000;
const LEFT = 92;
const RIGHT = 56;
const LANE = 46;
/** Labels that would cover each other take turns on so many rows. */
const ROWS = 3;
const ROW = 12;
const LABEL_CHARACTER = 5.2;
const PROBES = 110;
const AROUND_MS = 60;

/** Style of the pictures, for the page that shows them. */
export const STORY_STYLE = `circle{fill:#1f77b4}.lost{fill:#d62728}.gap{fill:#ffd9b3;opacity:.6}
svg line{stroke:#56708a;stroke-width:.8}svg .grid{stroke:#e4e9ed}svg text{font-size:10px;fill:#33424e}
svg .axis{fill:#93a0aa}svg .lane{font-weight:600;fill:#51606c}`;

const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** The whole migration, and below it the hand-over alone, where milliseconds count. */
export function formatStory(story: Story): string {
  const whole = findWhole(story);
  const detail = findHandOver(story);
  const parts = [formatPanel(story, whole), ...(detail === undefined ? [] : [formatPanel(story, detail)])];
  return parts.join('\n');
}

function findWhole({ probes, marks }: Story): Span {
  const times = [...marks.map(({ at }) => at), ...probes.map(({ sent }) => sent)];
  return { from: Math.min(...times), to: Math.max(...times) };
}

/** From before the guest stopped until its traffic and its port have settled. */
function findHandOver({ probes, marks }: Story): Span | undefined {
  const stopped = marks.find(({ lane }) => lane === 'guest')?.at;
  if (stopped === undefined) return undefined;
  const { gapStart, longestGapMs } = summariseProbes(probes);
  const ends = marks.filter(({ lane, at }) => at >= stopped && (lane === 'guest' || lane === 'Southbound'));
  const last = Math.max(stopped, ...ends.map(({ at }) => at).filter((at) => at < stopped + 2000));
  const gapEnd = gapStart < stopped + 500 && gapStart + longestGapMs > stopped ? gapStart + longestGapMs : stopped;
  return { from: stopped - AROUND_MS, to: Math.max(last, gapEnd) + AROUND_MS };
}

function formatPanel({ probes, marks }: Story, span: Span): string {
  const x = (at: number): number =>
    LEFT + ((at - span.from) / Math.max(1, span.to - span.from)) * (WIDTH - LEFT - RIGHT);
  const isInside = (at: number): boolean => at >= span.from && at <= span.to;
  const height = LANES.length * LANE + PROBES + 24;
  const lanes = LANES.map((lane, index) => {
    const own = marks.filter((mark) => mark.lane === lane && isInside(mark.at));
    return formatLane(lane, own, { x, top: index * LANE });
  });
  const packets = formatPackets(
    probes.filter(({ sent }) => isInside(sent)),
    { x, top: LANES.length * LANE },
  );
  const axis = formatAxis(span, { x, top: height - 12 });
  return `<svg viewBox="0 0 ${WIDTH} ${height}">${packets}${lanes.join('')}${axis}</svg>`;
}

type Place = { readonly x: (at: number) => number; readonly top: number };

function formatLane(lane: string, marks: readonly Mark[], { x, top }: Place): string {
  const ends: number[] = Array.from({ length: ROWS }, () => 0);
  const drawn = marks.map(({ at, label }) => {
    const left = x(at);
    const free = ends.findIndex((end) => end <= left);
    const row = free < 0 ? ends.indexOf(Math.min(...ends)) : free;
    ends[row] = left + label.length * LABEL_CHARACTER + 6;
    const y = top + 12 + row * ROW;
    return `<line x1="${left.toFixed(1)}" x2="${left.toFixed(1)}" y1="${top + 4}" y2="${top + LANE - 4}"/><text x="${(left + 2).toFixed(1)}" y="${y}">${escapeXml(label)}</text>`;
  });
  const rule = `<line class="grid" x1="0" x2="${WIDTH}" y1="${top + LANE}" y2="${top + LANE}"/>`;
  return `<text class="lane" x="2" y="${top + LANE / 2 + 3}">${lane}</text>${rule}${drawn.join('')}`;
}

/** Each probe a dot at its round-trip time, on a log scale; those without an answer red at the foot; the longest silence shaded. */
function formatPackets(probes: readonly Probe[], { x, top }: Place): string {
  const y = (rtt: number): number =>
    top + 8 + (PROBES - 24) * (1 - Math.min(1, Math.log10(Math.max(0.1, rtt) * 10) / 5));
  const dots = probes.map(({ sent, received }) =>
    received === undefined
      ? `<rect x="${x(sent).toFixed(1)}" y="${top + PROBES - 12}" width="1.5" height="8" class="lost"/>`
      : `<circle cx="${x(sent).toFixed(1)}" cy="${y(received - sent).toFixed(1)}" r="1.3"/>`,
  );
  const scale = [1, 10, 100, 1000].map(
    (ms) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(ms).toFixed(1)}" y2="${y(ms).toFixed(1)}"/><text class="axis" x="${WIDTH - RIGHT + 4}" y="${(y(ms) + 4).toFixed(1)}">${ms} ms</text>`,
  );
  const { gapStart, longestGapMs } = summariseProbes(probes);
  const [from, to] = [x(gapStart), x(gapStart + longestGapMs)];
  const gap =
    probes.length < 2
      ? ''
      : `<rect class="gap" x="${from.toFixed(1)}" width="${Math.max(1, Math.min(to, WIDTH - RIGHT) - from).toFixed(1)}" y="0" height="${top + PROBES}"/>`;
  return `${gap}<text class="lane" x="2" y="${top + PROBES / 2}">packets</text>${scale.join('')}${dots.join('')}`;
}

function formatAxis({ from, to }: Span, { x, top }: Place): string {
  const step =
    [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000].find((ms) => (to - from) / ms <= 12) ?? 60_000;
  const count = Math.floor((to - from) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const at = x(from + index * step);
    const label = step >= 1000 ? `${(index * step) / 1000} s` : `${index * step} ms`;
    return `<text class="axis" x="${at.toFixed(1)}" y="${top + 8}">${label}</text>`;
  });
  return ticks.join('');
}
