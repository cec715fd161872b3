import type { Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { UNATTACHED } from '../../plan/logical-port.ts';
import { planPodRequests, type RequestPlan } from '../../plan/requests.ts';
import type { Context } from '../context.ts';
import { formatWorkloadKey } from '../keys.ts';
import { makeRequestContext } from '../port/request-context.ts';
import type { Seen } from '../port/seen.ts';

const FINAL: readonly (string | undefined)[] = ['Succeeded', 'Failed'];
const NO_PLAN: RequestPlan = { requests: [], problems: [] };

/**
 * One pod. It has its address from its creation, before it is scheduled, until it is gone or in its final phase: the
 * kubelet sets that phase once no container runs, and nothing starts in such a pod again (as Services see it, too).
 */
export function observePod(context: Context, namespace: string, name: string): Seen {
  const { world } = context;
  const key = formatWorkloadKey('pod', namespace, name);
  const pod = world.pods.store.get(`${namespace}/${name}`);
  const isFinal = FINAL.includes(pod?.status?.phase);
  const uid = pod?.metadata.uid ?? '';
  return {
    key,
    namespace,
    name,
    lives: {
      ...(pod === undefined
        ? {}
        : { pod: { uid, deleting: pod.metadata.deletionTimestamp !== undefined, final: isFinal } }),
      launchers: [],
      kubevirtKnown: true,
    },
    ports: world.ports.store.byIndex('key', key),
    plan: pod === undefined ? NO_PLAN : planPodRequests(pod, makeRequestContext(context, namespace)),
    stateOf: (port) => (pod === undefined || isFinal ? UNATTACHED : deriveState(pod, port)),
    ...(pod === undefined ? {} : { regarding: { ...pod, apiVersion: 'v1', kind: 'Pod' } }),
    versions: { pod: pod?.metadata.resourceVersion },
    mayWait: () => false,
  };
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
