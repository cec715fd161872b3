import { describe, expect, it } from 'vitest';
import { findFaultTests, formatDocument, listProblems, parseIds } from './faults.ts';

describe('ids of faults', () => {
  it.each([
    ['F01 F02 seed %i: what happens', ['F01', 'F02']],
    ['F31: what happens', ['F31']],
    ['seam 1 seam 2 names', ['seam 1', 'seam 2']],
    ['K1, F36 made again', ['K1', 'F36']],
    ['what happens (F36)', []],
    ['F36', []],
    ['F3 what', []],
  ])('are what a name begins with: %s', (name, expected) => {
    expect(parseIds(name)).toEqual(expected);
  });

  it('are found in plain, tabular and wrapped tests of any kind', () => {
    const text = `
      it('F01 one', () => {});
      test.each(['a'])("F02 two's", () => {});
      it.each([
        ['F03 no name of a test'],
      ])('F04 four %s', () => {});
      it.concurrent.each([1, 2])(
        'F05 five',
        walk,
      );
      describe('K1 F06 six', () => {});
      it('seven (F07)', () => {});
    `;
    const found = findFaultTests('x.test.ts', text);
    expect(found.map(({ name }) => name)).toEqual(['F01 one', "F02 two's", 'F04 four %s', 'F05 five', 'K1 F06 six']);
    expect(found.at(-1)).toEqual({ file: 'x.test.ts', name: 'K1 F06 six', ids: ['K1', 'F06'] });
  });
});

describe('the list', () => {
  const faults = [
    { id: 'F01', what: 'one' },
    { id: 'F02', what: 'two', issue: 9 },
    { id: 'F03', what: 'three' },
  ];
  const tests = [
    { file: 'a.test.ts', name: 'F01 x', ids: ['F01'] },
    { file: 'a.test.ts', name: 'F99 y', ids: ['F99'] },
  ];

  it('names what is due and has no test, and what nobody knows', () => {
    expect(listProblems(faults, tests)).toEqual([
      'F03 (three): no test has a name that begins with this id',
      'a.test.ts: F99 is in no catalogue',
    ]);
  });

  it('says where each is tested, or who will', () => {
    const text = formatDocument(faults, tests);
    expect(text).toContain('| F01 | one | `a.test.ts`: F01 x |\n');
    expect(text).toContain('| F02 | two | issue 9 |\n');
  });
});
