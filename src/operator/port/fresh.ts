import type { KubeObject, Resource } from '../../kube/index.ts';
import type { Turn } from '../context.ts';
import { isKubevirtKnown } from '../world.ts';
import type { Seen } from './seen.ts';

/**
 * True when the turn has seen the owners of its key just as the API server has them now. Each kind has its own watch and
 * some lag behind others: a port may be known before its pod is, after a change of leader above all. What was not seen
 * proves nothing until it was asked for, so nothing is released without this.
 */
export async function isFresh(turn: Turn, seen: Seen): Promise<boolean> {
  const { api } = turn;
  const isSame = async <T extends KubeObject>(resource: Resource<T>, version: string | undefined) => {
    const found = await resource.find({ namespace: seen.namespace, name: seen.name }, { signal: turn.signal });
    return found?.metadata?.resourceVersion === version;
  };
  const { versions } = seen;
  if ('pod' in versions) return isSame(api.pods, versions.pod);
  if (!isKubevirtKnown(turn.world)) return true;
  const answers = await Promise.all([isSame(api.vms, versions.vm), isSame(api.vmis, versions.vmi)]);
  return answers.every(Boolean);
}
