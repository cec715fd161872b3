import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases/index.ts';
import { asObject, parseJson } from './expect.ts';
import type { Kind, Plugin, Tools } from './model.ts';
import { formatGiven } from './plugins/given.ts';
import { listMooring } from './plugins/mooring.ts';
import { listReferences } from './plugins/reference.ts';
import { ensureTools } from './plugins/tools.ts';
import { type Comparison, countVerdicts, formatJson, formatMarkdown, formatText, replaceTable } from './report.ts';
import { type PluginReport, runSuite } from './suite.ts';

const HELP = `test/conformance: one suite for any CNI plugin, and how plugins compare

Usage: make conformance [CONFORMANCE_FLAGS="..."]
       node test/conformance/run.ts [options]

  --plugins LIST  of mooring, bridge, macvlan, and as IPAM plugins: mooring as IPAM, host-local (default: all)
  --binary FILE   another plugin beside them, or alone with --plugins ''
  --config FILE   its configuration, one plugin's (JSON, no cniVersion); it finds an uplink up0 on its node
  --name NAME     what it is called in the table (default: the file's name)
  --path DIRS     its CNI_PATH (default: the file's folder)
  --args TEXT     its CNI_ARGS
  --only TEXT     cases whose id contains it, such as del/ or check/lost
  --docs          write the table into docs/cni-conformance.md
  --verbose       tell each verdict when it is known
  --help

Needs root: each plugin works on a node of its own, which is a network namespace. Prints the comparison and writes it to
out/conformance/ as JSON and markdown. Exits with 1 when mooring fails a case that is no known difference.
`;

const ROOT = resolve(import.meta.dirname, '../..');
const OUT = join(ROOT, 'out/conformance');
const DOCUMENT = join(ROOT, 'docs/cni-conformance.md');
const KINDS: readonly Kind[] = ['interface', 'ipam'];

const OPTIONS = {
  plugins: { type: 'string', default: 'mooring,bridge,macvlan,mooring as IPAM,host-local' },
  binary: { type: 'string' },
  config: { type: 'string' },
  name: { type: 'string' },
  path: { type: 'string' },
  args: { type: 'string' },
  only: { type: 'string', default: '' },
  docs: { type: 'boolean', default: false },
  verbose: { type: 'boolean', short: 'v', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

type Values = ReturnType<typeof parse>;

function parse() {
  return parseArgs({ options: OPTIONS, strict: true }).values;
}

async function listPlugins(values: Values): Promise<Plugin[]> {
  const tools = await ensureTools(process.env);
  const known = [...listMooring(tools), ...listReferences(tools)];
  const wanted = values.plugins.split(',').filter((name) => name !== '');
  const unknown = wanted.filter((name) => !known.some((plugin) => plugin.name === name));
  if (unknown.length > 0) throw new Error(`--plugins: there is no ${unknown.join(', ')}`);
  return [...known.filter(({ name }) => wanted.includes(name)), ...listGiven(values, tools)];
}

function listGiven({ binary, config, name, path, args }: Values, tools: Tools): Plugin[] {
  if (binary === undefined) return [];
  if (config === undefined) throw new Error('--binary needs --config');
  const fields = asObject(parseJson(readFileSync(config, 'utf8')));
  if (fields === undefined) throw new Error(`--config: ${config} holds no JSON object`);
  const more = { ...(path === undefined ? {} : { path }), ...(args === undefined ? {} : { args }) };
  return [formatGiven({ name: name ?? basename(binary), tools, binary: resolve(binary), config: fields, ...more })];
}

async function main(): Promise<number> {
  const values = parse();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.docs && values.only !== '') throw new Error('--docs needs all cases');
  const plugins = await listPlugins(values);
  const comparisons: Comparison[] = [];
  for (const kind of KINDS) {
    const such = plugins.filter((plugin) => plugin.kind === kind);
    if (such.length > 0) comparisons.push(await compare(values, kind, such));
  }
  const document = comparisons.map(formatMarkdown).join('\n');
  mkdirSync(OUT, { recursive: true });
  writeFileSync(join(OUT, 'conformance.json'), formatJson(comparisons));
  writeFileSync(join(OUT, 'conformance.md'), document);
  if (values.docs) writeFileSync(DOCUMENT, replaceTable(readFileSync(DOCUMENT, 'utf8'), document));
  const ours = comparisons.flatMap(({ reports }) => reports.filter(({ name }) => name.startsWith('mooring')));
  return ours.some((report) => countVerdicts(report).fail > 0) ? 1 : 0;
}

async function compare(values: Values, kind: Kind, plugins: readonly Plugin[]): Promise<Comparison> {
  const cases = CASES[kind].filter(({ id }) => id.includes(values.only));
  const reports: PluginReport[] = [];
  for (const plugin of plugins) {
    process.stderr.write(`${plugin.name} …\n`);
    reports.push(await runSuite(plugin, { cases, ...(values.verbose ? { tell } : {}) }));
  }
  const comparison = { kind, cases, reports };
  process.stdout.write(`${formatText(comparison)}\n`);
  return comparison;
}

type Told = Parameters<NonNullable<Parameters<typeof runSuite>[1]['tell']>>[0];

function tell({ plugin, id, version, verdict }: Told): void {
  process.stderr.write(`${plugin} ${version} ${id}: ${verdict.outcome} ${verdict.reason ?? ''}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
