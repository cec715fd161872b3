import { type GuestAnswer, runInGuest } from '../guest/console.ts';
import { pathsOf } from '../guest/guest.ts';
import { listGuests } from '../kubevirt/guests.ts';
import { findFigures } from '../kubevirt/handler/figures.ts';

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

/** QEMU's own figure for how long the guest stood still in a migration, milliseconds. */
export function findDowntimeMs(context: Context, migrationUid: string): Promise<number> {
  return expectSoon(
    `QEMU's figures of migration ${migrationUid}`,
    10,
    async () => findFigures(context.lab.dir, migrationUid)?.qemuDowntimeMs,
  );
}
