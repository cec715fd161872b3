import { sleep } from '../../../kube/index.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import type { Carry } from './plan.ts';
import { LIMITS } from './protocol.ts';
import type { Self } from './self.ts';

/** Keeps what the source has told last of neighbours in the target launcher's kernel. */
export type NeighbourKeeper = {
  /** From now on these, in place of the ones before. */
  tell(neighbours: readonly TravellingNeighbour[]): void;
  /** Resolves when nothing of it runs any more; to be awaited after its signal has aborted. */
  done(): Promise<void>;
};

/**
 * Begins with the first word of the source and looks again with each tick until the signal aborts, whatever becomes of the
 * session: KubeVirt makes the guest's bridge later than we come, and a kernel that uses an entry in vain gives it up.
 */
export function startNeighbours(self: Self, carry: Carry, signal: AbortSignal): NeighbourKeeper {
  let wanted: readonly TravellingNeighbour[] = [];
  let running: Promise<void> | undefined;
  const keep = async (): Promise<void> => {
    const report = createReport(self, carry);
    while (!signal.aborted) {
      report(await load(self, carry, wanted).catch((error: unknown) => error));
      await sleep(self.clock, LIMITS.readMs, signal).catch(() => undefined);
    }
  };
  return {
    tell: (neighbours) => {
      wanted = neighbours;
      running ??= keep();
    },
    done: async () => running,
  };
}

async function load({ links }: Self, carry: Carry, neighbours: readonly TravellingNeighbour[]): Promise<void> {
  if (neighbours.length === 0) return;
  for (const netnsPath of carry.netnsPaths) {
    await links.run({ kind: 'loadNeighbours', netnsPath, interface: carry.interface, neighbours });
  }
}

/** Counts and logs a failure once, until a load has succeeded again: a guest without it only waits for its kernel to ask. */
function createReport({ log, metrics }: Self, { port }: Carry): (error: unknown) => void {
  let failing = false;
  return (error) => {
    if (error !== undefined && !failing) {
      metrics.count('carry_failures', { role: 'target', problem: 'neighbours' });
      log.debug({ port, err: error }, 'neighbours are not carried over; trying again');
    }
    failing = error !== undefined;
  };
}
