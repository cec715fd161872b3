import type { LogicalPort } from '../../api/types.gen.ts';
import { NetlinkError } from '../../netlink/errors.ts';
import type { Context } from './context.ts';
import { DeadlineError } from './deadline.ts';
import { CniError, type CodeName, toCniError } from './errors.ts';
import { formatName } from './plan-attachment.ts';
import type { AttachRequest } from './request.ts';
import type { Stage } from './stages.ts';

const REFUSALS: ReadonlyMap<string, CodeName> = new Map([
  ['SubnetFull', 'poolExhausted'],
  ['AddressConflict', 'conflict'],
  ['AddressInUse', 'reservedByOther'],
]);

/** A port that the operator has given up on is not worth the wait. Throws CniError with the operator's own words. */
export function refuseBroken(port: LogicalPort): void {
  const allocated = findCondition(port, 'Allocated');
  if (port.status?.phase !== 'Conflict' && allocated?.status !== 'False') return;
  const { reason, message } = allocated ?? { reason: 'AddressConflict', message: 'phase Conflict' };
  const words = `${reason}: ${message}`;
  const code = REFUSALS.get(reason) ?? 'conflict';
  throw new CniError(code, `LogicalPort ${formatName(port)}: ${words}`);
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
  port: (context, request) =>
    context.cluster.hasSynced()
      ? `the operator makes it; see the pod's events and "kubectl -n ${request.pod.namespace} get logicalports"`
      : hintApi(context, request),
  subnet: hintApi,
  journal: hintBusy,
  veth: hintBusy,
  ovs: ({ ports }) =>
    ports.isLive() ? 'it does not answer in time' : 'it cannot be reached; is the ovn-node pod of this node running?',
  installed: hintBinding,
};

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
