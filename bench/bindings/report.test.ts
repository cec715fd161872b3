import { describe, expect, it } from 'vitest';
import type { Row } from './figures.ts';
import { planCases } from './plan.ts';
import { formatMarkdown, formatTable, listMissing, type Report } from './report.ts';

const rowsOf = (binding: Row['binding']): Row[] =>
  planCases(binding).map((one, at) => ({
    ...one,
    latencyUs: { p50: 400 + at, p99: 1250 },
    throughputMbit: 99.6,
    throughputRangeMbit: [90, 110],
    requests: 600,
    lost: at,
  }));

const report: Report = {
  machine: { cores: 2, kernel: '6.1', guests: 'guests are emulated', datapath: 'packets pass through OVS', nodes: 3 },
  effort: { rounds: 3, requests: 200, seconds: 2 },
  rows: [...rowsOf('masquerade'), ...rowsOf('pod')],
  failures: [],
};

describe('the table', () => {
  it('has the baseline first, whatever came first, and every figure with its unit', () => {
    const lines = formatTable(report.rows).split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[1]).toMatch(/^pod +podToPod +sameNode +400 us +1250 us +99.6 Mbit\/s +90..110 +0\/600$/);
    expect(lines[6]).toMatch(/^masquerade +guestToGuest +twoNodes +403 us/);
  });
});

describe('what is missing', () => {
  it('is nothing when every row is there', () => {
    expect(listMissing(['pod', 'masquerade'], report.rows)).toEqual([]);
  });

  it('is each row that was asked for and has not come', () => {
    expect(listMissing(['pod', 'macvlanPod'], rowsOf('pod').slice(1))).toEqual([
      'pod podToPod sameNode',
      'macvlanPod podToPod sameNode',
      'macvlanPod podToPod twoNodes',
    ]);
  });
});

describe('the part of the document', () => {
  const lines = formatMarkdown(report).split('\n');

  it('says what machine it was', () => {
    expect(lines.join(' ')).toContain('a machine with two cores that plays all three nodes: guests are emulated');
    for (const line of lines.slice(0, 4)) expect(line.length).toBeLessThanOrEqual(125);
    expect(lines.join(' ')).toContain(
      'p50 and p99 of 600; throughput is one TCP connection, the middle of three times two seconds',
    );
  });

  it('has both placements in a line for each binding and path', () => {
    expect(lines).toContain('| no guest: pod | pod to pod | 0.40, 1.25 ms | 100 Mbit/s | 0.40, 1.25 ms | 100 Mbit/s |');
    expect(lines.filter((line) => line.startsWith('| `masquerade`'))).toHaveLength(2);
  });

  it('has a dash for a placement that failed', () => {
    const text = formatMarkdown({ ...report, rows: rowsOf('pod').slice(1) });
    expect(text).toContain('| no guest: pod | pod to pod | – | – | 0.40, 1.25 ms | 100 Mbit/s |');
  });

  it('has as many cells in each line as in the head', () => {
    const counts = lines.filter((line) => line.startsWith('|')).map((line) => line.split('|').length);
    expect(new Set(counts)).toEqual(new Set([8]));
  });
});
