import { summariseProbes } from './analyse.ts';
import type { Timeline } from './migrations.ts';
import { formatTables, type Report } from './report.ts';

const WIDTH = 1000;
const HEIGHT = 210;
const TOP = 60;
/** Labels of marks that follow each other closely take turns on so many rows. */
const LABEL_ROWS = 4;

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** One migration: each probe a dot at its round-trip time (log scale), lost ones red below, phases as lines. */
export function formatTimeline(timeline: Timeline): string {
  const start = timeline.probes[0]?.sent ?? 0;
  const end = timeline.probes.at(-1)?.sent ?? start + 1;
  const x = (at: number): number => Math.max(0, Math.min(WIDTH, ((at - start) / Math.max(1, end - start)) * WIDTH));
  const y = (rtt: number): number =>
    TOP + (HEIGHT - TOP - 24) * (1 - Math.min(1, Math.log10(Math.max(0.1, rtt) * 10) / 5));
  const dots = timeline.probes.map((probe) =>
    probe.received === undefined
      ? `<rect x="${x(probe.sent).toFixed(1)}" y="${HEIGHT - 14}" width="1.5" height="10" class="lost"/>`
      : `<circle cx="${x(probe.sent).toFixed(1)}" cy="${y(probe.received - probe.sent).toFixed(1)}" r="1.3"/>`,
  );
  const marks = timeline.marks.map(({ at, label }, index) => {
    const left = x(at).toFixed(1);
    return `<line x1="${left}" x2="${left}" y1="${TOP - 6}" y2="${HEIGHT}"/><text x="${left}" y="${10 + (index % LABEL_ROWS) * 12}">${escapeHtml(label)}</text>`;
  });
  const grid = [1, 10, 100, 1000].map(
    (ms) =>
      `<line class="grid" x1="0" x2="${WIDTH}" y1="${y(ms)}" y2="${y(ms)}"/><text class="axis" x="${WIDTH + 4}" y="${y(ms) + 4}">${ms} ms</text>`,
  );
  const { sent, lost, longestGapMs, gapStart } = summariseProbes(timeline.probes);
  const gap = `<rect class="gap" x="${x(gapStart).toFixed(1)}" width="${Math.max(1, x(gapStart + longestGapMs) - x(gapStart)).toFixed(1)}" y="${TOP}" height="${HEIGHT - TOP}"/>`;
  const caption = `${timeline.name}: ${sent} probes, ${lost} lost, longest gap ${longestGapMs} ms; TCP ${timeline.stream.error ?? `kept, ${timeline.stream.echoedLines} lines`}`;
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption><svg viewBox="0 0 ${WIDTH + 60} ${HEIGHT}">${gap}${grid.join('')}${dots.join('')}${marks.join('')}</svg></figure>`;
}

/** `out/demo/report.html`: the tables and a timeline per migration, in one file without anything from elsewhere. */
export function formatHtml(report: Report, timelines: readonly Timeline[]): string {
  const verdict = report.broken.length === 0 ? 'Every promise held.' : `Broken: ${report.broken.join('; ')}`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Mooring: demo report</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1d2b36}
pre{background:#f4f6f8;padding:1rem;overflow:auto;border-radius:6px}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;background:#fbfcfd;border:1px solid #dde3e8}
circle{fill:#1f77b4}.lost{fill:#d62728}.gap{fill:#ffd9b3}line{stroke:#8895a0;stroke-width:.8}.grid{stroke:#e4e9ed}
text{font-size:10px;fill:#51606c}.axis{fill:#93a0aa}
</style>
<h1>Mooring: demo report</h1>
<p>${escapeHtml(verdict)} Kubernetes ${escapeHtml(report.cluster.kubernetes)}, OVN ${escapeHtml(report.cluster.ovn)}, ${report.cluster.nodes} nodes.</p>
<pre>${escapeHtml(formatTables(report))}</pre>
<h2>Live migrations</h2>
<p>Each dot is a UDP probe sent every 10 ms from a third node, at its round-trip time; red marks are probes without an answer; the shaded part is the longest silence.</p>
${timelines.map(formatTimeline).join('\n')}
</html>
`;
}
