import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, env, exit, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { addCounts, type Counts, countReport, formatCounts, NO_COUNTS } from './counts.ts';
import { listFailures } from './failures.ts';

const HELP = `Runs every check and every test, then prints "N passed, N failed, N skipped".

  node scripts/test/run.ts [--only lint,types,unit,protocol,lab]

Checks (lint, types) count as one test each. Reports of the tests: out/test/<project>.json`;

const CHECKS: Record<string, readonly string[][]> = {
  lint: [
    ['biome', 'check', '--error-on-warnings', '.'],
    ['oxlint', '--deny-warnings', 'src', 'scripts', 'test', 'bench'],
    ['node', 'scripts/lint/imports.ts'],
    ['node', 'scripts/lint/faults.ts'],
    ['node', 'scripts/codegen/crds.ts', '--check'],
    ['node', 'scripts/codegen/ovsdb.ts', '--check'],
    ['node', 'scripts/codegen/docs.ts', '--check'],
  ],
  types: [['tsc', '--noEmit']],
};
const PROJECTS = ['unit', 'protocol', 'lab'];

const elapsed = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const say = (text: string): void => {
  stdout.write(`\x1b[1m== ${text}\x1b[0m\n`);
};

/** Runs a command with its output shown, each line after `prefix`; resolves to its exit code. */
function run(command: readonly string[], prefix = ''): Promise<number> {
  const [file = '', ...args] = command;
  return new Promise((done) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => stdout.write(`${prefix}${line}\n`));
    }
    child.on('error', (error) => {
      console.error(`${file}: ${error.message}`);
      done(127);
    });
    child.on('close', (code) => done(code ?? 1));
  });
}

/** How a part ended, with a line for each failure. */
type Outcome = { readonly counts: Counts; readonly failures: readonly string[] };

async function runCheck(commands: readonly string[][]): Promise<Outcome> {
  const failures: string[] = [];
  for (const command of commands) if ((await run(command)) !== 0) failures.push(command.join(' '));
  const failed = failures.length;
  return { counts: { ...NO_COUNTS, passed: commands.length - failed, failed }, failures };
}

async function runProject(root: string, project: string): Promise<Outcome> {
  const report = join(root, `out/test/${project}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(['vitest', 'run', '--project', project, ...reporters], `${project.padEnd(8)} | `);
  try {
    const told = JSON.parse(readFileSync(report, 'utf8'));
    return { counts: countReport(told, code), failures: listFailures(told, root) };
  } catch {
    const failures = [`vitest wrote no report for ${project} (exit code ${code})`];
    return { counts: { ...NO_COUNTS, failed: 1 }, failures };
  }
}

/** One part after the other: side by side they starve the lab's guests on two cores. */
async function runParts(root: string, parts: readonly string[]): Promise<Outcome> {
  let total = NO_COUNTS;
  const all: string[] = [];
  for (const part of parts) {
    const since = performance.now();
    say(part);
    const commands = CHECKS[part];
    const { counts, failures } = commands === undefined ? await runProject(root, part) : await runCheck(commands);
    say(`${part}: ${formatCounts(counts)} in ${elapsed(since)}`);
    total = addCounts(total, counts);
    all.push(...failures.map((failure) => `FAILED ${part}: ${failure}`));
  }
  return { counts: total, failures: all };
}

async function main(root: string): Promise<number> {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { only: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const wanted = (values.only ?? [...Object.keys(CHECKS), ...PROJECTS].join(',')).split(',');
  const unknown = wanted.filter((part) => CHECKS[part] === undefined && !PROJECTS.includes(part));
  if (unknown.length > 0) {
    console.error(`--only knows ${[...Object.keys(CHECKS), ...PROJECTS].join(', ')}, not ${unknown.join(', ')}`);
    return 2;
  }
  mkdirSync(join(root, 'out/test'), { recursive: true });
  const { counts, failures } = await runParts(root, wanted);
  // At the very end, where also a log that is cut has them.
  for (const failure of failures) console.log(failure);
  console.log(formatCounts(counts));
  return counts.failed === 0 ? 0 : 1;
}

const root = resolve(import.meta.dirname, '../..');
env.PATH = `${join(root, 'node_modules/.bin')}:${env.PATH ?? ''}`;
process.chdir(root);
exit(await main(root));
