import { type Aborted, abortMigration, WAYS } from './abort.ts';
import type { Block } from './blocks.ts';
import { awaitReached } from './evidence.ts';
import { planWindows, type Span } from './gaps.ts';
import { judgeMigration, judgeNoise, type MigrationFigures, type NoiseSample, PLACES, windowOf } from './judge.ts';
import { migrate, tidyUp, watchGuest } from './migrate.ts';
import { NAMESPACE } from './objects.ts';
import { awaitAnswers, awaitRecorded, type Probing, startProbing } from './probing.ts';
import type { Stage, Subject } from './stage.ts';
import { round } from './stats.ts';
import { type Strategy, setStrategy } from './strategy.ts';

export type Failure = { readonly strategy?: Strategy; readonly what: string };

/** Everything that a run has seen. */
export type Seen = {
  readonly migrations: MigrationFigures[];
  readonly noise: NoiseSample[];
  readonly aborts: Aborted[];
  /** What did not do what was asked of it, by strategy; without one, what concerns the whole run. */
  readonly failures: Failure[];
};

type Turn = {
  readonly stage: Stage;
  readonly subject: Subject;
  readonly probing: Probing;
  readonly seen: Seen;
  readonly strategy: Strategy;
};

/** Carries out all blocks. A migration that fails is noted, and the next one begins from what is there. */
export async function runBlocks(stage: Stage, blocks: readonly Block[], seen: Seen): Promise<void> {
  let strategy: Strategy = 'gate'; // the chart's own
  for (const [index, block] of blocks.entries()) {
    if (block.strategy !== strategy) {
      stage.context.say(`strategy ${block.strategy}`);
      await setStrategy(stage.context, block.strategy);
      ({ strategy } = block);
    }
    const subject = stage.subjects.find(({ binding }) => binding === block.binding);
    if (subject === undefined) throw new Error(`no VM with ${block.binding}`);
    await using probing = await startProbing(stage, subject);
    await runBlock({ stage, subject, probing, seen, strategy }, block, index);
  }
}

async function runBlock(turn: Turn, block: Block, index: number): Promise<void> {
  const { stage, subject, seen } = turn;
  for (let count = 0; count < block.migrations; count += 1) {
    const name = `${subject.name}-${index + 1}-${count + 1}`;
    await attempt(turn, name, () => measure(turn, block, name));
  }
  for (let count = 0; count < block.aborts; count += 1) {
    const name = `${subject.name}-${index + 1}-abort-${count + 1}`;
    await attempt(turn, name, async () => {
      const way = WAYS[(index + count) % WAYS.length] ?? 'deleted';
      const aborted = await abortMigration(stage, subject, { name, way });
      seen.aborts.push(aborted);
      stage.context.say(`  ${name} ${way}: back on ${aborted.source} after ${aborted.rollbackMs} ms`);
    });
  }
  await listen(turn, block);
}

/** Does one thing and leaves the VM with one launcher and answering, whatever came of it. */
async function attempt(turn: Turn, name: string, work: () => Promise<void>): Promise<void> {
  const { stage, subject, probing, seen, strategy } = turn;
  const check = async (part: () => Promise<void>): Promise<boolean> => {
    try {
      await part();
      return true;
    } catch (error) {
      const what = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      seen.failures.push({ strategy, what });
      stage.context.say(`  FAILED ${what}`);
      return false;
    }
  };
  // One that hangs would hold up all that follow: deleted, it goes back.
  if (!(await check(work))) await stage.vmims.delete({ namespace: NAMESPACE, name });
  await tidyUp(stage, subject, name);
  await check(() => awaitReached(stage, subject, { recording: probing.recording, name }));
}

/** Probes of IPv4 and IPv6 take turns. */
const FAMILIES = 2;

