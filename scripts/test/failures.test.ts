import { expect, it } from 'vitest';
import { listFailures } from './failures.ts';

const ROOT = '/project';

it('names each failed test in one line, with how each try ended', () => {
  const report = {
    testResults: [
      {
        name: '/project/test/lab/a.lab.test.ts',
        status: 'failed',
        assertionResults: [
          { fullName: 'a guest answers', status: 'passed', failureMessages: [] },
          {
            fullName: 'a guest moves',
            status: 'failed',
            failureMessages: [
              'Error: first did not happen\n    at somewhere',
              '\u001b[31mError: second\u001b[39m\n    at elsewhere',
            ],
          },
        ],
      },
    ],
  };
  expect(listFailures(report, ROOT)).toEqual([
    'test/lab/a.lab.test.ts > a guest moves: Error: first did not happen | then: Error: second',
  ]);
});

it('names a file that did not load', () => {
  const report = {
    testResults: [
      { name: '/project/src/b.test.ts', status: 'failed', message: 'no such module\nmore', assertionResults: [] },
    ],
  };
  expect(listFailures(report, ROOT)).toEqual(['src/b.test.ts: no such module']);
});

it('keeps one line per failure when a message is very long or missing', () => {
  const report = {
    testResults: [
      {
        name: '/project/c.test.ts',
        status: 'failed',
        assertionResults: [
          { fullName: 'long', status: 'failed', failureMessages: ['x'.repeat(1000)] },
          { fullName: 'silent', status: 'failed', failureMessages: null },
        ],
      },
    ],
  };
  const [long = '', silent] = listFailures(report, ROOT);
  expect(long.length).toBeLessThan(400);
  expect(silent).toBe('c.test.ts > silent: ');
});

it('says nothing of a run in which all passed', () => {
  expect(listFailures({}, ROOT)).toEqual([]);
  expect(listFailures({ testResults: [{ name: '/project/d.test.ts', status: 'passed' }] }, ROOT)).toEqual([]);
});
