import { createQueue, createRunner, type Random } from '../../../kube/index.ts';
import type { RunningCluster } from '../cluster.ts';
import { createNetworks, type Networks, type NetworksOptions } from './networks.ts';
import { turn } from './turn.ts';

export type NetworkLoopOptions = Omit<NetworksOptions, 'findNad' | 'wake'> & {
  readonly cluster: Pick<RunningCluster, 'findNad' | 'onPod'>;
  readonly random: Random;
};

/** Networks of pods, with the turns that follow the annotation of pods that run already. */
export type NetworkLoop = { readonly networks: Networks; start(): void; stop(): Promise<void> };

const SECOND = 1000;

export function createNetworkLoop(options: NetworkLoopOptions): NetworkLoop {
  const { cluster, random, context } = options;
  const { clock, log, metrics } = context;
  const queue = createQueue({ clock, random, backoff: { baseMs: SECOND, maxMs: 60 * SECOND } });
  const networks = createNetworks({
    ...options,
    findNad: cluster.findNad,
    wake: (podKey) => queue.addAfter(podKey, 2 * SECOND),
  });
  const runner = createRunner({
    queue,
    reconcile: async (key, signal) => {
      await turn(networks.self, key, signal);
      return { done: true };
    },
    // A turn may wait for a LogicalPort; that must not keep other pods back.
    concurrency: 16,
    clock,
    log,
    metrics,
  });
  let end: (() => void) | undefined;
  return {
    networks,
    start: () => {
      end = cluster.onPod(queue.add);
      runner.start();
    },
    stop: async () => {
      end?.();
      await runner.stop();
      await networks.self.lanes.drain();
    },
  };
}
