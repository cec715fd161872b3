import { describe, it } from 'vitest';
import { createDice } from '../../../test/operator/mortal.ts';
import { useSea } from '../../../test/operator/sea.ts';
import { until } from '../../../test/operator/stage.ts';

const NODES = ['n1', 'n2', 'n3'];
const MIGRATIONS = 8;
const sea = useSea(NODES);

type Dice = ReturnType<typeof createDice>;
const pick = <T>(dice: Dice, list: readonly T[]): T => list[Math.floor(dice() * list.length)] as T;

/** Things that break; what does not come back by itself is mended before the end of the migration. */
function createTrouble(dice: Dice) {
  const { fleet, stage } = sea;
  let northdRuns = true;
  const told: string[] = [];
  const troubles: Readonly<Record<string, () => Promise<unknown>>> = {
    'operator killed': () => sea.restart(),
    'northd killed': async () => {
      if (northdRuns) await fleet.northd.kill();
      northdRuns = false;
    },
    'controller killed': () => fleet.ship(pick(dice, NODES)).kill('controller'),
    'switch killed': () => fleet.ship(pick(dice, NODES)).kill('switch'),
    'SB restarted': async () => {
      await stage.sb.kill();
      await stage.sb.start();
    },
    'NB restarted': async () => {
      await stage.nb.server.kill();
      await stage.nb.server.start();
    },
  };
  return {
    told,
    maybe: async () => {
      if (dice() < 0.5) return;
      const what = pick(dice, Object.keys(troubles));
      told.push(what);
      await troubles[what]?.();
    },
    mend: async () => {
      if (!northdRuns) fleet.northd.start();
      northdRuns = true;
      for (const node of NODES) await fleet.ship(node).revive();
    },
  };
}

type Trouble = ReturnType<typeof createTrouble>;
const ENDINGS = ['succeeds', 'succeeds', 'at once', 'fails', 'fails when ready', 'aborted'] as const;

/** One migration with trouble between its steps; gives the node where the guest is afterwards. */
async function migrate(dice: Dice, trouble: Trouble, at: { from: string; name: string }): Promise<string> {
  const { cast } = sea.voyage;
  const ending = pick(dice, ENDINGS);
  const target = pick(
    dice,
    NODES.filter((node) => node !== at.from),
  );
  trouble.told.push(`${at.from} to ${target} ${ending}`);
  const leg = sea.voyage.prepare(target);
  await trouble.maybe();
  const plugged = sea.plug(target, at.name);
  await trouble.maybe();
  await plugged;
  const back = () => {
    cast.setStatus('pods', `a/${leg.pod}`, { phase: 'Failed' });
    return at.from;
  };
  if (ending === 'aborted') {
    cast.remove('vmims', `a/${leg.vmim}`);
    return back();
  }
  leg.handOver();
  await trouble.maybe();
  if (ending === 'fails') {
    leg.fail();
    return back();
  }
  if (ending !== 'at once') leg.ready();
  await trouble.maybe();
  if (ending === 'fails when ready') {
    leg.fail();
    return back();
  }
  leg.complete();
  await trouble.maybe();
  return target;
}

describe('migrations while everything else breaks', () => {
  it.each([1, 2, 3])(
    'F21 F22 F50 F51 seed %i: the guest’s chassis has the port after each migration, and nobody else',
    async (seed) => {
      const dice = createDice(seed);
      const trouble = createTrouble(dice);
      await sea.start();
      let [at, wired, holder] = ['n1', 'tap', 'Source@n1'];
      for (let count = 0; count < MIGRATIONS; count += 1) {
        const name = `w${count}x`;
        const next = await migrate(dice, trouble, { from: at, name });
        await trouble.mend();
        const story = () => trouble.told.join('; ');
        await sea.whenBound(`${next} |  | up`).catch((error: unknown) => {
          throw new Error(story(), { cause: error });
        });
        await sea.voyage.whenAsked(next);
        holder = `Source@${next}`;
        await until('one holder', async () => sea.voyage.holders().join() === holder || undefined).catch(
          (error: unknown) => {
            throw new Error(`${sea.voyage.holders()} instead of ${holder} after ${story()}`, { cause: error });
          },
        );
        // What is left behind is unplugged by the agent.
        const left = next === at ? name : wired;
        for (const node of NODES) if (node !== next) await sea.unplug(node, left);
        if (next !== at) wired = name;
        at = next;
      }
    },
    300_000,
  );
});
