import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from '../test/lab/progress.ts';
import { planRounds, VICTIMS } from './chaos/plan.ts';
import { deriveReport, formatOutcome } from './chaos/report.ts';
import { type Outcome, runRounds } from './chaos/run.ts';
import { BINDINGS } from './migration/objects.ts';
import { openStage } from './migration/stage.ts';

const HELP = `bench/chaos: live migrations during each of which a program is killed

Usage: make bench NAME=chaos [BENCH_FLAGS="--count N --seed N"]

  --count N    migrations, over VMs with ${BINDINGS.join(', ')} (default: 50)
  --seed N     who is killed and when (default: 1); the same seed makes the same run

Killed with SIGKILL: ${VICTIMS.join(', ')}. Brings the lab up when it is not. Every VM must end reachable from three
nodes, on exactly one chassis, with its address and MAC; else the exit code is 1.
`;

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'out/bench');

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (![count, seed].every((number) => Number.isInteger(number) && number >= 0))
    throw new Error('--count and --seed are whole numbers');
  const { say } = createProgress(
    (line) => void process.stdout.write(`${line}\n`),
    () => performance.now(),
  );
  const outcomes: Outcome[] = [];
  let stopped: string | undefined;
  {
    await using stage = await openStage({ root: ROOT, env: process.env, bindings: BINDINGS, say });
    const rounds = planRounds({ count, seed, bindings: BINDINGS, nodes: stage.clients.length });
    const tell = (outcome: Outcome): void => {
      outcomes.push(outcome);
      say(`  ${formatOutcome(outcome)}`);
    };
    const interrupted = new Promise<never>((_, reject) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
    });
    await Promise.race([runRounds(stage, rounds, tell), interrupted]).catch((error: unknown) => {
      stopped = `the run ended early: ${error instanceof Error ? error.message : String(error)}`;
    });
  }
  return report(outcomes, { count, seed, stopped });
}

function report(
  outcomes: readonly Outcome[],
  { count, seed, stopped }: { count: number; seed: number; stopped: string | undefined },
): number {
  const figures = deriveReport(outcomes, { count, seed, stopped });
  mkdirSync(OUT, { recursive: true });
  writeFileSync(join(OUT, 'chaos.json'), `${JSON.stringify(figures, null, 2)}\n`);
  for (const violation of figures.violations) process.stdout.write(`VIOLATION ${violation}\n`);
  const { migrations, succeeded, failed } = figures;
  process.stdout.write(
    `\n${migrations} of ${count} migrations (seed ${seed}): ${succeeded} succeeded, ${failed} failed and went back; ` +
      `${figures.violations.length} violations\nwritten to out/bench/chaos.json\n`,
  );
  return figures.violations.length === 0 ? 0 : 1;
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`bench/chaos: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }),
);
