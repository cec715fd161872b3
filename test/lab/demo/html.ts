import { formatStory, STORY_STYLE } from '../timeline/picture.ts';
import { summariseProbes } from './analyse.ts';
import type { Timeline } from './migrations.ts';
import { listTables, type Report, type ReportTable } from './report.ts';

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** One migration: who said what when, and the packets; below it the hand-over alone. */
export function formatTimeline(timeline: Timeline): string {
  const { sent, lost, longestGapMs } = summariseProbes(timeline.probes);
  const stream = timeline.stream.error ?? `kept, ${timeline.stream.echoedLines} lines`;
  const caption = `${timeline.name}: ${sent} probes, ${lost} lost, longest gap ${longestGapMs} ms; TCP ${stream}`;
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption>${formatStory(timeline)}</figure>`;
}

function formatTable({ title, head, lines }: ReportTable): string {
  const row = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}${cell === 'NO' || cell === 'LOST' ? ' class="no"' : ''}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  const rows = [row('th', head), ...lines.map((line) => row('td', line))].join('\n');
  return `<h2>${escapeHtml(title)}</h2>\n<table>${rows}</table>`;
}

/** `out/demo/report.html`: the tables and a timeline per migration, in one file without anything from elsewhere. */
export function formatHtml(report: Report, timelines: readonly Timeline[]): string {
  const verdict = report.broken.length === 0 ? 'Every promise held.' : `Broken: ${report.broken.join('; ')}`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Mooring: demo report</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1d2b36}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;background:#fbfcfd;border:1px solid #dde3e8}
table{border-collapse:collapse}th,td{border:1px solid #dde3e8;padding:.3rem .6rem;text-align:left}th{background:#f4f6f8}
.no{color:#c0392b;font-weight:600}
${STORY_STYLE}
</style>
<h1>Mooring: demo report</h1>
<p>${escapeHtml(verdict)} Kubernetes ${escapeHtml(report.cluster.kubernetes)}, OVN ${escapeHtml(report.cluster.ovn)}, ${report.cluster.nodes} nodes.</p>
${listTables(report).map(formatTable).join('\n')}
<h2>Each migration</h2>
<p>Lines say what KubeVirt, the LogicalPort, OVN's databases and the guest did and when; the second picture of each is the hand-over alone. Each dot is a UDP probe sent every 10 ms from a third node, at its round-trip time; red marks are probes without an answer; the shaded part is the longest silence.</p>
${timelines.map(formatTimeline).join('\n')}
</html>
`;
}
