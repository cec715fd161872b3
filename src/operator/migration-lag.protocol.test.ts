import { describe, expect, it } from 'vitest';
import { COLLECTIONS } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { Transport } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, guest } = useStage();

const RED = 'vm/a/db/side';

/** A first watch of VMIs that is open and tells nothing any more; the next one does. */
function deafen(transport: Transport): Transport {
  let watches = 0;
  return {
    ...transport,
    stream: async function* (request) {
      const isVmis = request.path.endsWith('/virtualmachineinstances');
      if (isVmis) watches += 1;
      const isDeaf = isVmis && watches === 1;
      for await (const line of transport.stream(request)) if (!isDeaf) yield line;
    },
  };
}

describe('F29 F45 a new leader whose watch of VMIs is behind', () => {
  it('leaves the guest on the node that the leader before it gave the port to, and catches up', async () => {
    const first = await stage.start();
    await guest.makeNetworks('red');
    const { vmi } = await guest.run({ side: 'red' });
    const second = await stage.start({ wrapTransport: deafen });
    await eventually('caches', () => second.operator.findObstacle() === undefined);
    const move = guest.begin(vmi, { side: 'red' }, { from: 'n1', to: 'n2' });
    await guest.whenOn(RED, 'n1,n2');
    guest.succeed(move, 'l1');
    await guest.whenOn(RED, 'n2');
    const seen = new Set<string>();
    const dispose = watchRows((chassis) => seen.add(chassis));
    await first.stop();
    await eventually('the second leads', () => second.operator.isLeader());
    await guest.settle('p1');
    // The next step of its life is seen as well.
    const back = guest.begin(vmi, { side: 'red' }, { from: 'n2', to: 'n3' });
    guest.succeed(back, move.target);
    await guest.whenOn(RED, 'n3');
    dispose();
    expect([...seen].filter((chassis) => chassis.split(',').includes('n1'))).toEqual([]);
  });

  it('asks nothing of the API server about VMIs whose rows are right', async () => {
    const first = await stage.start();
    await guest.makeNetworks('red');
    await guest.run({ side: 'red' });
    await first.stop();
    stage.api.requests.length = 0;
    await stage.start();
    await guest.settle('p1');
    const asked = stage.api.requests.filter(
      ({ verb, collection }) => verb === 'get' && collection === COLLECTIONS.vmis,
    );
    expect(asked).toEqual([]);
  });
});

/** Looks at the port's row all the time. */
function watchRows(tell: (chassis: string) => void): () => void {
  let isOver = false;
  const look = async (): Promise<void> => {
    if (isOver) return;
    const row = (await stage.listLsps()).get(RED);
    if (row !== undefined) tell(row.chassis);
    setTimeout(() => void look(), 5);
  };
  void look();
  return () => {
    isOver = true;
  };
}
