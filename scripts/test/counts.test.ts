import { describe, expect, it } from 'vitest';
import { addCounts, countReport, formatCounts, NO_COUNTS } from './counts.ts';

describe('countReport', () => {
  it.each([
    ['all passed', { numPassedTests: 3 }, 0, { passed: 3, failed: 0, skipped: 0 }],
    [
      'some failed and skipped',
      { numPassedTests: 1, numFailedTests: 2, numPendingTests: 3, numTodoTests: 1 },
      1,
      { passed: 1, failed: 2, skipped: 4 },
    ],
    [
      'a file that does not load',
      { testResults: [{ status: 'failed', assertionResults: [] }] },
      1,
      { passed: 0, failed: 1, skipped: 0 },
    ],
    ['an unhandled error although every test passed', { numPassedTests: 5 }, 1, { passed: 5, failed: 1, skipped: 0 }],
  ])('%s', (_name, report, code, expected) => {
    expect(countReport(report, code)).toEqual(expected);
  });
});

it('adds and formats the closing line', () => {
  expect(formatCounts(addCounts(NO_COUNTS, { passed: 2, failed: 1, skipped: 0 }))).toBe(
    '2 passed, 1 failed, 0 skipped',
  );
});
