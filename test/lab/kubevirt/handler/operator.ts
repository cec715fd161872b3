import { createQueue, createRunner, type Outcome, systemClock } from '../../../../src/kube/index.ts';
import { type Cache, type Client, createCache } from '../client.ts';
import { NAMESPACE } from '../names.ts';
import { type KubeVirt, LABEL } from '../objects.ts';
import { DAEMON_SET, type DaemonSet, HANDLER_APP, planDaemonSet } from './daemon-set.ts';

const REF = { name: HANDLER_APP, namespace: NAMESPACE };
const KEY = `${NAMESPACE}/${HANDLER_APP}`;

/** Plays the part of virt-operator that follows the KubeVirt CR's migration network, once the CR's kind is served. */
export async function startOperator(client: Client, kubevirts: Cache<KubeVirt>): Promise<void> {
  const daemonSets = createCache<DaemonSet>(client, DAEMON_SET, `${LABEL.app}=${HANDLER_APP}`);
  const queue = createQueue({ clock: systemClock, random: Math.random });
  kubevirts.onChange(() => queue.add(KEY));
  daemonSets.onChange(() => queue.add(KEY));
  daemonSets.start();
  await Promise.all([kubevirts.whenSynced(), daemonSets.whenSynced()]);
  const reconcile = async (): Promise<Outcome> => {
    const daemonSet = daemonSets.store.get(KEY);
    const patch = daemonSet === undefined ? undefined : planDaemonSet(kubevirts.store.list()[0], daemonSet);
    if (patch === undefined) return { done: true };
    client.log.info({ patch }, 'virt-handler follows the migration network');
    await daemonSets.settle(await client.resource<DaemonSet>(DAEMON_SET).patch(REF, patch));
    return { done: true };
  };
  createRunner({ queue, reconcile, concurrency: 1, clock: systemClock, log: client.log }).start();
}
