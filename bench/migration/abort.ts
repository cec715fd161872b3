import { kill } from 'node:process';
import { listGuests } from '../../test/lab/kubevirt/guests.ts';
import { askMigration, awaitLauncherPid } from './migrate.ts';
import { NAMESPACE } from './objects.ts';
import { findReturn } from './port-history.ts';
import { setDirt, USUAL_DIRT } from './probing.ts';
import { nodeOf, type Stage, type Subject } from './stage.ts';

/** How a migration is made to fail: its VMIM is deleted as it runs, or its target launcher and QEMU are killed. */
export const WAYS = ['deleted', 'killed'] as const;
export type Way = (typeof WAYS)[number];

/** One migration that failed; times in ms. */
export type Aborted = {
  readonly name: string;
  readonly way: Way;
  readonly source: string;
  /** From the first sight of the failure until both databases had the port with the source alone. */
  readonly rollbackMs: number;
};

const STEP_SECONDS = 60;
/** More than the copy's bandwidth, so that the migration cannot end by itself. */
const TOO_MUCH = { mebibytes: 64, rate: 300 };

/** Has one migration fail while its copy runs, and awaits that the port is back. Throws when the guest moves all the same. */
export async function abortMigration(
  stage: Stage,
  subject: Subject,
  { name, way }: { name: string; way: Way },
): Promise<Aborted> {
  const { witness } = stage;
  const source = nodeOf(stage, subject);
  await setDirt(stage, subject, TOO_MUCH);
  try {
    const { uid } = await askMigration(stage, subject, name);
    await witness.until(`${name} running`, STEP_SECONDS, () => witness.seenAt(uid, 'Running'));
    await strike(stage, subject, { name, way, uid });
    const failedAt = await witness.until(`the failure of ${name}`, STEP_SECONDS, () => {
      if (witness.seenAt(uid, 'Succeeded') !== undefined) throw new Error(`${name} succeeded all the same`);
      return witness.seenAt(uid, 'failed');
    });
    const backAt = await witness.until(`the port of ${subject.name} back on ${source}`, STEP_SECONDS, () =>
      findReturn(witness.historyOf(subject.lsp), source),
    );
    return { name, way, source, rollbackMs: Math.max(0, backAt - failedAt) };
  } finally {
    await setDirt(stage, subject, USUAL_DIRT);
  }
}

async function strike(
  stage: Stage,
  subject: Subject,
  { name, way, uid }: { name: string; way: Way; uid: string },
): Promise<void> {
  if (way === 'deleted') return stage.vmims.delete({ namespace: NAMESPACE, name });
  const launcher = await awaitLauncherPid(stage, uid);
  const guests = await listGuests(stage.context.lab, NAMESPACE, subject.name);
  const target = guests.find(({ record }) => record.stage === 'incoming' && record.migrationUid === uid);
  for (const pid of [target?.record.qemu?.pid, launcher]) if (pid !== undefined) kill(pid, 'SIGKILL');
}
