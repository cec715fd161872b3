import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from '../test/lab/progress.ts';
import { replacePart } from './bindings/document.ts';
import { createBook, deriveRows, type Effort } from './bindings/measure.ts';
import { formatPicture } from './bindings/picture.ts';
import { GUEST_BINDINGS, type GuestBinding, parseBindings, planBindings } from './bindings/plan.ts';
import { formatMarkdown, formatTable, listMissing, type Report } from './bindings/report.ts';
import { runBindings } from './bindings/run.ts';

const HELP = `bench/bindings: latency and throughput by the binding of the guest, on the lab

Usage: make bench NAME=bindings [BENCH_FLAGS="--seconds N"]

  --bindings LIST   of ${GUEST_BINDINGS.join(',')} (default: all); a plain pod is always measured, and beside macvtap
                    a pod with a macvlan interface, which is on the same network
  --rounds N        rounds over all rows (default: 5)
  --requests N      UDP requests of a row in a round (default: 120)
  --seconds N       seconds of TCP of a row in a round (default: 1)
  --docs            measures nothing; writes the table of the last run into docs/bindings.md

Each binding is measured from a pod and from a guest like it, on the same node and on another; twelve guests run, and only
two ends of one path are busy at a time. Brings the lab up when it is not, and then takes it down again; otherwise uses and
leaves it. Takes about five minutes. Exits with 1 when a row could not
be measured, with 2 when nothing could.
`;

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'out/bench');
const JSON_PATH = join(OUT, 'bindings.json');
const DOCUMENT = join(ROOT, 'docs/bindings.md');

const options = {
  bindings: { type: 'string', default: GUEST_BINDINGS.join() },
  rounds: { type: 'string', default: '5' },
  requests: { type: 'string', default: '120' },
  seconds: { type: 'string', default: '1' },
  docs: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parseNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} must be a whole number from 1, not ${text}`);
  return number;
}

function writeDocument(): number {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(JSON_PATH, 'utf8')) as Report;
  } catch (error) {
    throw new Error(`no report of a run to write down (make bench NAME=bindings): ${String(error)}`);
  }
  const [missing] = listMissing(planBindings(GUEST_BINDINGS), report.rows);
  if (missing !== undefined)
    throw new Error(`the last run has no ${missing}: make bench NAME=bindings, without --bindings`);
  writeFileSync(DOCUMENT, replacePart(readFileSync(DOCUMENT, 'utf8'), formatMarkdown(report)));
  process.stdout.write('written to docs/bindings.md\n');
  return 0;
}

async function measure(asked: readonly GuestBinding[], effort: Effort): Promise<number> {
  const { say } = createProgress(
    (line) => void process.stdout.write(`${line}\n`),
    () => performance.now(),
  );
  const bindings = planBindings(asked);
  const book = createBook();
  const nodes = await runBindings({ root: ROOT, env: process.env, bindings, effort, say }, book);
  const { rows, failures } = deriveRows(book);
  const machine = {
    cores: cpus().length,
    kernel: release(),
    guests: 'guests are emulated (QEMU without KVM)',
    datapath: 'packets on our network pass through userspace Open vSwitch, which runs before other programs',
    nodes,
  };
  return tell({ machine, effort, rows, failures }, listMissing(bindings, rows));
}

function tell(report: Report, missing: readonly string[]): number {
  mkdirSync(OUT, { recursive: true });
  writeFileSync(JSON_PATH, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(OUT, 'bindings.svg'), formatPicture(report));
  process.stdout.write(`\n${formatTable(report.rows)}\n\n`);
  for (const what of report.failures) process.stdout.write(`FAILED ${what}\n`);
  for (const what of missing) process.stdout.write(`MISSING ${what}\n`);
  process.stdout.write('written to out/bench/bindings.json and out/bench/bindings.svg\n');
  if (report.rows.length === 0) return 2;
  return missing.length === 0 && report.failures.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const effort = {
    rounds: parseNumber('rounds', values.rounds),
    requests: parseNumber('requests', values.requests),
    seconds: parseNumber('seconds', values.seconds),
  };
  const bindings = parseBindings(values.bindings);
  return values.docs ? writeDocument() : measure(bindings, effort);
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`bench/bindings: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }),
);
