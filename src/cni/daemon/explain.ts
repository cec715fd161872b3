import type { LogicalPort } from '../../api/types.gen.ts';
import { NetlinkError } from '../../netlink/errors.ts';
import type { Context } from './context.ts';
import { DeadlineError } from './deadline.ts';
import { CniError, type CodeName, toCniError } from './errors.ts';
import { formatName } from './plan-network.ts';
import type { AttachRequest } from './request.ts';
import type { Stage } from './stages.ts';

/** Why a port has no address, for reasons that stay until somebody changes something. All others may pass. */
const REFUSALS: ReadonlyMap<string, CodeName> = new Map<string, CodeName>([
  ...(['SubnetFull', 'PoolFull'] as const).map((reason) => [reason, 'poolExhausted'] as const),
  ...(['AddressInUse', 'AddressRetained'] as const).map((reason) => [reason, 'reservedByOther'] as const),
  ...(
    [
      ...['AddressConflict', 'AddressOutsideSubnet', 'AddressReserved', 'RequestDisagreement', 'InvalidRequest'],
      ...['SubnetNotFound', 'SubnetNotAllowed', 'VpcNotFound', 'VpcNotAllowed', 'PoolNotFound', 'PoolNotAllowed'],
      ...['InvalidPool', 'NetworkAttachmentNotFound', 'NetworkAttachmentInvalid', 'IPAMClaimNotFound'],
      ...['InvalidCIDR', 'CIDROverlap', 'InvalidGateway', 'InvalidExcludeIps', 'BindingNotPossible'],
    ] as const
  ).map((reason) => [reason, 'conflict'] as const),
]);

/**
 * A port that the operator has given up on is not worth the wait, nor is a reason that nobody has removed when the
 * runtime tries again. Not by a status that is older than the spec: the operator writes the spec first. Throws CniError
 * with the operator's own words.
 */
export function refuseBroken(port: LogicalPort): void {
  const allocated = findCondition(port, 'Allocated');
  const conflict = port.status?.phase === 'Conflict';
  if (isStale(port, allocated) || !(conflict || allocated?.status === 'False')) return;
  const { reason, message } = allocated ?? { reason: 'AddressConflict', message: 'phase Conflict' };
  const code = REFUSALS.get(reason) ?? (conflict ? 'conflict' : undefined);
  if (code === undefined) return;
  throw new CniError(code, `LogicalPort ${formatName(port)}: ${reason}: ${message}`);
}

type Condition = ReturnType<typeof findCondition>;

function isStale({ metadata: { generation } }: LogicalPort, condition: Condition): boolean {
  const observed = condition?.observedGeneration;
  return generation !== undefined && observed !== undefined && observed < generation;
}

function findCondition(port: LogicalPort, type: string) {
  return port.status?.conditions?.find((condition) => condition.type === type);
}

type Where = { readonly request: AttachRequest; readonly stage: Stage };

/** The error in words that tell an operator where to look: the message is all that a runtime shows. */
export function explain(context: Context, where: Where, error: unknown): CniError {
  const { request, stage } = where;
  const about = `pod ${request.pod.namespace}/${request.pod.name} interface ${request.ifname}`;
  if (error instanceof DeadlineError) {
    const waited = `waited ${Math.round(error.afterMs / 1000)} s for ${WAITED_FOR[stage]}`;
    const code = stage === 'installed' ? 'bindingTimeout' : 'tryAgain';
    const details = JSON.stringify({ stage, class: 'retry' });
    return new CniError(code, `${about}: ${waited}; ${HINTS[stage](context, request)}`, { details, cause: error });
  }
  if (error instanceof CniError) return new CniError(error.code, `${about}: ${error.message}`, { cause: error });
  const isNetns = error instanceof NetlinkError && (error.code === 'EHOSTNETNS' || error.code === 'ENOENT');
  const { code, message } = toCniError(error);
  return new CniError(isNetns ? 'netns' : code, `${about}: ${stage}: ${message}`, { cause: error });
}

const WAITED_FOR: Record<Stage, string> = {
  pod: 'the pod to appear in the API',
  port: 'its LogicalPort',
  subnet: 'the Subnet of its LogicalPort',
  journal: 'the disk',
  veth: 'the veth',
  ovs: 'the local OVS database',
  installed: 'OVN to install its port',
};

type Hint = (context: Context, request: AttachRequest) => string;

const hintApi: Hint = ({ cluster }) =>
  cluster.hasSynced() ? 'the API server answers' : 'the API server has not answered since the agent started';

const hintBusy: Hint = () => 'the node is overloaded or its disk hangs';

const HINTS: Record<Stage, Hint> = {
  pod: hintApi,
  port: hintPort,
  subnet: hintApi,
  journal: hintBusy,
  veth: hintBusy,
  ovs: ({ ports }) =>
    ports.isLive() ? 'it does not answer in time' : 'it cannot be reached; is the ovn-node pod of this node running?',
  installed: hintBinding,
};

function hintPort(context: Context, request: AttachRequest): string {
  const { cluster } = context;
  if (!cluster.hasSynced()) return hintApi(context, request);
  const port = cluster.findPort(cluster.findPod(request.pod)?.metadata?.uid ?? request.pod.uid, request.ifname);
  const see = `see the pod's events and "kubectl -n ${request.pod.namespace} get logicalports"`;
  if (port === undefined) return `the operator makes it; ${see}`;
  const { reason, message } = findCondition(port, 'Allocated') ?? { reason: 'no condition yet', message: '' };
  return `LogicalPort ${formatName(port)} has no address (${[reason, message].filter(Boolean).join(': ')}); ${see}`;
}

function hintBinding({ cluster }: Context, { pod, ifname }: AttachRequest): string {
  const port = cluster.findPort(cluster.findPod(pod)?.metadata?.uid ?? pod.uid, ifname);
  const look = 'look at the log of ovn-controller on this node';
  return port === undefined ? `its LogicalPort is gone; ${look}` : `${describePort(port)}; ${look}`;
}

function describePort(port: LogicalPort): string {
  const programmed = findCondition(port, 'Programmed');
  const words = programmed?.status === 'False' ? ` (${programmed.message})` : '';
  return `LogicalPort ${formatName(port)} is ${port.status?.phase ?? 'without status'}${words}`;
}
