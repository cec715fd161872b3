import { relative } from 'node:path';

/** What is read of a vitest JSON report (Jest's form, vitest's `json` reporter). */
type Report = {
  readonly testResults?: readonly {
    readonly name?: string;
    readonly status?: string;
    readonly message?: string;
    readonly assertionResults?: readonly {
      readonly fullName?: string;
      readonly status?: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
};

/** Longer first lines are cut: a failure is one line of the summary. */
const LONGEST = 300;
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/**
 * One line for each test that failed, and for each file that did not load: file (from `root`), test, and how each of its
 * tries ended. They stand at the end of a run, where a log that is cut still has them.
 */
export function listFailures(report: Report, root: string): string[] {
  return (report.testResults ?? []).flatMap((file) => {
    const name = relative(root, file.name ?? '?');
    const tests = file.assertionResults ?? [];
    if (file.status === 'failed' && tests.length === 0) return [`${name}: ${firstLine(file.message ?? '')}`];
    return tests
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => {
        const tries = (failureMessages ?? []).map(firstLine).join(' | then: ');
        return `${name} > ${fullName ?? '?'}: ${tries}`;
      });
  });
}

function firstLine(message: string): string {
  const [line = ''] = message.replaceAll(COLOURS, '').trim().split('\n');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
