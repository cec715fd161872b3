import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findMemoryPath } from '../migration-network.ts';
import { getNode } from '../state.ts';
import type { Mark } from '../timeline/marks.ts';
import { startRecorder } from '../timeline/recorder.ts';
import { type Probe, type StreamResult, summariseProbes } from './analyse.ts';
import { applyThings, type Context, DemoError, findThing, getThing, startChild, type Thing } from './context.ts';
import { expectFigures, listGuestMarks } from './guest.ts';
import { formatMigration, MEMORY, NAMESPACE } from './manifests.ts';
import { killOperator } from './operator.ts';
import { findPodPid, getClient } from './pods.ts';
import { awaitVm, readFacts, withCordon } from './vms.ts';

export type Migration = {
  vm: string;
  binding: string;
  from: string;
  to: string;
  sent: number;
  lost: number;
  longestGapMs: number;
  qemuDowntimeMs: number;
  tcpSurvived: boolean;
  operatorKilled: boolean;
  /** By which network the guest's memory went: Migration or Pod. */
  memory: string;
};

/** What the timeline plot is drawn from; times are milliseconds since the epoch. */
export type Timeline = {
  name: string;
  probes: readonly Probe[];
  marks: readonly Mark[];
  stream: StreamResult;
};
export type MigrationPlan = { name: string; vm: string; binding: string; killOperator: boolean };

const PROBE_INTERVAL_MS = 10;
const MIGRATION_MS = 120_000;
const settle = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Migrates the VM with UDP probes and a TCP stream running from a third node; returns the figures and the plot's data. */
export async function migrateVm(
  context: Context,
  plan: MigrationPlan,
): Promise<{ migration: Migration; timeline: Timeline }> {
  const before = readFacts(await getThing(context, 'vmi', plan.vm));
  const others = context.lab.nodes.filter((node) => node.name !== before.node);
  const [target, third] = others;
  if (target === undefined || third === undefined)
    throw new DemoError('a migration with probes from a third node needs three nodes');
  const probe = await startProbe(context, third.name, before.ip);
  const { vmi, marks } = await withCordon(context, [third.name], () => runMigration(context, plan));
  await settle(1_000);
  const { probes, stream } = await probe.stop();
  const after = await awaitVm(context, plan.vm);
  if (after.ip !== before.ip || after.mac !== before.mac)
    throw new DemoError(`${plan.vm} changed its address in migration ${plan.name}`);
  const { sent, lost, longestGapMs } = summariseProbes(probes);
  const uid = vmi.status.migrationState.migrationUid as string;
  const figures = await expectFigures(context, uid);
  const migration: Migration = {
    vm: plan.vm,
    binding: plan.binding,
    from: before.node,
    to: after.node,
    sent,
    lost,
    longestGapMs,
    qemuDowntimeMs: figures.qemuDowntimeMs,
    tcpSurvived: stream.error === undefined && stream.echoedLines > 0,
    operatorKilled: plan.killOperator,
    memory: await findMemoryPath(context, MEMORY, uid),
  };
  return { migration, timeline: { name: plan.name, probes, marks: [...marks, ...listGuestMarks(figures)], stream } };
}

/** Creates the VMIM and awaits its end; the operator is killed as soon as the target is being made ready, when asked for. */
async function runMigration(context: Context, plan: MigrationPlan): Promise<{ vmi: Thing; marks: Mark[] }> {
  await using recorder = await startRecorder(context.lab, { namespace: NAMESPACE, vmi: plan.vm });
  const asked = Date.now();
  await applyThings(context, [formatMigration(plan.name, plan.vm)]);
  if (plan.killOperator) {
    await recorder.expectMark('the target is prepared', asked, isOn('LogicalPort', 'Prepared'), MIGRATION_MS);
    await killOperator(context);
  }
  const isEnd = ({ lane, label }: Mark) => lane === 'VMIM' && (label === 'Succeeded' || label === 'Failed');
  const end = await recorder.expectMark(`the end of migration ${plan.name}`, asked, isEnd, MIGRATION_MS);
  if (end.label === 'Failed') await failWith(context, plan.name);
  await recorder.expectMark(`migration ${plan.name} settled`, asked, isOn('LogicalPort', 'Settled'), MIGRATION_MS);
  return { vmi: await getThing(context, 'vmi', plan.vm), marks: recorder.listMarks(asked) };
}

const isOn = (lane: Mark['lane'], word: string) => (mark: Mark) => mark.lane === lane && mark.label.includes(word);

async function failWith(context: Context, name: string): Promise<never> {
  const vmim = await findThing(context, 'vmim', name);
  throw new DemoError(`migration ${name} failed: ${JSON.stringify(vmim?.status.migrationState)}`);
}

type RunningProbe = { stop: () => Promise<{ probes: Probe[]; stream: StreamResult }> };

/** Starts the sender in the network namespace of the client pod on `node`, and awaits its first answers. */
async function startProbe(context: Context, node: string, ip: string): Promise<RunningProbe> {
  const client = await getClient(context, node);
  const pid = await findPodPid(context, client, 'main');
  const file = join(context.out, `probe-${getNode(context.lab, node).name}.json`);
  rmSync(file, { force: true });
  const script = join(context.root, 'test/lab/demo/probe.ts');
  // Before everything else on two crowded cores: a late sender would look like a silent guest.
  const argv = [
    ...['chrt', '--fifo', '10', 'nsenter'],
    `--net=/proc/${pid}/ns/net`,
    process.execPath,
    script,
    ip,
    '7',
    String(PROBE_INTERVAL_MS),
    file,
  ];
  const child = startChild(context, argv);
  const closed = new Promise<number | null>((done) => child.once('close', done));
  await settle(1_500);
  return {
    stop: async () => {
      child.kill('SIGTERM');
      const code = await closed;
      if (code !== 0) throw new DemoError(`the probe sender ended with ${code}`);
      const result = JSON.parse(readFileSync(file, 'utf8')) as { probes: Probe[]; stream: StreamResult };
      rmSync(file, { force: true });
      return result;
    },
  };
}