async function measure({ stage, subject, probing, seen }: Turn, block: Block, name: string): Promise<void> {
  const { recording } = probing;
  recording.forgetBefore(Date.now());
  const moved = await migrate(stage, subject, name);
  await Promise.all([awaitRecorded(recording, windowOf(moved).to), tidyUp(stage, subject, name)]);
  const { strategy, binding } = block;
  const nodes = stage.clients.map(({ node }) => node);
  const addressChanged = hasChanged(stage, subject);
  const figures = judgeMigration(moved, {
    ...{ name, strategy, binding, nodes, addressChanged },
    ...{ records: recording.read(), requestMs: (stage.intervalUs / 1000) * FAMILIES },
  });
  seen.migrations.push(figures);
  stage.context.say(`  ${formatMigration(figures)}`);
}

/**
 * What LogicalPort and VMI say now, against what the VM got first. Under bridge KubeVirt knows no address of a guest that the
 * subnet's DHCP serves.
 */
export function hasChanged({ witness }: Stage, { name, port, ipv4, ipv6, mac }: Subject): boolean {
  const { mac: portMac, ips = [] } = witness.findPort(port)?.spec ?? {};
  const told = witness.findVmi(name)?.status?.interfaces?.[0];
  const now = [portMac, ...ips.toSorted(), told?.mac, told?.ipAddress ?? ipv4];
  return now.join() !== [mac, ...[ipv4, ipv6].toSorted(), mac, ipv4].join();
}

/** Windows without migration overlap, so that as many of the same length take a third of the time. */
const OVERLAP = 3;
/** Of one binding: more windows make its middle no surer. */
const WINDOWS = 18;

/** Without migrations: as many windows of the same length, up to `WINDOWS` for each binding. */
async function listen({ stage, subject, probing, seen }: Turn, { binding }: Block): Promise<void> {
  const own = seen.migrations.filter((one) => one.binding === binding);
  const length = own.reduce((sum, { windowMs }) => sum + windowMs, 0) / own.length;
  const count =
    Math.min(own.length, WINDOWS) -
    seen.noise.filter((one) => one.binding === binding).length / (stage.clients.length * 2);
  if (own.length === 0 || count < 1) return;
  await awaitAnswers(stage, subject, probing.recording);
  await using tap = await watchGuest(stage, subject, 'noise');
  const from = Date.now();
  const span: Span = { from, to: from + (length * (count + OVERLAP - 1)) / OVERLAP };
  probing.recording.forgetBefore(from);
  await awaitRecorded(probing.recording, span.to);
  const places = stage.clients.length;
  const records = probing.recording.read();
  seen.noise.push(...judgeNoise(records, planWindows(span, count, length), { binding, places, tap: await tap.end() }));
}

/** One line for the progress: the worst flow from each place, then what the guest itself took. */
function formatMigration(figures: MigrationFigures): string {
  const { name, strategy, source, target, flows, tcp } = figures;
  const resets = tcp.reduce((sum, one) => sum + one.resets, 0);
  const gaps = PLACES.flatMap((place) => {
    const own = flows.filter((flow) => flow.place === place);
    if (own.length === 0) return [];
    const worst = own.reduce((a, b) => (b.gapMs > a.gapMs ? b : a));
    return `${place} ${Math.round(worst.gapMs)} (at ${Math.round(worst.fromMs)})`;
  });
  const colds = flows.flatMap(({ coldMs }) => coldMs ?? []);
  const beyond = Math.max(...flows.map(({ beyondMs }) => beyondMs));
  const parts = [
    `gap ${gaps.join(', ')} ms`,
    `paused ${figures.pausedMs}, QEMU ${figures.qemuDowntimeMs}, cold ${colds.length === 0 ? 'not seen' : Math.max(...colds)}, beyond ${beyond}`,
    `commit ${figures.commitMs} ms`,
    ...(resets === 0 ? [] : [`${resets} RESETS`]),
    ...(figures.addressChanged ? ['ADDRESS CHANGED'] : []),
    `${round(figures.seconds, 1)} s`,
  ];
  return `${name} ${source} -> ${target} by ${strategy}: ${parts.join('; ')}`;
}
