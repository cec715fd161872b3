import { findKubevirtOwner, type Pod, type VirtualMachineInstance } from '../../api/objects.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { listVmNics } from '../../plan/requests/vm-nics.ts';
import type { Context } from '../context.ts';
import { findLauncherKey, formatWorkloadKey, getPodKey } from '../keys.ts';

type Sight = Pick<Context, 'world'>;

/**
 * Whether a launcher's first interface is a pod's own like any other: the runtime makes it for every pod, and the guest has
 * no NIC there, be it that it has NICs on further networks alone or none. Once the VMI is gone, what the pod has tells.
 */
export function hasSpareInterface({ world }: Sight, { metadata }: Pod): boolean {
  const owner = findKubevirtOwner(metadata, 'VirtualMachineInstance');
  if (owner === undefined) return false;
  const { namespace = '', name, uid } = metadata;
  const vmi = world.vmis.store.get(`${namespace}/${owner.name}`);
  if (vmi?.metadata.uid === owner.uid) {
    return listVmNics(vmi?.spec).every((nic) => nic.interface !== PRIMARY_INTERFACE);
  }
  const ports = world.ports.store.byIndex('key', formatWorkloadKey('pod', namespace, name));
  return ports.some(({ spec }) => spec.owner.uid === uid);
}

/** The keys of all work that a pod is part of. */
export function listPodKeys(sight: Sight, pod: Pod): string[] {
  const launcher = findLauncherKey(pod);
  const spare = hasSpareInterface(sight, pod) ? [formatOwnKey(pod)] : [];
  return [getPodKey(pod), ...(launcher === undefined ? [] : [launcher]), ...spare];
}

/** The keys of a VMI's launchers that have an interface of their own: its spec tells, and may be seen after them. */
export function listSpareKeys(sight: Sight, { metadata: { namespace = '', name } }: VirtualMachineInstance): string[] {
  const launchers = sight.world.pods.store.byIndex('key', formatWorkloadKey('vm', namespace, name));
  return launchers.flatMap((pod) => (hasSpareInterface(sight, pod) ? [formatOwnKey(pod)] : []));
}

const formatOwnKey = ({ metadata: { namespace = '', name } }: Pod): string => formatWorkloadKey('pod', namespace, name);
