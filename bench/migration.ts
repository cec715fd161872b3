import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from '../test/lab/progress.ts';
import { type Block, planBlocks } from './migration/blocks.ts';
import { BINDINGS, type Binding } from './migration/objects.ts';
import { formatPicture } from './migration/picture.ts';
import { deriveReport, listBars } from './migration/report.ts';
import { runBlocks, type Seen } from './migration/run.ts';
import { openStage } from './migration/stage.ts';
import { type Strategy, setStrategy } from './migration/strategy.ts';
import { formatTable, judge } from './scale/report.ts';

const HELP = `bench/migration: what a live migration costs the guest's traffic, on the lab

Usage: make bench NAME=migration [BENCH_FLAGS="--count N"]

  --count N           live migrations, over all bindings (default: 200)
  --aborts N          further ones that are made to fail as they run (default: a tenth)
  --bindings LIST     of ${BINDINGS.join(',')} (default: all)
  --strategy WHICH    gate, rarp, or both: the gate, and a fifth as many with OVN's own strategy (default: both)
  --interval-us N     between two UDP probes from each of three nodes, IPv4 and IPv6 in turn (default: 3000, so that the
                      guest gets one each millisecond); each probe passes four programs, which is what two cores carry
  --seed N            order of the bindings (default: 1)

Brings the lab up when it is not; uses and leaves it when it is. Exits with 1 when a bar is missed.
`;

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'out/bench');

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    aborts: { type: 'string' },
    bindings: { type: 'string', default: BINDINGS.join() },
    strategy: { type: 'string', default: 'both' },
    seed: { type: 'string', default: '1' },
    'interval-us': { type: 'string', default: '3000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

type Settings = {
  readonly count: number;
  readonly seed: number;
  readonly intervalUs: number;
  readonly bindings: readonly Binding[];
  readonly kept: Strategy;
  readonly blocks: readonly Block[];
};

function parseNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`--${name} must be a whole number, not ${text}`);
  return number;
}

function parseBindings(text: string): Binding[] {
  return text.split(',').map((name) => {
    const found = BINDINGS.find((binding) => binding === name);
    if (found === undefined) throw new Error(`--bindings: there is no ${name}, only ${BINDINGS.join(', ')}`);
    return found;
  });
}

function parseSettings(): Settings {
  const count = parseNumber('count', values.count);
  const aborts = parseNumber('aborts', values.aborts ?? String(Math.ceil(count / 10)));
  const seed = parseNumber('seed', values.seed);
  const bindings = parseBindings(values.bindings);
  const turned = bindings.map(
    (_, index) => bindings[(index + seed - 1 + bindings.length) % bindings.length] ?? 'bridge',
  );
  const kept: Strategy = values.strategy === 'rarp' ? 'rarp' : 'gate';
  if (!['gate', 'rarp', 'both'].includes(values.strategy)) throw new Error('--strategy is gate, rarp or both');
  const strategies: [Strategy, ...Strategy[]] = values.strategy === 'both' ? ['gate', 'rarp'] : [kept];
  const intervalUs = parseNumber('interval-us', values['interval-us']);
  return {
    count,
    seed,
    intervalUs,
    bindings,
    kept,
    blocks: planBlocks({ count, aborts, bindings: turned, strategies }),
  };
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const settings = parseSettings();
  const { say } = createProgress(
    (line) => void process.stdout.write(`${line}\n`),
    () => performance.now(),
  );
  const seen: Seen = { migrations: [], noise: [], aborts: [], failures: [] };
  await measureAll(settings, seen, say);
  return tell(settings, seen);
}

/** Runs all blocks; whatever stops the run, what was seen until then is told. */
async function measureAll(settings: Settings, seen: Seen, say: (line: string) => void): Promise<void> {
  const { bindings, intervalUs } = settings;
  await using stage = await openStage({ root: ROOT, env: process.env, bindings, intervalUs, say });
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  });
  try {
    await Promise.race([runBlocks(stage, settings.blocks, seen), interrupted]);
  } catch (error) {
    seen.failures.push({ what: `the run ended early: ${error instanceof Error ? error.message : String(error)}` });
  } finally {
    if (settings.blocks.some(({ strategy }) => strategy !== 'gate')) await setStrategy(stage.context, 'gate');
  }
}

function tell({ count, bindings, seed, kept }: Settings, seen: Seen): number {
  mkdirSync(OUT, { recursive: true });
  const report = deriveReport(seen, { kept, seed });
  writeFileSync(join(OUT, 'migration.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(OUT, 'migration.svg'), formatPicture(seen, kept));
  const verdicts = judge(listBars(report, { count, bindings }));
  process.stdout.write(`\n${formatTable(verdicts)}\n\n`);
  for (const { what } of seen.failures) process.stdout.write(`FAILED ${what}\n`);
  process.stdout.write('written to out/bench/migration.json and out/bench/migration.svg\n');
  return verdicts.every(({ passed }) => passed) ? 0 : 1;
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`bench/migration: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }),
);
