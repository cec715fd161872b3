import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProgress } from '../test/lab/progress.ts';
import { type Bar, formatTable, judge } from './scale/report.ts';
import { type Figures, runScale } from './scale/run.ts';

const HELP = `bench/scale: the operator under the load of a large cluster

Usage: make bench NAME=scale [BENCH_FLAGS="--ports N"]

  --ports N       ports at full size; six in ten are pods', the others VMs' with four NICs (default: 10000)
  --profile DIR   write a CPU profile of each operator that ends in peace into DIR
`;

const OUT = join(import.meta.dirname, '../out/bench');

const { values } = parseArgs({
  options: {
    ports: { type: 'string', default: '10000' },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** The bars of the figures; a smaller run has the same ones. */
function listBars(figures: Figures): Bar[] {
  const { apiWritesPerPodNic, apiWritesPerVmNic, apiWritesPerPodLife } = figures;
  return [
    { name: 'API writes per pod NIC, creation to bound', value: apiWritesPerPodNic, most: 2, unit: '' },
    { name: 'API writes per VM NIC, creation to bound', value: apiWritesPerVmNic, most: 3, unit: '' },
    { name: 'API writes per pod life', value: apiWritesPerPodLife, most: 4, unit: '' },
    { name: 'new pod served after SIGKILL of the leader', value: figures.takeoverSeconds, most: 5, unit: 's' },
    { name: 'cold start to all verified', value: figures.coldStartSeconds, most: 20, unit: 's' },
    { name: "API writes of a cold start (the leader's mark)", value: figures.coldStartWrites, most: 1, unit: '' },
    { name: 'resident memory, most of any operator', value: figures.rssMb, most: 400, unit: 'MiB' },
    { name: 'cost of a VM event, full size against smallest', value: figures.eventCostRatio, most: 1.3, unit: '' },
    { name: 'Northbound rebuilt after a wipe', value: figures.rebuildSeconds, most: 30, unit: 's' },
    { name: 'ports', value: figures.ports, unit: '' },
    { name: 'leases lost without a reason', value: figures.leasesLost, unit: '' },
    { name: 'pods bound per second', value: figures.rates.podNicsPerSecond, unit: '/s' },
    { name: 'VM NICs bound per second', value: figures.rates.vmNicsPerSecond, unit: '/s' },
    { name: 'other writes per pod NIC (subnet status)', value: figures.rates.otherWritesPerPodNic, unit: '' },
    { name: 'CPU per pod NIC', value: figures.rates.cpuMsPerPodNic, unit: 'ms' },
    { name: 'CPU per VM NIC started', value: figures.rates.cpuMsPerVmNic, unit: 'ms' },
  ];
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const ports = Number(values.ports);
  if (!Number.isInteger(ports) || ports < 100) throw new Error('--ports must be a whole number from 100');
  const { say } = createProgress(
    (line) => void process.stdout.write(`${line}\n`),
    () => performance.now(),
  );
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)));
  const figures = await runScale({ ports, say, env: process.env, profileDir: values.profile, signal: stop.signal });
  mkdirSync(OUT, { recursive: true });
  writeFileSync(join(OUT, 'scale.json'), `${JSON.stringify(figures, null, 2)}\n`);
  const verdicts = judge(listBars(figures));
  process.stdout.write(`\n${formatTable(verdicts)}\n\nwritten to out/bench/scale.json\n`);
  return verdicts.every(({ passed }) => passed) ? 0 : 1;
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`bench/scale: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }),
);
