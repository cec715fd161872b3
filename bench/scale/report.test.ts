import { describe, expect, it } from 'vitest';
import { type Bar, formatTable, judge } from './report.ts';

const bar = (value: number, most?: number): Bar => ({
  name: 'writes',
  value,
  unit: '',
  ...(most === undefined ? {} : { most }),
});

describe('judge', () => {
  it.each([
    { what: 'on the bar', value: 2, most: 2, passed: true },
    { what: 'above it', value: 2.01, most: 2, passed: false },
    { what: 'not measured', value: Number.NaN, most: 2, passed: false },
  ])('a figure $what', ({ value, most, passed }) => {
    expect(judge([bar(value, most)])[0]?.passed).toBe(passed);
  });

  it('passes a figure that has no bar', () => {
    expect(judge([bar(1e9)])[0]?.passed).toBe(true);
  });
});

describe('formatTable', () => {
  it('shows bar and verdict beside each figure, and neither where there is no bar', () => {
    const table = formatTable(judge([bar(3, 2), bar(1.234, 2), bar(17)]));
    expect(table.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['figure', 'value', 'bar'],
      ['writes', '3', '<= 2', 'MISSED'],
      ['writes', '1.23', '<= 2', 'ok'],
      ['writes', '17'],
    ]);
  });
});
