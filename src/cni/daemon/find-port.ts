import { isStorageOnly } from '../../api/objects.ts';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import { PRIMARY_INTERFACE } from '../../plan/requests/types.ts';
import { type Asked, checkAsked, parseAsked } from './asked.ts';
import { checkShared } from './capabilities.ts';
import { checkNetwork } from './check-network.ts';
import type { Cluster, Pod } from './cluster.ts';
import { CniError } from './errors.ts';
import { refuseBroken } from './explain.ts';
import { findAttachment } from './plan-attachment.ts';
import { formatName } from './plan-network.ts';
import type { AttachRequest } from './request.ts';
import { until } from './until.ts';
import type { Work } from './wire.ts';

type Attachment = NonNullable<ReturnType<typeof findAttachment>>;

/** What a call is about: all that has to be there before the first change. */
export type Found = {
  readonly pod: Pod;
  readonly podUid: string;
  readonly port: LogicalPort;
  readonly subnet: Subnet;
  readonly attachment: Attachment;
  readonly asked: Asked;
};

/**
 * Stages pod, port, subnet: waits for each on the watch. A port that cannot be given for a reason that will not pass is
 * refused at once; one without address is waited for. Throws CniError, also when the call and the port disagree.
 */
export async function findPort(work: Work, signal: AbortSignal): Promise<Found> {
  const { context, request, stages } = work;
  const { cluster, node } = context;
  const asked = parseAsked(request);
  const wait = <T>(derive: () => T | undefined) => until(cluster.onChange, derive, signal);
  const pod = await wait(() => cluster.findPod(request.pod));
  const podUid = pod.metadata?.uid ?? request.pod.uid;
  const stillThere = () => refuseLeaving(cluster, { ...request, podUid });
  stages.enter('port');
  const port = await wait(() => {
    stillThere();
    const found = cluster.findPort(podUid, request.ifname);
    if (found !== undefined) refuseBroken(found);
    return found === undefined || isIncomplete(found) ? undefined : found;
  });
  stages.enter('subnet');
  const subnet = await wait<Subnet>(() => {
    stillThere();
    return cluster.findSubnet(port.spec.subnet);
  });
  const attachment = findAttachment(port, { key: request, podUid, node });
  if (attachment === undefined) {
    throw new CniError('fenced', `LogicalPort ${formatName(port)} is not attached to this pod on node ${node}`);
  }
  checkNetwork(request.config, { port, subnet, nad: attachment.nad });
  checkShared(request.config, { pod, primary: attachment.nad === undefined && request.ifname === PRIMARY_INTERFACE });
  if (!isForVm(pod, port)) checkAsked(asked, port);
  return { pod, podUid, port, subnet, attachment, asked };
}

type Call = Pick<AttachRequest, 'pod' | 'ifname'> & { readonly podUid: string };

/**
 * Ends an ADD that nobody needs any more: the pod is gone, or it is going and has no port (any longer), as the target of
 * a migration that was aborted. As long as the call waits the runtime cannot end the pod, and KubeVirt makes no new target
 * before the old one is gone. Throws CniError `fenced`.
 */
export function refuseLeaving(cluster: Pick<Cluster, 'findPod' | 'findPort'>, { pod, ifname, podUid }: Call): void {
  const found = cluster.findPod(pod);
  if (found === undefined) throw new CniError('fenced', 'the pod was deleted meanwhile');
  const isLeaving = found.metadata?.deletionTimestamp !== undefined;
  if (isLeaving && cluster.findPort(podUid, ifname) === undefined)
    throw new CniError('fenced', 'the pod is being deleted, and no LogicalPort is attached to it');
}

/**
 * What comes with a call for a launcher without a guest is what the VM is to have, and KubeVirt has only repeated: the pod
 * has a port of its own with other addresses.
 */
export const isForVm = (pod: Pod, { spec }: LogicalPort): boolean =>
  spec.owner.kind === 'Pod' && isStorageOnly(pod.metadata);

/** The operator makes a port also when it has no address for it yet. */
const isIncomplete = ({ spec }: LogicalPort): boolean =>
  spec.ips.length === 0 || spec.subnet === '' || (spec.mac === '' && spec.ipamOnly !== true);
