import type { LogicalPort } from '../../api/types.gen.ts';
import { isHandedOver } from '../../plan/ports/claim-status.ts';
import type { Cluster } from '../records.ts';
import type { Guest } from './guest.ts';

/** The key of a port among the holders of addresses. */
export const formatHolder = ({ metadata }: LogicalPort): string => `${metadata.namespace ?? ''}/${metadata.name}`;

/** Names of other namespaces are not for everybody. */
export function describeHolder({ metadata, spec }: LogicalPort, { namespace }: Guest): string {
  return metadata.namespace === namespace
    ? `is held by ${spec.owner.kind} ${spec.owner.name} (LogicalPort ${metadata.name})`
    : 'is held in another namespace';
}

/** True of a holder that is about to give its address to whoever comes next. */
export function isLeaving(port: LogicalPort, cluster: Cluster): boolean {
  if (port.metadata.deletionTimestamp !== undefined || isHandedOver(port)) return true;
  const namespace = port.metadata.namespace ?? '';
  const { kind, name, uid } = port.spec.owner;
  const owner =
    kind === 'VirtualMachine'
      ? cluster.findVm(namespace, name)
      : kind === 'Pod'
        ? undefined
        : cluster.findVmi(namespace, name);
  return owner?.metadata.uid === uid && owner.metadata.deletionTimestamp !== undefined;
}
