import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRandom } from '../../plan/wishes/testing/mutate.ts';
import { type Berth, berth, eventually, listHostEnds, listOvsPorts, prepareSubnet } from './testing/berths.ts';
import { startTestNode, type TestNode } from './testing/node.ts';
import { run } from './testing/processes.ts';

const LANES = 6;
const CYCLES = 12;
const RESTARTS = 5;
/** On a busy machine. */
const LONG_MS = 90_000;

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await prepareSubnet(node);
  await node.startAgent();
});
afterAll(() => node.stop());

const listState = async (folder: string): Promise<string[]> =>
  (await readdir(join(node.folder, 'state', folder)).catch(() => [])).filter((name) => !name.endsWith('.tmp'));
const isEmpty = async () =>
  [await listOvsPorts(node), await listHostEnds(node), await listState('attachments'), await listState('spool')].every(
    ({ length }) => length === 0,
  );

/** One life of a sandbox as a runtime leads it: ADD, and DEL until that is done, whatever became of the ADD. */
async function live({ pod }: Berth, life: string): Promise<boolean> {
  const netns = `${pod.netns}-${life}`;
  await run(['ip', 'netns', 'add', netns]);
  const sandbox = { ...pod, netns, containerId: `${pod.containerId}-${life}` };
  try {
    const added = await node.cni({ command: 'ADD', pod: sandbox });
    const isDeleted = async () => (await node.cni({ command: 'DEL', pod: sandbox })).exit === 0;
    await eventually(`DEL of ${sandbox.containerId}`, isDeleted, LONG_MS);
    return added.exit === 0;
  } finally {
    await run(['ip', 'netns', 'delete', netns]);
  }
}

test.each([11, 12])(
  'F62 seed %i: bursts of ADD and DEL while the agent is killed and asked to stop: nothing is left, nobody is refused for ever',
  { timeout: 240_000 },
  async (seed) => {
    const next = makeRandom(seed);
    const random = (below: number) => Math.floor(next() * below);
    const signals = Array.from({ length: RESTARTS }, () => (random(2) === 0 ? 'SIGKILL' : 'SIGTERM') as NodeJS.Signals);
    const pods = await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        const pod = await node.addPod(`burst-${seed}-${lane}`);
        return berth(node, pod, (seed - 6) * 20 + lane);
      }),
    );
    let [served, over] = [0, 0];
    const lanes = pods.map(async (pod, lane) => {
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        served += (await live(pod, `${seed}-${lane}-${cycle}`)) ? 1 : 0;
        over += 1;
      }
    });
    for (const signal of signals) {
      const until = served + 1 + random(LANES);
      await eventually('some are served', async () => served >= until || over === LANES * CYCLES, LONG_MS);
      await node.stopAgent(signal);
      await node.startAgent();
    }
    await Promise.all(lanes);
    await eventually('nothing left', isEmpty);
    expect(await listState('quarantine')).toEqual([]);
    const last = pods.map((pod) => live(pod, `${seed}-last`));
    expect(await Promise.all(last)).toEqual(pods.map(() => true));
    await eventually('nothing left', isEmpty);
  },
);
