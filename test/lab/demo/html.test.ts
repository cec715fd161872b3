import { describe, expect, it } from 'vitest';
import { formatHtml, formatTimeline } from './html.ts';
import type { Timeline } from './migrations.ts';
import { findBroken, type Report } from './report.ts';

const timeline: Timeline = {
  name: 'm1',
  probes: [{ sent: 0, received: 2 }, { sent: 10 }, { sent: 20 }, { sent: 30, received: 33 }],
  marks: [{ at: 5, label: 'Running <now>' }],
  stream: { sentLines: 2, echoedLines: 2, longestStallMs: 31 },
};

const report: Report = {
  cluster: { kubernetes: 'v1', ovn: '25.03', nodes: 3 },
  connectivity: {
    podToPodSameNode: true,
    podToPodOtherNode: true,
    podToVm: true,
    vmToPod: true,
    podToOutside: true,
    nodeToPod: true,
  },
  restarts: ['a', 'b', 'c'].map((nodeAfter) => ({
    ...{ vm: 'vm', ipBefore: '10.16.0.9', ipAfter: '10.16.0.9', macBefore: '0a:00', macAfter: '0a:00' },
    ...{ nodeBefore: 'a', nodeAfter },
  })),
  migrations: Array.from({ length: 5 }, (_, index) => ({
    ...{ vm: 'vm', binding: 'bridge', from: 'a', to: 'b', sent: 100, lost: 1, longestGapMs: 90, qemuDowntimeMs: 5 },
    ...{ tcpSurvived: true, operatorKilled: index === 2 },
  })),
  released: { ip: '10.16.0.9', freed: true },
  timings: {
    setupSeconds: 1,
    labUpSeconds: 1,
    installSeconds: 1,
    totalSeconds: 1,
    cniAddMs: { n: 9, p50: 40, p99: 90 },
  },
  broken: [],
};

describe('the timeline of a migration', () => {
  it('shows each probe once, the lost ones apart, and shades the longest silence', () => {
    const svg = formatTimeline(timeline);
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg.match(/class="lost"/g)).toHaveLength(2);
    expect(svg.match(/class="gap"/g)).toHaveLength(1);
    expect(svg).toContain('4 probes, 2 lost, longest gap 31 ms; TCP kept, 2 lines');
  });

  it('escapes what comes from the cluster', () => {
    expect(formatTimeline(timeline)).toContain('Running &lt;now&gt;');
    expect(formatHtml({ ...report, broken: ['<script>'] }, [timeline])).not.toContain('<script>');
  });
});

describe('broken promises', () => {
  it('are none when every figure holds', () => expect(findBroken(report)).toEqual([]));

  it.each([
    ['no connection: podToVm', { connectivity: { ...report.connectivity, podToVm: false } }],
    ['only 2 restarts', { restarts: report.restarts.slice(1) }],
    ['no restart led to another node', { restarts: report.restarts.map((r) => ({ ...r, nodeAfter: 'a' })) }],
    [
      'vm came back as 10.16.0.8 0a:00, was 10.16.0.9 0a:00',
      { restarts: report.restarts.map((r, i) => (i === 1 ? { ...r, ipAfter: '10.16.0.8' } : r)) },
    ],
    ['fewer than 5 migrations of the bridge-bound VM', { migrations: report.migrations.slice(1) }],
    [
      "vm a -> b: 151 ms of silence beyond QEMU's downtime",
      { migrations: report.migrations.map((m, i) => (i === 1 ? { ...m, longestGapMs: 156 } : m)) },
    ],
    [
      'vm a -> b: the TCP stream did not survive',
      { migrations: report.migrations.map((m, i) => (i === 1 ? { ...m, tcpSurvived: false } : m)) },
    ],
    [
      'the operator was not killed during a migration',
      { migrations: report.migrations.map((m) => ({ ...m, operatorKilled: false })) },
    ],
    ['10.16.0.9 was not freed', { released: { ip: '10.16.0.9', freed: false } }],
    ['ADD p50 is 151 ms', { timings: { ...report.timings, cniAddMs: { n: 1, p50: 151, p99: 151 } } }],
  ])('%s', (sentence, change) => {
    expect(findBroken({ ...report, ...change })).toEqual([sentence]);
  });
});
