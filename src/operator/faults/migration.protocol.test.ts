import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../../test/operator/fleet.ts';
import { type Stage, type Started, startStage, until } from '../../../test/operator/stage.ts';
import { createVoyage, type Voyage } from '../../../test/operator/voyage.ts';

const NODES = ['n1', 'n2', 'n3'];

let stage: Stage;
let fleet: Fleet;
let operator: Started;
let voyage: Voyage;
let count = 0;

beforeAll(async () => {
  stage = await startStage();
  fleet = await startFleet(stage, NODES);
});
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  operator = await stage.start();
  count += 1;
  voyage = createVoyage(stage, `vm${count}`);
});
afterEach(async () => {
  voyage[Symbol.dispose]();
  await operator.stop();
  for (const { metadata } of stage.api.storage.list('coordination.k8s.io/v1/leases'))
    stage.api.storage.remove('coordination.k8s.io/v1/leases', `${metadata.namespace}/${metadata.name}`);
  await Promise.all(NODES.map((node) => fleet.ship(node).revive()));
});

const whenBound = async (binding: string) => {
  let last: string | undefined;
  await until(`bound as ${binding}`, async () => {
    last = fleet.findBinding(voyage.lsp);
    return last === binding || undefined;
  }).catch((error: unknown) => {
    throw new Error(`bound as ${last}; asked ${voyage.asked.join(' > ')}`, { cause: error });
  });
};
/** What the agent does on each node that has an attachment. */
const plug = async (node: string, name = 'tap') =>
  fleet.ship(node).plug(`${name}${count}`, { lsp: voyage.lsp, uid: await voyage.whenPort() });

/** A guest on n1, bound there. */
async function start(): Promise<string> {
  const pod = voyage.board('n1');
  await plug('n1');
  await whenBound('n1 |  | up');
  return pod;
}

describe('a migration', () => {
  it('F26 the target is wired before the operator knows of it: it is let in as soon as that is told, not before', async () => {
    await start();
    await operator.stop();
    await plug('n2');
    const leg = voyage.prepare('n2');
    leg.setVmim('Pending');
    expect(fleet.findBinding(voyage.lsp)).toBe('n1 |  | up');
    operator = await stage.start();
    await whenBound('n1 | n2 | up');
    leg.handOver();
    leg.ready();
    await whenBound('n2 |  | up');
    leg.complete();
    await voyage.whenAsked('n2');
    expect(voyage.asked.slice(-4)).toEqual(['n1', 'n1,n2', 'n2,n1', 'n2']);
  });
});
