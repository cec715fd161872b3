import { join } from 'node:path';
import { type GuestAnswer, runInGuest } from '../guest/console.ts';
import { pathsOf } from '../guest/guest.ts';
import type { LabState } from '../state.ts';
import { createRecords, type GuestRecord } from './handler/record.ts';

/** A guest on a node of the lab: what the node half remembers of it, and where its sockets are. */
export type FoundGuest = { node: string; dir: string; record: GuestRecord };

/** Every guest of a VMI name, on every node; two while it migrates. */
export async function listGuests(lab: LabState, namespace: string, vmi: string): Promise<FoundGuest[]> {
  const perNode = lab.nodes.map(async ({ name }) => {
    const records = createRecords(join(lab.dir, 'kubevirt/guests', name));
    const own = (await records.load()).filter((record) => record.namespace === namespace && record.vmi === vmi);
    return own.map((record) => ({ node: name, dir: records.dirOf(record.podUid), record }));
  });
  return (await Promise.all(perNode)).flat();
}

/**
 * Runs a shell command in the guest of a VMI, wherever it is now. Throws when no guest of that name runs, or when it
 * does not answer in `timeoutMs`, as while it moves.
 */
export async function runInVm(
  lab: LabState,
  vm: { namespace: string; name: string },
  command: string,
  timeoutMs = 10_000,
): Promise<GuestAnswer> {
  const guests = await listGuests(lab, vm.namespace, vm.name);
  const here = guests.find(({ record }) => record.stage === 'booted' && record.released !== true);
  if (here === undefined) throw new Error(`no guest of ${vm.namespace}/${vm.name} runs`);
  return runInGuest(pathsOf(here.dir).console, command, timeoutMs);
}
