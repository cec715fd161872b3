import type { LogicalPort } from '../../api/types.gen.ts';
import type { KubeObject, Resource } from '../../kube/index.ts';
import type { Turn } from '../context.ts';
import { isKubevirtKnown } from '../world.ts';
import type { Seen } from './seen.ts';

type Holder = NonNullable<LogicalPort['spec']['attachments']>[number];

/**
 * True when the turn has seen the owners of its key, and the launchers that hold what is to be released, just as the API
 * server has them now. Each kind has its own watch and some lag behind others: a port may be known before its pod is,
 * after a change of leader above all. What was not seen proves nothing until it was asked for, so nothing is released
 * without this.
 */
export async function isFresh(turn: Turn, seen: Seen, release: readonly LogicalPort[]): Promise<boolean> {
  const { api } = turn;
  const isSame = async <T extends KubeObject>(resource: Resource<T>, version: string | undefined) => {
    const found = await resource.find({ namespace: seen.namespace, name: seen.name }, { signal: turn.signal });
    return found?.metadata?.resourceVersion === version;
  };
  const { versions } = seen;
  if ('pod' in versions) return isSame(api.pods, versions.pod);
  if (!isKubevirtKnown(turn.world)) return true;
  const holders = release.flatMap((port) => port.spec.attachments ?? []);
  const answers = await Promise.all([
    isSame(api.vms, versions.vm),
    isSame(api.vmis, versions.vmi),
    ...holders.map((holder) => isHolderSeen(turn, seen.namespace, holder)),
  ]);
  return answers.every(Boolean);
}

/** False when the launcher is there, but not in the cache that the turn has decided from. */
async function isHolderSeen(turn: Turn, namespace: string, { podName, podUID }: Holder): Promise<boolean> {
  if (turn.world.pods.store.get(`${namespace}/${podName}`)?.metadata.uid === podUID) return true;
  const found = await turn.api.pods.find({ namespace, name: podName }, { signal: turn.signal });
  return found?.metadata.uid !== podUID;
}
