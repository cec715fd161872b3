import { resolve } from 'node:path';
import { HELP, type LabArguments, parseArguments, UsageError } from './arguments.ts';
import { removeLab } from './down.ts';
import { findNodes, findProblems } from './health.ts';
import { withLock } from './lock.ts';
import { isAlive, listProcesses } from './process.ts';
import { createProgress, LabError, type Progress } from './progress.ts';
import { findCacheDir, findStateDir, type LabState, LabStateError, loadState } from './state.ts';
import { bringUp, refreshImages } from './up.ts';

const LOCK = '/run/mooring-lab.lock';
const checkout = resolve(import.meta.dirname, '../..');

function formatUsage(lab: LabState): string {
  return `
The lab is up. Use it with

  export KUBECONFIG=${lab.adminKubeconfig}
  ${lab.bin.kubectl} get nodes -o wide
  ${lab.bin.helm} list -A

Logs: ${lab.dir}/log. End it with \`make lab-down\`.
`;
}

async function up(args: LabArguments, dir: string, progress: Progress): Promise<number> {
  const cache = findCacheDir(process.env);
  const plan = { dir, cache, checkout, kubevirt: args.kubevirt, nodes: args.nodes };
  const lab = await withLock(LOCK, 1_800_000, () => bringUp(plan, progress));
  console.log(formatUsage(lab));
  return 0;
}

async function down(dir: string, progress: Progress): Promise<number> {
  await withLock(LOCK, 60_000, () => removeLab(dir));
  progress.say('nothing of the lab is left');
  return 0;
}

async function status(dir: string): Promise<number> {
  const lab = loadState(dir);
  for (const record of listProcesses(dir)) {
    console.log(`${isAlive(record) ? 'runs ' : 'ENDED'} ${String(record.pid).padStart(7)} ${record.name}`);
  }
  const problems = await findProblems(lab);
  for (const problem of problems) console.log(`problem: ${problem.text}`);
  if (problems.length > 0) return 1;
  for (const [name, health] of await findNodes(lab)) console.log(`${name}: ${health}`);
  console.log(formatUsage(lab));
  return 0;
}

async function images(dir: string, progress: Progress): Promise<number> {
  await withLock(LOCK, 600_000, () => refreshImages(loadState(dir), checkout, progress));
  return 0;
}

async function run(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv);
  const dir = findStateDir(process.env);
  const progress = createProgress(
    (line) => console.log(line),
    () => performance.now(),
  );
  switch (args.verb) {
    case 'up':
      return up(args, dir, progress);
    case 'down':
      return down(dir, progress);
    case 'status':
      return status(dir);
    case 'images':
      return images(dir, progress);
    case 'kubeconfig':
      console.log(loadState(dir).adminKubeconfig);
      return 0;
    case 'help':
      console.log(HELP);
      return 0;
  }
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP}`);
    return 2;
  }
  const expected = error instanceof LabError || error instanceof LabStateError;
  console.error(expected ? error.message : error);
  return 1;
}

if (import.meta.main) process.exitCode = await run(process.argv.slice(2)).catch(report);
