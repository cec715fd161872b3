import { type GuestAnswer, runInGuest } from '../guest/console.ts';
import { pathsOf } from '../guest/guest.ts';
import { listGuests } from '../kubevirt/guests.ts';
import { findFigures, type MigrationFigures } from '../kubevirt/handler/figures.ts';
import type { Mark } from '../timeline/marks.ts';

import { type Context, DemoError, expectSoon, getThing } from './context.ts';
import { NAMESPACE } from './manifests.ts';

export type { GuestAnswer } from '../guest/console.ts';

/** Runs a command over the serial console of the guest where the VMI says that it is. */
export async function runGuestCommand(context: Context, vm: string, command: string): Promise<GuestAnswer> {
  const vmi = await getThing(context, 'vmi', vm);
  const here = (await listGuests(context.lab, NAMESPACE, vm)).find(
    ({ node, record }) =>
      node === vmi.status.nodeName && record.vmiUid === vmi.metadata.uid && record.ended === undefined,
  );
  if (here === undefined) throw new DemoError(`no guest of ${vm} on ${vmi.status.nodeName}`);
  return runInGuest(pathsOf(here.dir).console, command, 20_000);
}

/** QEMU's own figures of a migration: how long the guest stood still, from when to when. */
export function expectFigures(
  context: Context,
  migrationUid: string,
): Promise<MigrationFigures & { qemuDowntimeMs: number }> {
  return expectSoon(`QEMU's figures of migration ${migrationUid}`, 10, async () => {
    const figures = findFigures(context.lab.dir, migrationUid);
    const { qemuDowntimeMs } = figures ?? {};
    return figures === undefined || qemuDowntimeMs === undefined ? undefined : { ...figures, qemuDowntimeMs };
  });
}

/** When the guest stopped on the source and when it went on on the target, where QEMU has told. */
export function listGuestMarks({ stoppedAt, resumedAt }: MigrationFigures): Mark[] {
  return [
    ...(stoppedAt === undefined ? [] : [{ at: stoppedAt, lane: 'guest' as const, label: 'stops on the source' }]),
    ...(resumedAt === undefined ? [] : [{ at: resumedAt, lane: 'guest' as const, label: 'goes on on the target' }]),
  ];
}
