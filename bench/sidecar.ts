import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../scripts/build/bundle.ts';
import { collect } from '../src/launcher-hook/sidecar/testing/launcher.ts';
import { waitFor } from '../test/lab/command.ts';
import { findPercentile } from './migration/stats.ts';
import { formatTable, judge, round } from './scale/report.ts';

const HELP = `bench/sidecar: how long a launcher waits for the hook sidecar

Usage: make bench NAME=sidecar [BENCH_FLAGS="--count N"]

  --count N   starts of the program (default: 50)

From the start of the image's bundle to its first answer (Info) on its socket, one after the other. Exits with 1 when the bar
is missed.
`;

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'out/bench');
/** What a start of a virtual machine may be longer for it, in ms. */
const BAR_MS = 300;
const PATIENCE_MS = 10_000;

const { values } = parseArgs({
  options: { count: { type: 'string', default: '50' }, help: { type: 'boolean', short: 'h', default: false } },
});

/** Milliseconds from the start of the program to its first answer. */
async function measureStart(program: string, sockets: string): Promise<number> {
  const begun = performance.now();
  const flags = ['sidecar', '--configure-guest', '--directory', sockets, '--log-level', 'error'];
  const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'ignore', 'inherit'], env: {} });
  try {
    // It asks for Info, as the launcher does; a socket is there a moment before anybody listens on it.
    const answered = waitFor(() => collect(sockets).catch(() => undefined), PATIENCE_MS, 1);
    const launcher = await Promise.race([answered, failIfEnded(child)]);
    if (launcher === undefined) throw new Error(`the sidecar does not answer within ${PATIENCE_MS} ms`);
    const took = performance.now() - begun;
    launcher.close();
    return took;
  } finally {
    const gone = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await gone;
    for (const file of readdirSync(sockets)) rmSync(join(sockets, file));
  }
}

async function failIfEnded(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, 'exit');
  throw new Error(`the sidecar ended by itself: ${code ?? signal}`);
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--count must be a number from 1, not ${values.count}`);
  const work = mkdtempSync(join(tmpdir(), 'bench-sidecar-'));
  try {
    await bundle(ROOT, work);
    const sockets = join(work, 'sockets');
    mkdirSync(sockets);
    const startMs: number[] = [];
    for (let at = 0; at < count; at += 1) startMs.push(await measureStart(join(work, 'lib/hook.js'), sockets));
    return tell(startMs);
  } finally {
    rmSync(work, { recursive: true });
  }
}

function tell(startMs: readonly number[]): number {
  const [p50, p99] = [0.5, 0.99].map((share) => round(findPercentile([...startMs], share), 1));
  mkdirSync(OUT, { recursive: true });
  const report = { starts: startMs.length, readyMs: { p50, p99, max: round(Math.max(...startMs), 1) } };
  writeFileSync(join(OUT, 'sidecar.json'), `${JSON.stringify(report, null, 2)}\n`);
  const verdicts = judge([
    { name: 'start to first answer, p50', value: p50 ?? Number.NaN, unit: 'ms' },
    { name: 'start to first answer, p99', value: p99 ?? Number.NaN, most: BAR_MS, unit: 'ms' },
  ]);
  process.stdout.write(`${formatTable(verdicts)}\n\nwritten to out/bench/sidecar.json\n`);
  return verdicts.every(({ passed }) => passed) ? 0 : 1;
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`bench/sidecar: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }),
);
