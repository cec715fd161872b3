import { CLUSTER_UID } from '../../api/annotations.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { KubeObject, Resource } from '../../kube/index.ts';
import type { Turn } from '../context.ts';
import { isKubevirtKnown } from '../world.ts';
import type { Seen } from './seen.ts';

type Holder = NonNullable<LogicalPort['spec']['attachments']>[number];

/**
 * True when the turn has seen these ports, the owners of its key, and the launchers that hold the ports, just as the API
 * server has them now. Each kind has its own watch and some lag behind others: a port may be known before its pod is,
 * after a change of leader above all, and the leader before us may have changed it. What was not seen proves nothing until
 * it was asked for, so nothing is released, handed over or given another address without this.
 */
export async function isFresh(turn: Turn, seen: Seen, ports: readonly LogicalPort[]): Promise<boolean> {
  const { api } = turn;
  const isSame = async <T extends KubeObject>(resource: Resource<T>, version: string | undefined) => {
    const found = await resource.find({ namespace: seen.namespace, name: seen.name }, { signal: turn.signal });
    return found?.metadata?.resourceVersion === version;
  };
  const { versions } = seen;
  const asked = ports.map((port) => isPortSeen(turn, port));
  if ('pod' in versions) return all([isSame(api.pods, versions.pod), ...asked]);
  if (!isKubevirtKnown(turn.world)) return all(asked);
  const holders = ports.flatMap((port) => port.spec.attachments ?? []);
  return all([
    isSame(api.vms, versions.vm),
    isSame(api.vmis, versions.vmi),
    ...holders.map((holder) => isHolderSeen(turn, seen.namespace, holder)),
    ...asked,
  ]);
}

async function all(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(answers)).every(Boolean);
}

/** True when the port says now what we decide from; one that is gone needs no decision. Its status does not count. */
async function isPortSeen(turn: Turn, port: LogicalPort): Promise<boolean> {
  const { name, namespace } = port.metadata;
  const found = await turn.api.ports.find({ name, namespace }, { signal: turn.signal });
  return found === undefined || serialize(found) === serialize(port);
}

const serialize = ({ metadata, spec }: LogicalPort): string =>
  JSON.stringify([metadata.uid, metadata.annotations?.[CLUSTER_UID], metadata.deletionTimestamp, spec]);

/** False when the launcher is there, but not in the cache that the turn has decided from. */
async function isHolderSeen(turn: Turn, namespace: string, { podName, podUID }: Holder): Promise<boolean> {
  if (turn.world.pods.store.get(`${namespace}/${podName}`)?.metadata.uid === podUID) return true;
  const found = await turn.api.pods.find({ namespace, name: podName }, { signal: turn.signal });
  return found?.metadata.uid !== podUID;
}
