import type { VirtualMachineInstance } from '../../api/objects.ts';
import { quote } from '../../ipam/ranges.ts';
import { findChange, isUnallocated } from '../../plan/ports/change.ts';
import { planVmRequests } from '../../plan/requests/requests.ts';
import { type Admission, ALLOWED, type Judge } from '../admission.ts';
import { formatQuestion, readMachine, type Slot } from '../binding/machine.ts';
import { makeCheckContext } from '../checks/context.ts';
import { listOwnPorts, parseGuest } from '../checks/guest.ts';
import type { CheckCluster } from '../checks/types.ts';
import { compareNic, type Finding } from './compare.ts';
import { movesNetworks } from './kubevirt.ts';
import { TABLE } from './table.ts';

/** A change of one NIC, and what it needs. */
export type NicChange = Finding & { readonly nic: string };

/** The API server cuts a warning at 256 characters. */
const MAX_LENGTH = 250;
const MOST = 8;

/** Tells what a change of a running VM's NICs needs: nothing, a plug, a live migration or a restart. Never denies. */
export function createChangeJudge(cluster: CheckCluster): Judge {
  return (admission) => {
    const changes = listChanges(admission, cluster);
    if (changes.length === 0) return ALLOWED;
    const lines = changes.slice(0, MOST).map(formatChange);
    const more = changes.length > MOST ? [`${changes.length - MOST} more changes of the running VM's NICs`] : [];
    return { ...ALLOWED, warnings: [...lines, ...more] };
  };
}

/** Control characters in what a tenant wrote stay out of terminals. */
const formatChange = ({ nic, what, detail }: NicChange): string =>
  `NIC ${quote(nic)}: ${TABLE[what].say(detail)}`.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_LENGTH);

/** The changes that an update brings to a VM that runs; none for all else. Takes any JSON and never throws. */
export function listChanges(admission: Admission, cluster: CheckCluster): NicChange[] {
  const { kind, operation, object, oldObject, namespace } = admission;
  if (kind !== 'VirtualMachine' || operation !== 'UPDATE') return [];
  if (formatQuestion(object) === formatQuestion(oldObject)) return [];
  const vmi = findRunning(admission, cluster);
  if (vmi === undefined) return [];
  const ability = { movesNetworks: movesNetworks(cluster.findKubevirt()), namespace };
  const [before, after] = [oldObject, object].map((one) => readSlots({ ...admission, object: one }, cluster));
  const running = readSlots(
    { ...admission, kind: 'VirtualMachineInstance', operation: 'CREATE', object: vmi },
    cluster,
  );
  if (before === undefined || after === undefined || running === undefined) return [];
  const names = new Set([...before.keys(), ...after.keys(), ...running.keys()]);
  const changes = [...names].flatMap((nic) => {
    const sides = { before: before.get(nic), after: after.get(nic), running: running.get(nic) };
    return compareNic(sides, ability).map((finding) => ({ ...finding, nic }));
  });
  const told = new Set(changes.flatMap(({ nic, what }) => (TABLE[what].way === 'now' ? [] : [nic])));
  return [...changes, ...listAddresses(admission, cluster).filter(({ nic }) => !told.has(nic))];
}

const FINAL: readonly unknown[] = ['Succeeded', 'Failed'];

function findRunning({ namespace, name }: Admission, cluster: CheckCluster): VirtualMachineInstance | undefined {
  const vmi = cluster.findVmi(namespace, name);
  const isOver = vmi === undefined || vmi.metadata.deletionTimestamp !== undefined || FINAL.includes(vmi.status?.phase);
  return isOver ? undefined : vmi;
}

/** Undefined for what is no machine, and for one that is being deleted. */
function readSlots(admission: Admission, cluster: CheckCluster): ReadonlyMap<string, Slot> | undefined {
  const machine = readMachine(admission, cluster);
  return machine && new Map(machine.slots.map((slot) => [slot.nic.name, slot]));
}

/** What is newly asked of ports that a launcher holds, by annotations as by the spec: they keep what they have. */
function listAddresses(admission: Admission, cluster: CheckCluster): NicChange[] {
  const known = new Set(listAsked(admission, admission.oldObject, cluster).map(formatAsked));
  return listAsked(admission, admission.object, cluster).filter((change) => !known.has(formatAsked(change)));
}

const formatAsked = ({ nic, detail }: NicChange): string => JSON.stringify([nic, detail]);

function listAsked(admission: Admission, object: unknown, cluster: CheckCluster): NicChange[] {
  const guest = parseGuest(admission, object, cluster);
  if (guest === undefined) return [];
  const { requests } = planVmRequests(guest.spec, guest.sources, makeCheckContext(guest.namespace, cluster));
  return requests.flatMap((request) => {
    const held = listOwnPorts(request.nic, guest, cluster).find(
      (port) => !isUnallocated(port) && (port.spec.attachments ?? []).length > 0,
    );
    const asked = held === undefined || request.absent ? undefined : findChange(held, request);
    return asked === undefined ? [] : [{ nic: request.nic, what: 'address' as const, detail: asked.slice(0, 120) }];
  });
}
