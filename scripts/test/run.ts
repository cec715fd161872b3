import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, env, exit, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { addCounts, type Counts, countReport, formatCounts, NO_COUNTS } from './counts.ts';

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

async function runCheck(commands: readonly string[][]): Promise<Counts> {
  let counts = NO_COUNTS;
  for (const command of commands) {
    const ok = (await run(command)) === 0;
    if (!ok) console.error(`failed: ${command.join(' ')}`);
    counts = addCounts(counts, ok ? { ...NO_COUNTS, passed: 1 } : { ...NO_COUNTS, failed: 1 });
  }
  return counts;
}

async function runProject(root: string, project: string): Promise<Counts> {
  const report = join(root, `out/test/${project}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(['vitest', 'run', '--project', project, ...reporters], `${project.padEnd(8)} | `);
  try {
    return countReport(JSON.parse(readFileSync(report, 'utf8')), code);
  } catch {
    console.error(`vitest wrote no report for ${project} (exit code ${code})`);
    return { ...NO_COUNTS, failed: 1 };
  }
}

/** One part after the other: side by side they starve the lab's guests on two cores. */
async function runParts(root: string, parts: readonly string[]): Promise<Counts> {
  let total = NO_COUNTS;
  for (const part of parts) {
    const since = performance.now();
    say(part);
    const commands = CHECKS[part];
    const counts = commands === undefined ? await runProject(root, part) : await runCheck(commands);
    say(`${part}: ${formatCounts(counts)} in ${elapsed(since)}`);
    total = addCounts(total, counts);
  }
  return total;
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
  const total = await runParts(root, wanted);
  console.log(formatCounts(total));
  return total.failed === 0 ? 0 : 1;
}

const root = resolve(import.meta.dirname, '../..');
env.PATH = `${join(root, 'node_modules/.bin')}:${env.PATH ?? ''}`;
process.chdir(root);
exit(await main(root));
