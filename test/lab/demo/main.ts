import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, env, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { kubectl } from '../kubectl.ts';
import { closeMigrationNetwork, openMigrationNetwork } from '../migration-network.ts';
import { createProgress, type Progress } from '../progress.ts';
import { getAddTimes } from './add-times.ts';
import { findDisagreements, findLeftovers } from './audit.ts';
import { deriveBindings, lookAtGuests } from './bindings.ts';
import { checkConnectivity, startPods } from './connectivity.ts';
import { applyThings, type Context, DemoError } from './context.ts';
import { formatHtml } from './html.ts';
import { ensureLab, installChart } from './install.ts';
import { formatDhcpSubnet, MEMORY, NAMESPACE } from './manifests.ts';
import { type Migration, type MigrationPlan, migrateVm, type Timeline } from './migrations.ts';
import { DEMO_LABEL } from './networks/manifests.ts';
import { tellNetworks } from './networks/story.ts';
import { releaseVm } from './released.ts';
import { findBroken, formatTables, type Report } from './report.ts';
import { type Restart, restartVm, startVms, type VmFacts } from './vms.ts';

const HELP = `make demo: Mooring's main job on the lab, with real packets.

  DEMO_FLAGS="--migrations=N"   live migrations of the bridge-bound VM (default 5)
  DEMO_FLAGS="--keep"           leave the demo's pods and VMs for a look around

Reports: out/demo/report.json and out/demo/report.html. The lab stays up; \`make lab-down\` removes it.`;

type Settings = { migrations: number; keep: boolean };

/** The same VM by each binding. */
const VMS = [
  { vm: 'bridge-vm', binding: 'bridge' },
  { vm: 'nat-vm', binding: 'masquerade' },
  { vm: 'tap-vm', binding: 'managedTap' },
] as const;

/** Removes what an earlier or interrupted demo left. */
async function cleanUp(context: Context): Promise<void> {
  for (const node of context.lab.nodes) await kubectl(context.lab, ['uncordon', node.name]);
  await kubectl(context.lab, ['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=120s'], {
    timeoutMs: 130_000,
  });
  const served = await kubectl(context.lab, ['api-resources', '--api-group=mooring.dev', '-o', 'name']);
  if (!served.includes('subnets.mooring.dev')) return;
  if (served.includes('migrationnetworks.mooring.dev')) await closeMigrationNetwork(context, MEMORY);
  const subnets = ['delete', 'subnets.mooring.dev', '-l', DEMO_LABEL, '--timeout=60s'];
  await kubectl(context.lab, subnets, { timeoutMs: 70_000 });
}

function planMigrations(count: number): MigrationPlan[] {
  const bridge = Array.from({ length: count }, (_, index) => ({
    name: `m${index + 1}`,
    vm: 'bridge-vm',
    binding: 'bridge',
    killOperator: index === Math.min(2, count - 1),
  }));
  const others = VMS.filter(({ binding }) => binding !== 'bridge').map((one, index) => ({
    name: `m${count + index + 1}`,
    ...one,
    killOperator: false,
  }));
  return [...bridge, ...others];
}

async function restartAll(context: Context, say: Progress['say']): Promise<Restart[]> {
  const restarts: Restart[] = [];
  for (const [vm, elsewhere] of [
    ['bridge-vm', false],
    ['bridge-vm', true],
    ['nat-vm', true],
    ['tap-vm', true],
  ] as const) {
    const restart = await restartVm(context, vm, elsewhere);
    say(
      `  ${vm}: stopped on ${restart.nodeBefore}, started on ${restart.nodeAfter}: ${restart.ipBefore} -> ${restart.ipAfter}`,
    );
    restarts.push(restart);
  }
  return restarts;
}

async function migrateAll(
  context: Context,
  count: number,
): Promise<{ migrations: Migration[]; timelines: Timeline[] }> {
  const migrations: Migration[] = [];
  const timelines: Timeline[] = [];
  for (const plan of planMigrations(count)) {
    const { migration, timeline } = await migrateVm(context, plan);
    const { from, to, sent, lost, longestGapMs, qemuDowntimeMs } = migration;
    context.say(
      `  ${plan.vm} ${from} -> ${to}: ${lost} of ${sent} probes lost, longest gap ${longestGapMs} ms, QEMU's downtime ${qemuDowntimeMs} ms`,
    );
    migrations.push(migration);
    timelines.push(timeline);
  }
  return { migrations, timelines };
}

async function describeCluster(context: Context): Promise<Report['cluster']> {
  const version = JSON.parse(await kubectl(context.lab, ['version', '-o', 'json'])) as {
    serverVersion: { gitVersion: string };
  };
  const argvOvn = [
    '-n',
    'mooring-system',
    'exec',
    'ds/mooring-ovn-node',
    '-c',
    'controller',
    '--',
    'ovn-controller',
    '--version',
  ];
  const ovn = await kubectl(context.lab, argvOvn);
  return {
    kubernetes: version.serverVersion.gitVersion,
    ovn: /ovn-controller (\S+)/.exec(ovn)?.[1] ?? '',
    nodes: context.lab.nodes.length,
  };
}

type Parts = Omit<Report, 'broken' | 'timings' | 'cluster'> & { audit: string[]; timelines: Timeline[] };

