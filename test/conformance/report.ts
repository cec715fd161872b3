import { type Case, type Kind, VERSIONS, type Verdict, type Version } from './model.ts';
import type { PluginReport } from './suite.ts';

/** One cell of the table: a case and a plugin, all versions together. */
export type Cell = {
  readonly outcome: Verdict['outcome'];
  /** Where it did not pass, if that is not everywhere. */
  readonly versions: readonly Version[];
  readonly reason?: string;
};

type Verdicts = Readonly<Partial<Record<Version, Verdict>>>;

/** From bad to good: a cell is as its worst version. */
const RANK: readonly Verdict['outcome'][] = ['fail', 'known', 'pass', 'n/a'];

/** Puts the versions of a case together; undefined when the case did not run. */
export function summarise(verdicts: Verdicts | undefined): Cell | undefined {
  const entries = VERSIONS.flatMap((version) => {
    const verdict = verdicts?.[version];
    return verdict === undefined ? [] : [{ version, verdict }];
  });
  const outcome = RANK.find((rank) => entries.some(({ verdict }) => verdict.outcome === rank));
  if (outcome === undefined) return undefined;
  const such = entries.filter(({ verdict }) => verdict.outcome === outcome);
  const versions = such.length === entries.length ? [] : such.map(({ version }) => version);
  const reason = such[0]?.verdict.reason;
  return { outcome, versions, ...(reason === undefined ? {} : { reason }) };
}

export type Counts = { readonly pass: number; readonly fail: number; readonly known: number; readonly 'n/a': number };

/** Verdicts of one plugin, each version of each case counted. */
export function countVerdicts({ verdicts }: PluginReport): Counts {
  const all = Object.values(verdicts).flatMap((versions) => Object.values(versions));
  const count = (outcome: Verdict['outcome']) => all.filter((verdict) => verdict.outcome === outcome).length;
  return { pass: count('pass'), fail: count('fail'), known: count('known'), 'n/a': count('n/a') };
}

/** Plugins of one kind beside each other. */
export type Comparison = {
  readonly kind: Kind;
  readonly cases: readonly Case[];
  readonly reports: readonly PluginReport[];
};

const TITLES: Readonly<Record<Kind, string>> = {
  interface: 'The plugin of an interface',
  ipam: 'The IPAM plugin of another one',
};

const WORDS = { pass: 'pass', fail: 'FAIL', known: 'differs', 'n/a': '-' } as const;

/** The comparison for a terminal: cases down, plugins across, then why not for each that did not pass. */
export function formatText({ kind, cases, reports }: Comparison): string {
  const width = Math.max(4, ...cases.map(({ id }) => id.length));
  const rows = cases.map(({ id }) => {
    const cells = reports.map((report) => summarise(report.verdicts[id]));
    return [id.padEnd(width), ...cells.map((cell, index) => formatWord(cell, reports[index]))];
  });
  const head = ['case'.padEnd(width), ...reports.map(({ name }) => name.padEnd(9))];
  const table = [head, ...rows].map((row) => row.join('  ').trimEnd());
  const reasons = reports.flatMap((report) => listReasons(cases, report));
  return `${[TITLES[kind], ...table, '', ...reasons, '', ...reports.map(formatCounts)].join('\n')}\n`;
}

/** As wide as the head of its column. */
function formatWord(cell: Cell | undefined, report: PluginReport | undefined): string {
  const word = cell === undefined ? '' : WORDS[cell.outcome];
  return word.padEnd(Math.max(9, report?.name.length ?? 0));
}

function listReasons(cases: readonly Case[], report: PluginReport): string[] {
  return cases.flatMap(({ id }) => {
    const cell = summarise(report.verdicts[id]);
    if (cell === undefined || cell.outcome === 'pass') return [];
    return [`${report.name}: ${id}${formatVersions(cell)}: ${WORDS[cell.outcome]}: ${cell.reason ?? ''}`];
  });
}

const formatVersions = ({ versions }: Cell): string => (versions.length === 0 ? '' : ` (${versions.join(', ')})`);

function formatCounts(report: PluginReport): string {
  const { pass, fail, known, 'n/a': rest } = countVerdicts(report);
  return `${report.name}: ${pass} passed, ${fail} failed, ${known} known differences, ${rest} not applicable`;
}

/** The comparison for the document. */
export function formatMarkdown({ kind, cases, reports }: Comparison): string {
  const names = reports.map(({ name }) => name);
  const totals = reports.map((report) => `- **${report.name}**: ${formatCounts(report).slice(report.name.length + 2)}`);
  const head = ['Case', 'Asked by', 'Level', ...names];
  const rows = cases.map(({ id, title, source, level }) => {
    const cells = reports.map((report) => formatCell(summarise(report.verdicts[id])));
    return [`\`${id}\` ${quote(title)}`, source, level, ...cells];
  });
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return `${[`## ${TITLES[kind]}`, '', ...totals, '', ...table].join('\n')}\n`;
}

function formatCell(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  if (cell.outcome === 'pass') return 'pass';
  const word = { fail: '**fail**', known: 'differs', 'n/a': 'n/a' }[cell.outcome];
  return `${word}${formatVersions(cell)}: ${quote(maskNumbers(cell.reason ?? ''))}`;
}

/** A reason quotes what a plugin said: nothing of it may end a cell. */
const quote = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ').replaceAll('<', '&lt;');

/** Names that differ from run to run. */
const maskNumbers = (text: string): string =>
  text.replace(/\b(mcf|mct|conformance)(-node)?-[\w-]+/g, '$1-…').replace(/\b(m|veth)[0-9a-f]{8,14}\b/g, '$1…');

/** All comparisons as data: each version of each case with its reason. */
export function formatJson(comparisons: readonly Comparison[]): string {
  return `${JSON.stringify(comparisons.map(describeComparison), undefined, 2)}\n`;
}

function describeComparison({ kind, cases, reports }: Comparison) {
  const rows = cases.map(({ id, title, source, level }) => {
    const results = Object.fromEntries(reports.map(({ name, verdicts }) => [name, verdicts[id] ?? {}]));
    return { id, title, source, level, results };
  });
  const plugins = reports.map((report) => ({ name: report.name, ...countVerdicts(report) }));
  return { kind, plugins, cases: rows };
}

const BEGIN = '<!-- test/conformance: begin; written by make conformance CONFORMANCE_FLAGS=--docs -->';
const END = '<!-- test/conformance: end -->';

/** The document with `part` between its marks. Throws when the marks are not there, in this order. */
export function replaceTable(document: string, part: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the document has no lines "${BEGIN}" and "${END}"`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${part.trim()}\n\n${document.slice(end)}`;
}
