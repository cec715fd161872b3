import { SLOTS } from '../../guest/guest.ts';
import type { MigrationState, Vmi } from '../objects.ts';
import { isLinkDown } from './device.ts';
import type { NicPlan } from './record.ts';
import type { Action, Guest } from './view.ts';

/**
 * The next NIC that a running guest gets or loses. One is plugged when Multus reports its pod interface, as KubeVirt does
 * (pkg/network/setup and virt-launcher, hotplug), and unplugged when its state is `absent`; during a migration neither.
 */
export function planPlug(vmi: Vmi, guest: Guest): Action | undefined {
  if (isMoving(vmi.status?.migrationState)) return undefined;
  const interfaces = vmi.spec.domain.devices.interfaces ?? [];
  const { nics } = guest.record;
  const unwanted = nics.find((nic) => interfaces.some((one) => one.name === nic.name && one.state === 'absent'));
  if (unwanted !== undefined) return { do: 'unplug', guest, nic: unwanted };
  const reported = new Map((vmi.status?.interfaces ?? []).map((entry) => [entry.name, entry.infoSource ?? '']));
  const missing = interfaces.find((one) => {
    const isPlugged = nics.some((nic) => nic.name === one.name && nic.plugged !== false);
    return one.state !== 'absent' && !isPlugged && reported.get(one.name)?.includes('multus-status') === true;
  });
  return missing === undefined ? undefined : { do: 'plug', guest, name: missing.name };
}

/**
 * The next NIC whose link is not as the VMI has it now. KubeVirt sees to it once the VMI runs, and takes back what a hook
 * had set in the domain (pkg/virt-launcher/virtwrap/network, Sync: it compares with the VMI, not with what was defined).
 */
export function planLink(vmi: Vmi, guest: Guest): Action | undefined {
  if (vmi.status?.phase !== 'Running' || isMoving(vmi.status.migrationState)) return undefined;
  const states = new Map((vmi.spec.domain.devices.interfaces ?? []).map((one) => [one.name, one.state]));
  const nic = guest.record.nics.find(
    (one) => one.plugged !== false && states.has(one.name) && isLinkDown(one) !== (states.get(one.name) === 'down'),
  );
  return nic === undefined ? undefined : { do: 'link', guest, nic, down: !isLinkDown(nic) };
}

function isMoving(state: MigrationState | undefined): boolean {
  return state !== undefined && state.completed !== true && state.failed !== true;
}

/** The lowest slot that no NIC of the guest sits in. Throws RangeError when all are taken. */
export function findFreeSlot(nics: readonly NicPlan[]): number {
  const taken = new Set(nics.map((nic) => nic.index));
  for (let slot = 0; slot < SLOTS; slot += 1) if (!taken.has(slot)) return slot;
  throw new RangeError(`a guest has ${SLOTS} slots for NICs`);
}

/**
 * A target's NICs as the machine that is sent has them: those of the source, in its slots and with its devices; what is new waits, unplugged,
 * until the guest has come. libvirt sends the source's XML for this.
 */
export function alignNics(nics: readonly NicPlan[], source: readonly NicPlan[] | undefined): NicPlan[] {
  if (source === undefined) return [...nics];
  const slots = new Map(source.filter((nic) => nic.plugged !== false).map((nic) => [nic.name, nic]));
  const kept = nics.flatMap((nic): NicPlan[] => {
    const known = slots.get(nic.name);
    if (known === undefined) return [];
    const { device: _, ...wired } = nic;
    return [{ ...wired, index: known.index, ...(known.device === undefined ? {} : { device: known.device }) }];
  });
  for (const nic of nics.filter((one) => !slots.has(one.name))) {
    kept.push({ ...nic, index: findFreeSlot(kept), plugged: false });
  }
  return kept;
}
