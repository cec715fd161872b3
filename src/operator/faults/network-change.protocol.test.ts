import { expect, it } from 'vitest';
import { createGuest, NONE } from '../../../test/operator/guest.ts';
import { arrangeDeath, bury, type Death, live } from '../../../test/operator/mortal.ts';
import { postSentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { type Stage, startStage, until } from '../../../test/operator/stage.ts';

type Guest = ReturnType<typeof createGuest>;

const RED = 'vm/a/db/side';
const BLUE = 'vm/a/db/side/blue';

/** Something happens, an operator dies in the middle of it, and the next one has it all. */
async function dieIn(stage: Stage, death: Death, happen: () => void): Promise<void> {
  const mortal = arrangeDeath(stage.api, death);
  const operator = await stage.start({ wrapNb: mortal.wrapNb });
  happen();
  await live(mortal, 150);
  await bury(stage, operator);
}

async function settle(stage: Stage, guest: Guest, wanted: Record<string, string>): Promise<void> {
  const operator = await stage.start();
  for (const [lsp, chassis] of Object.entries(wanted)) await guest.whenOn(lsp, chassis);
  await until('nothing else', async () => (await guest.listLsps()).join() === Object.keys(wanted).toSorted().join());
  await whenSound(stage);
  await bury(stage, operator);
}

const DEATHS: [number, Death['when']][] = [
  [1, 'before'],
  [1, 'after'],
  [2, 'after'],
  [3, 'before'],
  [4, 'after'],
];

it.concurrent.each(DEATHS)(
  'K6 an operator dies at write %i of each step, %s it: both ports are as they must be, no address is anybody else’s',
  async (write, when) => {
    await using stage = await startStage();
    const guest = createGuest(stage);
    const first = await stage.start();
    await guest.makeNetworks('red', 'blue');
    const { vmi } = await guest.run({ side: 'red' });
    const before = await guest.whenOn(RED, 'n1');
    await whenSound(stage);
    await bury(stage, first);
    using sentinel = postSentinel(stage);
    const death = { write, when };

    await dieIn(stage, death, () => guest.ask({ side: 'blue' }));
    await settle(stage, guest, { [RED]: 'n1', [BLUE]: NONE });
    const waiting = await guest.whenOn(BLUE, NONE);

    const begun: ReturnType<Guest['begin']>[] = [];
    const begin = (to: string) => () => begun.push(guest.begin(vmi, { side: 'blue' }, { from: 'n1', to }));
    await dieIn(stage, death, begin('n2'));
    await settle(stage, guest, { [RED]: 'n1', [BLUE]: 'n2' });
    const [move] = begun;
    if (move === undefined) throw new Error('no migration');

    await dieIn(stage, death, () => guest.activate(move));
    await settle(stage, guest, { [RED]: NONE, [BLUE]: 'n2' });
    await dieIn(stage, death, () => guest.fail(move));
    await settle(stage, guest, { [RED]: 'n1', [BLUE]: NONE });
    expect(await guest.whenOn(RED, 'n1')).toEqual(before);

    await dieIn(stage, death, begin('n3'));
    await settle(stage, guest, { [RED]: 'n1', [BLUE]: 'n3' });
    const again = begun[1];
    if (again === undefined) throw new Error('no migration');
    await dieIn(stage, death, () => guest.succeed(again, 'l1'));
    await settle(stage, guest, { [BLUE]: 'n3' });
    expect((await guest.whenOn(BLUE, 'n3')).addresses).toBe(waiting.addresses);
    expect(sentinel.wrong).toEqual([]);
  },
  120_000,
);
