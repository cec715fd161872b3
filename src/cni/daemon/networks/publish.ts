import { MULTUS_DEFAULT_NETWORK, MULTUS_NETWORKS, NETWORK_STATUS } from '../../../api/annotations.ts';
import { isNotFound, type Resource, retryConflicts } from '../../../kube/index.ts';
import type { Pod } from '../cluster.ts';
import type { LedgerEntry } from './ledger.ts';
import { formatNetworkStatus } from './results.ts';

/** Does the pod ask for networks, or say that it has some? */
export function isConcerned({ metadata }: Pod): boolean {
  const annotations = metadata?.annotations ?? {};
  return [MULTUS_NETWORKS, MULTUS_DEFAULT_NETWORK, NETWORK_STATUS].some((key) => annotations[key] !== undefined);
}

/**
 * The text that the pod's network-status should be, undefined when nothing has to be said: a pod that asked for no
 * network has none, as it would cost a write for each pod of the cluster.
 */
export function planStatus(pod: Pod, entries: readonly LedgerEntry[]): string | undefined {
  const attached = entries.filter(({ state }) => state === 'attached');
  return isConcerned(pod) && attached.some(({ first }) => first) ? formatNetworkStatus(attached) : undefined;
}

/**
 * Writes network-status when it is not so already, through pods/status, the only right that the agent has. The pod's UID
 * is part of the patch, so that a namesake never gets it. Throws ApiError.
 */
export async function publishStatus(
  pods: Pick<Resource<Pod>, 'patchStatus'>,
  pod: Pod,
  text: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid, annotations } = pod.metadata ?? {};
  if (text === undefined || name === undefined || annotations?.[NETWORK_STATUS] === text) return false;
  const patch = { metadata: { uid, annotations: { [NETWORK_STATUS]: text } } };
  try {
    await retryConflicts(() => pods.patchStatus({ name, namespace }, patch, { signal }));
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
