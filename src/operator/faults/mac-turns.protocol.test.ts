import { describe, expect, it } from 'vitest';
import { arrangeDeath, bury, createDice, live } from '../../../test/operator/mortal.ts';
import { createCast } from '../../../test/operator/objects.ts';
import { listSwitchPorts, postSentinel, whenSound } from '../../../test/operator/sentinel.ts';
import { COLLECTIONS, type Stage, startStage, until } from '../../../test/operator/stage.ts';

const MAC = '02:00:00:00:00:77';
const NAMES = ['a1', 'a2', 'a3'];
const LIVES = 25;

/** VMs with one MAC that start and stop as they like, whoever else runs. */
function createMachines(stage: Stage, dice: () => number) {
  const cast = createCast(stage.api);
  const vms = new Map(
    NAMES.map((name) => [name, cast.vm(name, { annotations: { 'ovn.kubernetes.io/mac_address': MAC } })]),
  );
  const running = new Set<string>();
  let starts = 0;
  const start = (name: string) => {
    const vmi = cast.vmi(name, vms.get(name));
    starts += 1;
    const node = dice() < 0.5 ? 'n1' : 'n2';
    cast.launcher(`${name}-l${starts}`, vmi, { node });
    cast.setStatus('vmis', `a/${name}`, { phase: 'Running', nodeName: node });
    running.add(name);
  };
  const stop = (name: string) => {
    for (const { metadata } of stage.api.storage.list(COLLECTIONS.pods)) {
      if (metadata.name?.startsWith(`${name}-l`)) cast.remove('pods', `a/${metadata.name}`);
    }
    cast.remove('vmis', `a/${name}`);
    running.delete(name);
  };
  return {
    running,
    step: () => {
      const name = NAMES[Math.floor(dice() * NAMES.length)] ?? '';
      if (running.has(name)) stop(name);
      else start(name);
    },
  };
}

const listHolders = (stage: Stage) => listSwitchPorts(stage).filter(({ addresses }) => addresses.join().includes(MAC));
const isWaiting = (stage: Stage, name: string) => stage.findPort(`a/${name}.default.vm`)?.status?.phase === 'Conflict';

async function walk(seed: number): Promise<void> {
  await using stage = await startStage();
  using sentinel = postSentinel(stage);
  const dice = createDice(seed);
  const machines = createMachines(stage, dice);
  for (let count = 0; count < LIVES; count += 1) {
    const death = { write: 1 + Math.floor(dice() * 12), when: dice() < 0.5 ? 'before' : 'after' } as const;
    const mortal = arrangeDeath(stage.api, death);
    const operator = await stage.start({ wrapNb: mortal.wrapNb });
    for (let n = 0; n < 3; n += 1) {
      machines.step();
      await live(mortal, 60);
    }
    await bury(stage, operator);
    expect(sentinel.wrong).toEqual([]);
  }
  await stage.start();
  for (let round = 0; round < 5; round += 1) {
    if (machines.running.size === 0 || round > 0) machines.step();
    await until('the one that runs is in OVN, and all others wait', async () => {
      const waiting = NAMES.filter((name) => isWaiting(stage, name));
      const isServed = listHolders(stage).length === Math.min(1, machines.running.size);
      return isServed && waiting.length === Math.max(0, machines.running.size - 1);
    });
    await whenSound(stage);
  }
  expect(sentinel.wrong).toEqual([]);
}

describe('guests with one MAC, under operators that die at any write', () => {
  it.concurrent.each([1, 2, 3])(
    'seed %i: the MAC is never in OVN twice, and in the end with one of those that run',
    walk,
    120_000,
  );
});
