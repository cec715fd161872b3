import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Thing } from '../../test/lab/demo/context.ts';
import { findPodPid } from '../../test/lab/demo/pods.ts';
import { findFigures, type MigrationFigures } from '../../test/lab/kubevirt/handler/figures.ts';
import { isDown, LABEL, type Pod, type Vmim } from '../../test/lab/kubevirt/objects.ts';
import { startTap } from '../../test/lab/probe/prober.ts';
import { type ProbeRecord, parseRecords } from '../../test/lab/probe/records.ts';
import { formatMigration, NAMESPACE } from './objects.ts';
import { findCommit } from './port-history.ts';
import { nodeOf, type Stage, type Subject } from './stage.ts';

/** What one migration left behind to be judged. Times are milliseconds since the epoch. */
export type Moved = {
  readonly uid: string;
  readonly source: string;
  readonly target: string;
  readonly createdAt: number;
  /** When the target launcher was first seen. */
  readonly launcherAt: number;
  readonly readyAt: number;
  readonly commitAt: number;
  readonly figures: MigrationFigures & { stoppedAt: number; resumedAt: number; qemuDowntimeMs: number };
  /** What the guest was asked and what it answered, at its own link on either side. */
  readonly taps: { readonly source: readonly ProbeRecord[]; readonly target: readonly ProbeRecord[] };
};

const STEP_SECONDS = 60;
const FIGURES_MS = 5000;
const TAP = 'tap0';
/** The window that is judged ends so long after the commit. */
export const TAP_AFTER_MS = 1000;
const LAUNCHER = 'compute';

/** Asks for a migration and returns its VMIM. */
export async function askMigration(
  { vmims }: Stage,
  { name }: Subject,
  title: string,
): Promise<Vmim & { uid: string }> {
  const vmim = await vmims.create(formatMigration(title, name));
  return { ...vmim, uid: vmim.metadata.uid ?? '' };
}

/** Migrates a VM and awaits the end of everything that belongs to it. Throws when the migration does not succeed. */
export async function migrate(stage: Stage, subject: Subject, title: string): Promise<Moved> {
  const { witness } = stage;
  const source = nodeOf(stage, subject);
  await using sourceTap = await watchGuest(stage, subject, 'source');
  const createdAt = Date.now();
  const { uid } = await askMigration(stage, subject, title);
  await awaitTarget(stage, uid);
  const launcherAt = Date.now();
  await using targetTap = await watchTarget(stage, uid);
  await awaitEnd(stage, { uid, title });
  const target = nodeOf(stage, subject);
  const commitAt = await witness.until(`the port of ${title} on ${target}`, STEP_SECONDS, () =>
    findCommit(witness.historyOf(subject.lsp), target, createdAt),
  );
  const readyAt = witness.seenAt(uid, 'ready');
  if (readyAt === undefined) throw new Error(`${title}: nobody said that the domain is ready`);
  const figures = await awaitFigures(stage, uid);
  const seen = { uid, source, target, createdAt, launcherAt, readyAt, commitAt, figures };
  await delay(TAP_AFTER_MS);
  return { ...seen, taps: { source: await sourceTap.end(), target: await targetTap.end() } };
}

/** The target launcher of a migration, once it was made. */
export function awaitTarget({ witness }: Stage, uid: string): Promise<Pod> {
  return witness.until(`the target launcher of ${uid}`, STEP_SECONDS, () =>
    witness.listPods().find((pod) => pod.metadata.labels?.[LABEL.migrationUid] === uid),
  );
}

/** The process id of a target launcher's container, once it runs. */
export async function awaitLauncherPid({ context, witness }: Stage, uid: string): Promise<number> {
  const pod = await witness.until(`the container of the target launcher of ${uid}`, STEP_SECONDS, () =>
    witness.listPods().find((one) => one.metadata.labels?.[LABEL.migrationUid] === uid && hasContainer(one)),
  );
  return findPodPid(context, pod as Thing, LAUNCHER);
}

function hasContainer(pod: Pod): boolean {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === LAUNCHER);
  return (status?.containerID ?? '') !== '';
}

async function watchTarget(stage: Stage, uid: string): Promise<Tap> {
  return watchTap(stage, 'target', await awaitLauncherPid(stage, uid));
}

/** Watches the tap of the guest where it runs now. */
export async function watchGuest(stage: Stage, subject: Subject, name: string): Promise<Tap> {
  const launcher = stage.witness.listPods().find((pod) => isOf(pod, subject) && !isDown(pod));
  if (launcher === undefined) throw new Error(`${subject.name} has no launcher`);
  return watchTap(stage, name, await findPodPid(stage.context, launcher as Thing, LAUNCHER));
}

/** A tap that is watched; `end` gives what was seen, and may be called again. */
export type Tap = AsyncDisposable & { end(): Promise<ProbeRecord[]> };

async function watchTap({ context, scratch }: Stage, name: string, pid: number): Promise<Tap> {
  const netns = `/proc/${pid}/ns/net`;
  const tap = await startTap({ cacheDir: context.lab.cache, dir: scratch, name, netns, link: TAP });
  return {
    end: async () => parseRecords(readFileSync(await tap.end())),
    [Symbol.asyncDispose]: async () => void (await tap.end()),
  };
}

async function awaitEnd({ witness }: Stage, { uid, title }: { uid: string; title: string }): Promise<void> {
  const end = await witness.until(`the end of ${title}`, STEP_SECONDS, () =>
    witness.seenAt(uid, 'failed') === undefined ? witness.seenAt(uid, 'Succeeded') && 'Succeeded' : 'Failed',
  );
  if (end === 'Failed') {
    const state = witness.findVmim(title)?.status?.migrationState;
    throw new Error(`${title} failed: ${state?.failureReason ?? 'no reason given'}`);
  }
}

async function awaitFigures({ context }: Stage, uid: string): Promise<Moved['figures']> {
  const end = Date.now() + FIGURES_MS;
  for (;;) {
    const figures = findFigures(context.lab.dir, uid);
    const { stoppedAt, resumedAt, qemuDowntimeMs } = figures ?? {};
    if (figures !== undefined && stoppedAt !== undefined && resumedAt !== undefined && qemuDowntimeMs !== undefined)
      return { ...figures, stoppedAt, resumedAt, qemuDowntimeMs };
    if (Date.now() > end) throw new Error(`QEMU's figures of ${uid} are not complete: ${JSON.stringify(figures)}`);
    await delay(20);
  }
}

/** Awaits that only the VM's present launcher lives, and takes away what the migration left. */
export async function tidyUp(stage: Stage, subject: Subject, title: string): Promise<void> {
  const { witness, vmims, pods } = stage;
  const own = (): Pod[] => witness.listPods().filter((pod) => isOf(pod, subject));
  await witness.until(`one launcher of ${subject.name}`, STEP_SECONDS, () =>
    own().filter((pod) => !isDown(pod)).length === 1 ? true : undefined,
  );
  const ended = own().filter(isDown);
  await vmims.delete({ namespace: NAMESPACE, name: title });
  await Promise.all(
    ended.map(({ metadata }) =>
      pods.delete({ namespace: NAMESPACE, name: metadata.name ?? '' }, { gracePeriodSeconds: 0 }),
    ),
  );
  await witness.until(`the end of what ${title} left`, STEP_SECONDS, () =>
    witness.findVmim(title) === undefined && own().length === 1 ? true : undefined,
  );
  witness.forget();
}

const isOf = (pod: Pod, { name }: Subject): boolean => pod.metadata.annotations?.['kubevirt.io/domain'] === name;
