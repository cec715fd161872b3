import type { Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { type Carrier, UNATTACHED } from '../../plan/ports/logical-port.ts';
import type { Present } from '../../plan/requests/match-networks.ts';
import { findPodNad, planPodRequests, planSpareRequests } from '../../plan/requests/requests.ts';
import type { RequestPlan } from '../../plan/requests/types.ts';
import type { Context } from '../context.ts';
import { formatWorkloadKey, getPodKey } from '../keys.ts';
import { makeRequestContext } from '../port/request-context.ts';
import type { Seen } from '../port/seen.ts';
import { completePlan, findClusterUid, isKeptByClaim } from '../port/wishes.ts';
import { hasSpareInterface } from './spare.ts';

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];
const NOT_HELD: Pick<Seen, 'stateOf' | 'stateOfNew'> = { stateOf: () => UNATTACHED, stateOfNew: () => UNATTACHED };
const NO_PLAN: RequestPlan = { requests: [], problems: [] };

/**
 * One pod. It has its address from when it has a node, so that its LogicalPort is written once with everything, until it
 * is gone or in its final phase: the kubelet sets that phase once no container runs, and nothing starts in such a pod again
 * (as Services see it, too).
 */
export function observePod(context: Context, namespace: string, name: string): Seen {
  const { world } = context;
  const key = formatWorkloadKey('pod', namespace, name);
  const found = world.pods.store.get(`${namespace}/${name}`);
  // A VM's launcher has none of its own, but for an interface that its guest has no use for.
  const isOwn = found !== undefined && (getPodKey(found) === key || hasSpareInterface(context, found));
  const pod = isOwn ? found : undefined;
  const ports = world.ports.store.byIndex('key', key);
  const base = {
    key,
    namespace,
    name,
    ports,
    carrierOf: (nic: string) => findCarrier(pod, ports, nic),
    stopped: false,
    claimExists: isKeptByClaim(context, namespace, key),
    versions: { pod: found?.metadata.resourceVersion },
  };
  const lives = { ...describeCluster(context), launchers: [], kubevirtKnown: true };
  if (pod === undefined) {
    return { ...base, lives, plan: NO_PLAN, ...NOT_HELD, leaving: true, mayWait: () => true };
  }
  const final = FINAL.includes(pod.status?.phase);
  const deleting = pod.metadata.deletionTimestamp !== undefined;
  return {
    ...base,
    lives: { ...lives, pod: { uid: pod.metadata.uid ?? '', deleting, final } },
    plan: planPod(context, pod, ports),
    ...(final
      ? NOT_HELD
      : { stateOf: (port) => deriveState(pod, port), stateOfNew: () => deriveState(pod, undefined) }),
    leaving: deleting || final,
    regarding: { ...pod, apiVersion: 'v1', kind: 'Pod' },
    mayWait: () => !pod.spec?.nodeName,
  };
}

function describeCluster(context: Context): { clusterUid?: string } {
  const clusterUid = findClusterUid(context);
  return clusterUid === undefined ? {} : { clusterUid };
}

function planPod(context: Context, pod: Pod, ports: readonly LogicalPort[]): RequestPlan {
  const namespace = pod.metadata.namespace ?? '';
  const requests = makeRequestContext(context, namespace);
  const isOrdinary = getPodKey(pod) === formatWorkloadKey('pod', namespace, pod.metadata.name);
  const plan = isOrdinary ? planPodRequests(pod, requests, listPresent(pod, ports)) : planSpareRequests(pod, requests);
  return completePlan(context, plan, { namespace, ports });
}

/** The interfaces on NADs that this very pod has ports for. */
function listPresent({ metadata }: Pod, ports: readonly LogicalPort[]): Present[] {
  const own = ports.filter(({ spec }) => spec.owner.uid === metadata.uid);
  return own.flatMap(({ spec }) => {
    const held = spec.attachments?.find(({ podUID }) => podUID === metadata.uid);
    return held?.nad === undefined ? [] : { ifname: held.interface, nad: held.nad };
  });
}

/** By the list of networks alone: also a NIC whose request cannot be understood has its network. */
function findCarrier(pod: Pod | undefined, ports: readonly LogicalPort[], nic: string): Carrier {
  const nad = pod && findPodNad(pod, nic, listPresent(pod, ports));
  return { interface: nic, ...(nad === undefined ? {} : { nad }) };
}

/** A pod holds its ports from the moment it has a node, and never moves. */
function deriveState(pod: Pod, port: LogicalPort | undefined): MigrationState {
  const node = pod.spec?.nodeName;
  const isOwn = port === undefined || port.spec.owner.uid === pod.metadata.uid;
  if (node === undefined || node === '' || !isOwn) return UNATTACHED;
  const { uid = '', name } = pod.metadata;
  const launcher = { uid, name, vmiUid: '', node, deleting: false, final: false };
  return {
    phase: 'settled',
    node,
    requestedChassis: [node],
    holds: [{ launcher, role: 'Source' }],
    unsupported: false,
  };
}
