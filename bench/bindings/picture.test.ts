import { describe, expect, it } from 'vitest';
import type { Row } from './figures.ts';
import { formatPicture } from './picture.ts';
import { planCases } from './plan.ts';

const rowsOf = (binding: Row['binding'], mbit: number): Row[] =>
  planCases(binding).map((one) => ({
    ...one,
    latencyUs: { p50: 500, p99: 1000 },
    throughputMbit: mbit,
    throughputRangeMbit: [mbit / 2, mbit],
    requests: 600,
    lost: 0,
  }));

const draw = (rows: readonly Row[]): string =>
  formatPicture({
    machine: { cores: 2, kernel: '6.1', guests: 'guests <emulated>', datapath: 'OVS', nodes: 3 },
    effort: { rounds: 3, requests: 200, seconds: 2 },
    rows,
    failures: [],
  });

describe('the picture', () => {
  const svg = draw([...rowsOf('bridge', 100), ...rowsOf('pod', 4000), ...rowsOf('macvtap', 50)]);

  it('has a bar for each row in both columns', () => {
    expect(svg.match(/class="bar"/g)).toHaveLength(2 * (2 + 4 + 4));
  });

  it('gives the fastest of each group the whole width, and the others their share', () => {
    const widths = [...svg.matchAll(/class="bar" x="637" y="[\d.]+" width="([\d.]+)"/g)].map(([, width]) => width);
    expect(widths.slice(0, 4)).toEqual(['300.0', '300.0', '300.0', '150.0']);
  });

  it('cuts a line that would leave nothing to see of the bars', () => {
    const [row, ...others] = rowsOf('bridge', 100);
    const slow = row === undefined ? [] : [{ ...row, latencyUs: { p50: 500, p99: 90_000 } }];
    const cut = draw([...slow, ...others]);
    expect(cut).toContain('<rect class="bar" x="132" y="106" width="75.0"');
    expect(cut).toContain('<line x1="207.0" x2="432.0"');
    expect(cut).toContain('0.50 / 90.00 ms');
  });

  it('says what machine it was, with nothing left unescaped', () => {
    expect(svg).toContain('2 cores for 3 nodes; guests &lt;emulated&gt;; OVS');
    expect(svg).not.toContain('NaN');
  });

  it('is there when nothing could be measured', () => {
    expect(draw([])).toContain('</svg>');
  });
});
