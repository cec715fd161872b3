import type { Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { UNATTACHED } from '../../plan/logical-port.ts';
import { planPodRequests, type RequestPlan } from '../../plan/requests.ts';
import type { Context } from '../context.ts';
import { formatWorkloadKey } from '../keys.ts';
import { makeRequestContext } from '../port/request-context.ts';
import type { Seen } from '../port/seen.ts';
import { completePlan, findClusterUid, isKeptByClaim } from '../port/wishes.ts';

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];
const NO_PLAN: RequestPlan = { requests: [], problems: [] };

/**
 * One pod. It has its address from when it has a node, so that its LogicalPort is written once with everything, until it
 * is gone or in its final phase: the kubelet sets that phase once no container runs, and nothing starts in such a pod again
 * (as Services see it, too).
 */
export function observePod(context: Context, namespace: string, name: string): Seen {
  const { world } = context;
  const key = formatWorkloadKey('pod', namespace, name);
  const pod = world.pods.store.get(`${namespace}/${name}`);
  const ports = world.ports.store.byIndex('key', key);
  const base = {
    key,
    namespace,
    name,
    ports,
    carrierOf: (nic: string) => ({ interface: nic }),
    stopped: false,
    claimExists: isKeptByClaim(context, namespace, key),
    versions: { pod: pod?.metadata.resourceVersion },
  };
  const lives = { ...describeCluster(context), launchers: [], kubevirtKnown: true };
  if (pod === undefined) {
    return { ...base, lives, plan: NO_PLAN, stateOf: () => UNATTACHED, leaving: true, mayWait: () => true };
  }
  const final = FINAL.includes(pod.status?.phase);
  const deleting = pod.metadata.deletionTimestamp !== undefined;
  return {
    ...base,
    lives: { ...lives, pod: { uid: pod.metadata.uid ?? '', deleting, final } },
    plan: planPod(context, pod, ports),
    stateOf: (port) => (final ? UNATTACHED : deriveState(pod, port)),
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
  return completePlan(context, planPodRequests(pod, makeRequestContext(context, namespace)), { namespace, ports });
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
