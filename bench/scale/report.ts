/** One figure and what it must be. */
export type Bar = {
  readonly name: string;
  readonly value: number;
  /** The most that is allowed; undefined for a figure that is only shown. */
  readonly most?: number;
  readonly unit: string;
};

export type Verdict = Bar & { readonly passed: boolean };

/** Compares each figure with its bar. A figure that is no number has not been measured, which is no pass. */
export function judge(bars: readonly Bar[]): Verdict[] {
  return bars.map((bar) => ({ ...bar, passed: bar.most === undefined || bar.value <= bar.most }));
}

/** A table for people: figure, value, bar, verdict. */
export function formatTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ name, value, most, unit, passed }) => [
    name,
    `${formatNumber(value)} ${unit}`.trim(),
    most === undefined ? '' : `<= ${formatNumber(most)}`,
    most === undefined ? '' : passed ? 'ok' : 'MISSED',
  ]);
  const all = [['figure', 'value', 'bar', ''], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
}

/** The middle one; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
