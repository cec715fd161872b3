import { describe, expect, test } from 'vitest';
import { CASES } from './cases/index.ts';
import type { Case, Kind, Verdict, Version } from './model.ts';
import { listMooring } from './plugins/mooring.ts';
import {
  type Comparison,
  countVerdicts,
  formatJson,
  formatMarkdown,
  formatText,
  replaceTable,
  summarise,
} from './report.ts';
import { listRuns, type PluginReport, settle } from './suite.ts';

const pass: Verdict = { outcome: 'pass' };
const fail: Verdict = { outcome: 'fail', reason: 'no | answer of conformance-123-4' };
const none: Verdict = { outcome: 'n/a', reason: 'nothing to see' };

const one = (id: string): Case => ({
  ...{ id, title: `what ${id} asks`, source: '§2 ADD', level: 'MUST', versions: ['1.0.0', '1.1.0'] },
  run: async () => undefined,
});
const report = (name: string, verdicts: Record<string, Partial<Record<Version, Verdict>>>): PluginReport => {
  return { name, kind: 'interface', verdicts };
};
const COMPARISON: Comparison = {
  kind: 'interface',
  cases: [one('add/a'), one('add/b')],
  reports: [
    report('ours', { 'add/a': { '1.0.0': pass, '1.1.0': pass }, 'add/b': { '1.0.0': none, '1.1.0': pass } }),
    report('other', { 'add/a': { '1.0.0': pass, '1.1.0': fail } }),
  ],
};

describe('a cell', () => {
  test.each([
    ['pass everywhere', { '1.0.0': pass, '1.1.0': pass }, { outcome: 'pass', versions: [] }],
    ['a failure in one version', { '1.0.0': pass, '1.1.0': fail }, { outcome: 'fail', versions: ['1.1.0'] }],
    ['a failure everywhere', { '1.0.0': fail, '1.1.0': fail }, { outcome: 'fail', versions: [] }],
    ['a pass where it applies', { '1.0.0': none, '1.1.0': pass }, { outcome: 'pass', versions: ['1.1.0'] }],
    ['nothing that applies', { '1.0.0': none }, { outcome: 'n/a', versions: [] }],
  ] as const)('of %s', (_cause, verdicts, cell) => {
    expect(summarise(verdicts)).toMatchObject(cell);
  });

  test('of a case that did not run is empty', () => {
    expect(summarise(undefined)).toBeUndefined();
    expect(summarise({})).toBeUndefined();
  });
});

describe('a known difference', () => {
  const known = { id: 'add/a', reason: 'on purpose', says: 'no | answer' };
  test('takes the place of a failure, with its own reason', () => {
    expect(settle(fail, known)).toEqual({ outcome: 'known', reason: 'on purpose' });
    expect(settle(fail, undefined)).toBe(fail);
    expect(settle(none, known)).toBe(none);
  });

  test('covers no other failure of its case', () => {
    const other: Verdict = { outcome: 'fail', reason: 'ended by SIGKILL' };
    expect(settle(other, known)).toBe(other);
  });

  test('that is none any more is a failure', () => {
    expect(settle(pass, known)).toMatchObject({ outcome: 'fail' });
    expect(settle(pass, undefined)).toBe(pass);
  });
});

describe('the comparison', () => {
  test('counts each version of each case', () => {
    expect(COMPARISON.reports.map(countVerdicts)).toEqual([
      { pass: 3, fail: 0, known: 0, 'n/a': 1 },
      { pass: 1, fail: 1, known: 0, 'n/a': 0 },
    ]);
  });

  test('as text has a line for each case, and the reasons below', () => {
    const lines = formatText(COMPARISON).split('\n');
    expect(lines.slice(1, 4)).toEqual(['case   ours       other', 'add/a  pass       FAIL', 'add/b  pass']);
    expect(lines).toContain('other: add/a (1.1.0): FAIL: no | answer of conformance-123-4');
  });

  test('as markdown lets no reason end its cell, and shows no name that changes with each run', () => {
    const row = formatMarkdown(COMPARISON)
      .split('\n')
      .find((line) => line.includes('add/a'));
    expect(row).toBe(
      '| `add/a` what add/a asks | §2 ADD | MUST | pass | **fail** (1.1.0): no \\| answer of conformance-… |',
    );
  });

  test('as data has every verdict', () => {
    expect(JSON.parse(formatJson([COMPARISON]))).toMatchObject([
      {
        kind: 'interface',
        plugins: [
          { name: 'ours', pass: 3 },
          { name: 'other', fail: 1 },
        ],
        cases: [
          { id: 'add/a', results: { other: { '1.1.0': fail } } },
          { id: 'add/b', results: { other: {} } },
        ],
      },
    ]);
  });

  test('takes the place of an older one in the document', () => {
    const empty = replaceTable(`# T\n\n${replaceMarks()}\n`, 'one');
    expect(replaceTable(empty, 'two')).toBe(empty.replace('one', 'two'));
    expect(() => replaceTable('# T\n', 'one')).toThrow('the document has no lines');
  });
});

const replaceMarks = (): string =>
  '<!-- test/conformance: begin; written by make conformance CONFORMANCE_FLAGS=--docs -->\n<!-- test/conformance: end -->';

describe.each<Kind>(['interface', 'ipam'])('the list of cases for %s', (kind) => {
  const ids = CASES[kind].map(({ id }) => id);

  test('names each case once, in versions that follow from its verb', () => {
    expect(new Set(ids).size).toBe(ids.length);
    expect(CASES[kind].filter(({ versions }) => versions.length === 0)).toEqual([]);
    expect(listRuns(CASES[kind]).length).toBeGreaterThan(100);
  });

  test('has every case that a known difference names', () => {
    const plugin = listMooring({ plugins: '/nowhere', cnitool: '/nowhere/cnitool' }).find((one) => one.kind === kind);
    expect(plugin?.known.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });
});