/** Starts the VMs; returns the one that is bridge-bound. */
async function startAll(context: Context): Promise<VmFacts> {
  await applyThings(context, [formatDhcpSubnet()]);
  const facts = await startVms(context, VMS);
  for (const { name, node, ip, mac } of facts) context.say(`  ${name} runs on ${node} as ${ip} ${mac}`);
  const [bridge] = facts;
  if (bridge === undefined) throw new DemoError('no VM was started');
  return bridge;
}

/** The story itself. */
async function tellStory(context: Context, settings: Settings): Promise<Parts> {
  const { say } = context;
  say("giving guests' memory a network of its own");
  say(`  ${await openMigrationNetwork(context, MEMORY)} nodes have it`);
  say('starting an ordinary Deployment, a client on each node, and the same VM by bridge, masquerade and managedTap');
  await kubectl(context.lab, ['create', 'namespace', NAMESPACE]);
  const web = await startPods(context);
  const bridge = await startAll(context);
  say('checking every direction with real packets');
  const connectivity = await checkConnectivity(context, web, bridge);
  say('stopping and starting VMs');
  const restarts = await restartAll(context, say);
  say('migrating live, with UDP probes every 10 ms and a TCP stream from a third node');
  const { migrations, timelines } = await migrateAll(context, settings.migrations);
  say('looking at the bindings from within the guests');
  const bindings = deriveBindings(await lookAtGuests(context, VMS), restarts, migrations);
  const { problems, migration, timeline, ...networks } = await tellNetworks(context);
  migrations.push(migration);
  timelines.push(timeline);
  say('comparing LogicalPort, NB, OVS, guest and KubeVirt');
  const audit = [...problems, ...(await Promise.all(VMS.map(({ vm }) => findDisagreements(context, vm)))).flat()];
  say('deleting a VM: its address must be free again');
  const released = await releaseVm(context, 'bridge-vm');
  if (!settings.keep) await cleanUp(context);
  audit.push(...(await findLeftovers(context)));
  return { connectivity, bindings, restarts, migrations, released, ...networks, audit, timelines };
}

function writeReport(context: Context, report: Report, timelines: readonly Timeline[]): void {
  writeFileSync(join(context.out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(context.out, 'report.html'), formatHtml(report, timelines));
}

const tenth = (seconds: number): number => Math.round(seconds * 10) / 10;

async function runDemo(root: string, settings: Settings, progress: Progress): Promise<number> {
  const started = Number(env.MOORING_STARTED_MS ?? Date.now());
  const setupSeconds = tenth((Date.now() - started) / 1000);
  const out = join(root, 'out/demo');
  mkdirSync(out, { recursive: true });
  progress.say('bringing up the lab');
  const beforeLab = progress.seconds();
  const lab = await ensureLab(root, env);
  const labUpSeconds = tenth(progress.seconds() - beforeLab);
  const context: Context = { lab, root, out, say: progress.say, children: new Set() };
  endChildrenOnSignals(context);
  try {
    return await demonstrate(context, settings, { progress, setupSeconds, labUpSeconds, started });
  } finally {
    for (const child of context.children) child.kill('SIGKILL');
  }
}

type Clock = { progress: Progress; setupSeconds: number; labUpSeconds: number; started: number };

async function demonstrate(context: Context, settings: Settings, clock: Clock): Promise<number> {
  const { progress, setupSeconds, labUpSeconds, started } = clock;
  await cleanUp(context);
  progress.say('installing the chart with Helm');
  const beforeInstall = progress.seconds();
  await installChart(context);
  const installSeconds = tenth(progress.seconds() - beforeInstall);
  const { audit, timelines, ...parts } = await tellStory(context, settings);
  const timings = {
    setupSeconds,
    labUpSeconds,
    installSeconds,
    totalSeconds: tenth((Date.now() - started) / 1000),
    cniAddMs: await getAddTimes(context),
  };
  const figures = { cluster: await describeCluster(context), ...parts, timings };
  const report: Report = { ...figures, broken: [...findBroken(figures), ...audit] };
  writeReport(context, report, timelines);
  console.log(`\n${formatTables(report)}\n`);
  for (const line of report.broken) console.log(`BROKEN: ${line}`);
  console.log(report.broken.length === 0 ? 'Every promise held.' : `${report.broken.length} promises broken.`);
  console.log('Reports: out/demo/report.json out/demo/report.html\nThe lab is still up; `make lab-down` removes it.');
  return report.broken.length === 0 ? 0 : 1;
}

function endChildrenOnSignals(context: Context): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const child of context.children) child.kill('SIGKILL');
      console.error('\ninterrupted; run it again any time, it clears up what it finds');
      exit(130);
    });
  }
}

async function main(): Promise<number> {
  const options = {
    migrations: { type: 'string', default: '5' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: argv.slice(2), options });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const progress = createProgress(
    (line) => console.log(line),
    () => performance.now(),
  );
  const root = resolve(import.meta.dirname, '../../..');
  try {
    return await runDemo(root, { migrations: Number(values.migrations), keep: values.keep }, progress);
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    console.error(
      'what is there: make lab-status; kubectl -n demo get vm,vmi,pods,lp; kubectl -n mooring-system logs deploy/mooring-operator',
    );
    return 1;
  }
}

exit(await main());
