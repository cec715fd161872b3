import {
  areContainersReady,
  type Condition,
  findCondition,
  identityOf,
  isDeleting,
  isDown,
  LABEL,
  type Pod,
  type Vmi,
} from '../objects.ts';
import { withCondition } from './conditions.ts';
import type { Context, Write } from './plan.ts';
import { renderLauncher } from './render.ts';

/**
 * Guests of the lab have no disks. Two annotations of a VMI stand for what volumes do to its pods: one that waits for
 * its first consumer, and one that is plugged into the running guest (`ready`, or `stuck` when no node takes its pod).
 */
const FIRST_CONSUMER = 'lab.mooring.dev/first-consumer';
const PLUGGED_VOLUME = 'lab.mooring.dev/plugged-volume';
/** KubeVirt's mark of a launcher that only makes the scheduler choose a node for the volume. */
export const EPHEMERAL = 'kubevirt.io/ephemeral-provisioning';
export const ATTACHMENT_APP = 'hotplug-disk';
const PROVISIONING = 'Provisioning';
/** Ends with SIGTERM, unlike a launcher that waits for its guest. */
const IDLE = ['/usr/bin/virt-tail'];

export function isStorageOnly(pod: Pod): boolean {
  return pod.metadata.annotations?.[EPHEMERAL] !== undefined;
}

/**
 * Before the launcher of a VMI whose volume waits for its first consumer: a storage-only one, until the scheduler has
 * chosen a node for it. `wait` until then; undefined when the launcher itself may come.
 */
export function planProvisioning(vmi: Vmi, pods: readonly Pod[], context: Context): Write | 'wait' | undefined {
  if (vmi.metadata.annotations?.[FIRST_CONSUMER] === undefined) return undefined;
  const state = findCondition(vmi.status?.conditions, PROVISIONING)?.status;
  if (state === 'False') return undefined;
  const pod = pods.find(isStorageOnly);
  if (pod === undefined) return createStorageOnly(vmi, context);
  if (state === undefined) return mark(vmi, 'True', context);
  return pod.spec.nodeName === undefined ? 'wait' : mark(vmi, 'False', context);
}

/** Storage-only launchers go once they run or have ended; one that never starts stays as long as the VMI. */
export function planStorageOnly(pods: readonly Pod[]): Write | undefined {
  const over = pods.find((pod) => isStorageOnly(pod) && !isDeleting(pod) && (areContainersReady(pod) || isDown(pod)));
  return over && { verb: 'delete', kind: 'Pod', ...identityOf(over) };
}

function createStorageOnly(vmi: Vmi, context: Context): Write {
  const pod = renderLauncher(vmi, context);
  pod.metadata.annotations = { ...pod.metadata.annotations, [EPHEMERAL]: 'true' };
  const [compute, ...others] = pod.spec.containers as object[];
  pod.spec.containers = [{ ...compute, command: IDLE }, ...others];
  return { verb: 'create', kind: 'Pod', object: pod };
}

function mark(vmi: Vmi, status: 'True' | 'False', { now }: Context): Write {
  const condition: Condition = { type: PROVISIONING, status };
  const conditions = withCondition(vmi.status?.conditions ?? [], condition, now);
  return { verb: 'update', kind: 'VirtualMachineInstance', object: { ...vmi, status: { ...vmi.status, conditions } } };
}

/**
 * What a target that runs still waits for: the pod that attaches the plugged volume on its node (KubeVirt's
 * `hp-volume-…`, owned by the launcher). `ready` when it waits for nothing.
 */
export function planAttachment(
  vmi: Vmi,
  target: Pod,
  attachments: readonly Pod[],
  context: Context,
): Write | 'ready' | undefined {
  const wanted = vmi.metadata.annotations?.[PLUGGED_VOLUME];
  if (wanted === undefined) return 'ready';
  const pod = attachments.find(({ metadata }) =>
    (metadata.ownerReferences ?? []).some((owner) => owner.uid === target.metadata.uid),
  );
  if (pod === undefined) {
    return { verb: 'create', kind: 'Pod', object: renderAttachment(target, wanted === 'stuck', context) };
  }
  return areContainersReady(pod) ? 'ready' : undefined;
}

function renderAttachment(target: Pod, stuck: boolean, { image }: Context): Pod {
  const { name, namespace, uid } = identityOf(target);
  const owner = { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true };
  const hostname = stuck ? 'no-such-node' : (target.spec.nodeName ?? '');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: 'hp-volume-',
      namespace,
      labels: { [LABEL.app]: ATTACHMENT_APP },
      ownerReferences: [owner],
    },
    spec: {
      containers: [{ name: ATTACHMENT_APP, image, command: IDLE, imagePullPolicy: 'IfNotPresent' }],
      nodeSelector: { 'kubernetes.io/hostname': hostname },
      terminationGracePeriodSeconds: 0,
    },
  };
}
