import { describe, expect, it } from 'vitest';
import { arrangeDeath, bury, createDice, type Death } from '../../../test/operator/mortal.ts';
import { useSea } from '../../../test/operator/sea.ts';
import { until } from '../../../test/operator/stage.ts';
import type { Leg } from '../../../test/operator/voyage.ts';
import type { LogicalPort } from '../../api/types.gen.ts';

const sea = useSea(['n1', 'n2', 'n3']);

type Step = {
  readonly what: string;
  readonly play: () => Promise<unknown>;
  /** Where the port is in the end. */
  readonly bound: string;
  readonly asked: string;
  /** What may be asked for on the way. */
  readonly via?: readonly string[];
};

/** Waits until the operator is dead or everything is as it must be and nothing is left to write. */
async function whenDeadOrDone(mortal: { readonly dead: boolean; readonly writes: number }, { bound, asked }: Step) {
  let last = -1;
  let since = performance.now();
  await until('death or done', async () => {
    if (mortal.dead) return true;
    if (mortal.writes !== last) since = performance.now();
    last = mortal.writes;
    const done = sea.fleet.findBinding(sea.voyage.lsp) === bound && sea.voyage.asked.at(-1) === asked;
    return (done && performance.now() - since > 150) || undefined;
  }).catch((error: unknown) => {
    const now = `${sea.fleet.findBinding(sea.voyage.lsp)}; asked ${sea.voyage.asked.join(' > ')}`;
    throw new Error(`${now} instead of ${bound}, ${asked}`, { cause: error });
  });
}

/** Operators die at each of their writes, one after the other, until one has nothing left to do. */
async function outlive(step: Step): Promise<number> {
  await sea.stop();
  const from = sea.voyage.asked.length;
  await step.play();
  let deaths = 0;
  for (let write = 1; ; write += 1) {
    const death: Death = { write: 1 + Math.floor((write - 1) / 2), when: write % 2 === 1 ? 'before' : 'after' };
    const mortal = arrangeDeath(sea.stage.api, death);
    const operator = await sea.stage.start({ wrapNb: mortal.wrapNb });
    await whenDeadOrDone(mortal, step).finally(() => bury(sea.stage, operator));
    if (!mortal.dead) break;
    deaths += 1;
  }
  const allowed = [step.asked, ...(step.via ?? [])];
  for (const chassis of sea.voyage.asked.slice(from)) expect([step.what, ...allowed]).toContain(chassis);
  await sea.restart();
  return deaths;
}

async function outliveAll(steps: readonly Step[]): Promise<number> {
  let deaths = 0;
  for (const step of steps) deaths += await outlive(step);
  return deaths;
}

/** The migration that is played at the moment. */
function createLegs() {
  let leg: Leg | undefined;
  const get = (): Leg => {
    if (leg === undefined) throw new Error('no migration');
    return leg;
  };
  const begin = (node: string, name: string) => async () => {
    leg = sea.voyage.prepare(node);
    await sea.plug(node, name);
  };
  return { get, begin };
}

describe('operators that die at each of their writes', () => {
  it('F01 F24 in each step of a migration that fails after activation: the guest’s node is always asked for', async () => {
    await sea.start();
    const legs = createLegs();
    const deaths = await outliveAll([
      { what: 'prepare', play: legs.begin('n2', 'a'), bound: 'n1 | n2 | up', asked: 'n1,n2' },
      { what: 'hand over', play: async () => legs.get().handOver(), bound: 'n1 | n2 | up', asked: 'n1,n2' },
      { what: 'ready', play: async () => legs.get().ready(), bound: 'n2 |  | up', asked: 'n2', via: ['n2,n1'] },
      { what: 'fail', play: async () => legs.get().fail(), bound: 'n1 |  | up', asked: 'n1', via: ['n1,n2'] },
    ]);
    expect(deaths).toBeGreaterThan(8);
    expect(sea.voyage.holders()).toEqual(['Source@n1']);
  }, 120_000);

  it('F01 F23 in each step of one that is aborted, and of one after it that succeeds', async () => {
    await sea.start();
    const legs = createLegs();
    const abort = async () => {
      sea.voyage.cast.remove('vmims', `a/${legs.get().vmim}`);
      sea.voyage.cast.remove('pods', `a/${legs.get().pod}`);
    };
    const deaths = await outliveAll([
      { what: 'prepare', play: legs.begin('n2', 'a'), bound: 'n1 | n2 | up', asked: 'n1,n2' },
      { what: 'abort', play: abort, bound: 'n1 |  | up', asked: 'n1' },
      { what: 'prepare again', play: legs.begin('n3', 'b'), bound: 'n1 | n3 | up', asked: 'n1,n3' },
      { what: 'hand over', play: async () => legs.get().handOver(), bound: 'n1 | n3 | up', asked: 'n1,n3' },
      { what: 'complete', play: async () => legs.get().complete(), bound: 'n3 |  | up', asked: 'n3', via: ['n3,n1'] },
    ]);
    expect(deaths).toBeGreaterThan(8);
    expect(sea.voyage.holders()).toEqual(['Source@n3']);
  }, 120_000);
});

/** Watches who holds the port: by one life, and in one direction only. */
function watchHolders() {
  const wrong: string[] = [];
  const seen: string[] = [];
  const look = () => {
    const port = sea.stage.findPort(sea.voyage.port) as LogicalPort | undefined;
    const pods = (port?.spec.attachments ?? []).map(({ podName }) => podName).join('+');
    if (seen.at(-1) === pods) return;
    if (pods !== '' && seen.includes(pods)) wrong.push(`${pods} again after ${seen.join(' > ')}`);
    if (pods.includes('+')) wrong.push(`${pods} at once`);
    seen.push(pods);
  };
  const stop = sea.stage.api.storage.subscribe(look);
  return { wrong, stop };
}

describe('two launchers at once', () => {
  it('K7 the old one goes and the new one comes in any order of events, under two operators: never two answers', async () => {
    const dice = createDice(7);
    const second = await sea.stage.start();
    let node = 'n1';
    let pod = sea.voyage.board(node);
    const name = pod.slice(0, pod.indexOf('-'));
    await sea.voyage.whenAsked(node);
    const watch = watchHolders();
    for (let round = 0; round < 60; round += 1) {
      const from = sea.voyage.asked.length;
      const before = node;
      node = ['n1', 'n2', 'n3'][Math.floor(dice() * 3)] ?? 'n1';
      const { cast, patchVmi } = sea.voyage;
      const old = pod;
      const goes = () => void cast.remove('pods', `a/${old}`);
      if (dice() < 0.3) patchVmi({ phase: 'Succeeded' });
      const late = dice() < 0.5;
      if (!late) goes();
      cast.remove('vmis', `a/${name}`);
      for (let turns = Math.floor(dice() * 40); turns > 0; turns -= 1) await new Promise(setImmediate);
      pod = sea.voyage.board(node);
      if (late) goes();
      const arrived = node;
      await until('one holder', async () => sea.voyage.holders().join() === `Source@${arrived}` || undefined);
      await sea.voyage.whenAsked(node);
      const asked = sea.voyage.asked.slice(from).filter((chassis) => chassis !== 'mooring/unattached');
      expect(asked.filter((chassis) => chassis !== before && chassis !== node)).toEqual([]);
      expect(asked.lastIndexOf(before) > asked.indexOf(node) && before !== node).toBe(false);
    }
    watch.stop();
    await second.stop();
    expect(watch.wrong).toEqual([]);
  });
});
