import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listRecordedHistories } from '../../test/migration/recorded.ts';
import { NO_CHASSIS } from '../api/names.ts';
import { deriveMigration } from './derive.ts';
import type { MigrationInput, MigrationState, VmiRecord } from './input.ts';
import {
  type Attempt,
  ENDINGS,
  OUTCOMES,
  playHistory,
  type Script,
  type Step,
  type World,
} from './testing/histories.ts';

const attempt: fc.Arbitrary<Attempt> = fc.record({
  outcome: fc.constantFrom(...OUTCOMES),
  target: fc.nat(2),
  hotplugged: fc.boolean(),
  lingers: fc.boolean(),
});
const script: fc.Arbitrary<Script> = fc.record({
  minor: fc.constantFrom(4, 5, 6, 7, 8, 9),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 3 }),
  ending: fc.constantFrom(...ENDINGS),
  cut: fc.integer({ min: 4, max: 40 }),
});
const history = script.map(playHistory);
const recorded = fc.constantFrom(...listRecordedHistories().map(([, inputs]) => inputs));
const worlds: fc.Arbitrary<World[]> = fc.oneof(
  history.map((steps) => steps.map(({ world }) => world)),
  recorded,
);

/** Every kind of objects as it was at another moment: watches are independent, and may run behind for long. */
const split = worlds.chain((states) =>
  fc
    .record({ vmi: fc.nat(states.length - 1), vmims: fc.nat(states.length - 1), launchers: fc.nat(states.length - 1) })
    .map(({ vmi, vmims, launchers }): World => {
      const { vmi: seen } = states[vmi] ?? {};
      const rest = { vmims: states[vmims]?.vmims ?? [], launchers: states[launchers]?.launchers ?? [] };
      return seen === undefined ? rest : { ...rest, vmi: seen };
    }),
);
const anyBinding = fc.option(
  fc.record({ chassis: fc.constantFrom('n1', 'n2', 'n3', 'node1', 'node2'), activated: fc.constant(['n2', 'node2']) }),
  { nil: undefined },
);
const withBinding = (world: World, binding: MigrationInput['binding']): MigrationInput =>
  binding === undefined ? world : { ...world, binding };

const RUNS = { numRuns: 400 };
const describeStates = (states: readonly World[]) => states.map((world) => deriveMigration(world));
const isFinal = ({ phase }: VmiRecord) => phase === 'Succeeded' || phase === 'Failed';

/** The node that the VMI itself calls the guest's, read anew: the target once it runs there, else nodeName. */
function findTold(vmi: VmiRecord | undefined): string | undefined {
  if (vmi === undefined || isFinal(vmi)) return undefined;
  const { domainReady, completed, failed, postCopy, migrationUid, targetNode } = vmi.migrationState ?? {};
  if (migrationUid === undefined) return vmi.nodeName;
  const arrived = failed ? postCopy && domainReady : domainReady || completed;
  return arrived ? targetNode : vmi.nodeName;
}

/** Nodes of launchers that may hold a guest, and those that a VMI names which goes on. */
function listAllowed({ vmi, launchers }: World): (string | undefined)[] {
  const living = launchers.filter(({ final, ephemeral }) => !final && !ephemeral).map(({ node }) => node);
  const { sourceNode, targetNode } = vmi?.migrationState ?? {};
  return [...living, vmi?.nodeName, sourceNode, targetNode, NO_CHASSIS];
}

describe('whole states, one after the other', () => {
  it('ask for the chassis of the guest first, and for it alone outside a migration', () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { what, world, guest, moving } of steps) {
          const { requestedChassis, node } = deriveMigration(world);
          if (guest === undefined) continue;
          expect([what, requestedChassis[0], node]).toEqual([what, guest, guest]);
          if (!moving) expect([what, ...requestedChassis]).toEqual([what, guest]);
        }
      }),
      RUNS,
    );
  });

  it("let the guest's own launcher hold the port, and no other one on its node, whatever lingers there", () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { what, world, guest, pod } of steps) {
          if (guest === undefined) continue;
          const { holds } = deriveMigration(world);
          const there = holds.filter(({ launcher }) => launcher.node === guest).map(({ launcher }) => launcher.uid);
          expect([what, ...there]).toEqual([what, pod]);
        }
      }),
      RUNS,
    );
  });

  it('ask for no chassis where no launcher lives', () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { what, world, guest } of steps) {
          if (guest === undefined) continue;
          const living = world.launchers.filter(({ final }) => !final).map(({ node }) => node);
          for (const node of deriveMigration(world).requestedChassis) expect([what, ...living]).toContain(node);
        }
      }),
      RUNS,
    );
  });

  it('end with nothing attached once all is gone', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const last = steps.at(-1);
        if (last?.world.launchers.length !== 0) return;
        expect(deriveMigration(last.world)).toMatchObject({ phase: 'unattached', requestedChassis: [NO_CHASSIS] });
      }),
      RUNS,
    );
  });

  it('mean the same forward, backward and repeated', () => {
    fc.assert(
      fc.property(worlds, (states) => {
        const forward = describeStates(states);
        expect(describeStates(states.toReversed()).toReversed()).toEqual(forward);
        expect(describeStates(states.flatMap((world) => [world, world]))).toEqual(forward.flatMap((one) => [one, one]));
      }),
      RUNS,
    );
  });
});

describe('what a state does not depend on', () => {
  it('the order in which objects are listed', () => {
    fc.assert(
      fc.property(split, anyBinding, (world, binding) => {
        const turned = { ...world, vmims: world.vmims.toReversed(), launchers: world.launchers.toReversed() };
        expect(deriveMigration(withBinding(turned, binding))).toEqual(deriveMigration(withBinding(world, binding)));
      }),
      RUNS,
    );
  });

  it('terminal VMIMs of the past, replayed', () => {
    fc.assert(
      fc.property(worlds, (states) => {
        const ended = new Map<string, World['vmims'][number]>();
        for (const world of states) {
          for (const vmim of world.vmims) if (/Succeeded|Failed/.test(vmim.phase)) ended.set(vmim.uid, vmim);
          const replayed = { ...world, vmims: [...ended.values(), ...world.vmims] };
          expect(deriveMigration(replayed)).toEqual(deriveMigration(world));
        }
      }),
      RUNS,
    );
  });

  it('old completed launchers, deleted or not deleted yet, also in the middle of a newer migration', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const ended = new Map<string, World['launchers'][number]>();
        for (const { world } of steps) {
          for (const launcher of world.launchers) if (launcher.final) ended.set(launcher.uid, launcher);
          const known = new Set(world.launchers.map(({ uid }) => uid));
          const stale = [...ended.values()].filter(({ uid }) => !known.has(uid));
          const without = world.launchers.filter(({ final }) => !final);
          expect(deriveMigration({ ...world, launchers: [...stale, ...world.launchers] })).toEqual(
            deriveMigration(world),
          );
          expect(deriveMigration({ ...world, launchers: without })).toEqual(deriveMigration(world));
        }
      }),
      RUNS,
    );
  });

  it('stand-ins for storage and pods of other lives', () => {
    fc.assert(
      fc.property(split, (world) => {
        if (world.vmi === undefined) return;
        const extra = { name: 'x', node: 'n4', deleting: false, final: false };
        const others = [
          { ...extra, uid: 'a', vmiUid: world.vmi.uid, ephemeral: true },
          { ...extra, uid: 'b', vmiUid: 'another' },
        ];
        const mixed = { ...world, launchers: [...others, ...world.launchers] };
        expect(deriveMigration(mixed)).toEqual(deriveMigration(world));
      }),
      RUNS,
    );
  });
});

describe('kinds of objects that come each in its own time', () => {
  it("leave the VMI's word the first one, whatever pods, VMIMs and chassis say", () => {
    fc.assert(
      fc.property(split, anyBinding, (world, binding) => {
        const told = findTold(world.vmi);
        if (told !== undefined) expect(deriveMigration(withBinding(world, binding)).requestedChassis[0]).toBe(told);
      }),
      RUNS,
    );
  });

  it('name only nodes that have a living launcher or that the VMI names', () => {
    fc.assert(
      fc.property(split, anyBinding, (world, binding) => {
        const { requestedChassis } = deriveMigration(withBinding(world, binding));
        for (const node of requestedChassis) expect(listAllowed(world)).toContain(node);
        expect(new Set(requestedChassis).size).toBe(requestedChassis.length);
      }),
      RUNS,
    );
  });

  it('ask for two nodes only for a migration that somebody tells of, or until the guest has its chassis', () => {
    fc.assert(
      fc.property(split, anyBinding, (world, binding) => {
        const { requestedChassis } = deriveMigration(withBinding(world, binding));
        if (requestedChassis.length < 2) return;
        const state = world.vmi?.migrationState;
        const open = state?.migrationUid !== undefined && !state.failed && !state.completed;
        const active = world.vmims.some(({ phase }) => !/Succeeded|Failed/.test(phase));
        const left = binding?.chassis !== undefined && requestedChassis[1] === binding.chassis;
        expect(open || active || left).toBe(true);
      }),
      RUNS,
    );
  });

  it('take the port from nobody who held it and whose pod is only not seen', () => {
    fc.assert(
      fc.property(worlds, fc.nat(), fc.nat(), (states, at, behind) => {
        const world = states[at % states.length];
        const told = findTold(world?.vmi);
        if (world === undefined || told === undefined) return;
        const held = deriveMigration(world).holds.map(({ launcher: { uid, name, node } }) => ({ uid, name, node }));
        const unseen = states[behind % ((at % states.length) + 1)]?.launchers ?? [];
        const { holds } = deriveMigration({ ...world, launchers: unseen, held });
        const isKnown = ({ uid }: { uid: string }) => unseen.some((pod) => pod.uid === uid);
        if (unseen.some((pod) => pod.node === told && !pod.final)) return;
        const expected = held.filter((one) => one.node === told && !isKnown(one)).map(({ uid }) => uid);
        expect(holds.map(({ launcher }) => launcher.uid)).toEqual(expect.arrayContaining(expected));
      }),
      RUNS,
    );
  });
});

/** OVN as it follows: the first chassis asked for claims the port. */
function follow(steps: readonly Step[]): { step: Step; first: MigrationState; second: MigrationState }[] {
  let chassis: string | undefined;
  return steps.map((step) => {
    const first = deriveMigration(withBinding(step.world, chassis === undefined ? undefined : { chassis }));
    const [wanted] = first.requestedChassis;
    chassis = wanted === NO_CHASSIS ? undefined : wanted;
    const second = deriveMigration(withBinding(step.world, chassis === undefined ? undefined : { chassis }));
    return { step, first, second };
  });
}

describe('with OVN that follows', () => {
  it('no step goes to a chassis without the one that has the port beside it, and it is at rest after two', () => {
    fc.assert(
      fc.property(history, (steps) => {
        let before: string | undefined;
        for (const { step, first, second } of follow(steps)) {
          const { what, guest, moving } = step;
          expect([what, second.requestedChassis[0]]).toEqual([what, first.requestedChassis[0]]);
          if (guest !== undefined && !moving) expect([what, ...second.requestedChassis]).toEqual([what, guest]);
          if (guest !== undefined && before !== undefined) expect([what, ...first.requestedChassis]).toContain(before);
          before = guest;
        }
      }),
      RUNS,
    );
  });
});

describe('a port that only some launchers carry', () => {
  const some = fc.subarray(['p1', 'p2', 'p3', 'p4']);

  it('is asked for and held by a part of what all of them would, in the same order; all else is the same', () => {
    fc.assert(
      fc.property(
        history.map((steps) => steps.map(({ world }) => world)),
        some,
        anyBinding,
        (states, carriers, binding) => {
          for (const world of states) {
            const whole = deriveMigration(withBinding(world, binding));
            const part = deriveMigration({ ...withBinding(world, binding), carriers });
            const kept = whole.requestedChassis.filter((node) => part.requestedChassis.includes(node));
            expect(part.requestedChassis).toEqual(kept.length > 0 ? kept : [NO_CHASSIS]);
            expect(part.holds).toEqual(whole.holds.filter(({ launcher }) => carriers.includes(launcher.uid)));
            for (const { launcher } of part.holds) expect(part.requestedChassis).toContain(launcher.node);
            expect({ ...part, holds: [], requestedChassis: [] }).toEqual({ ...whole, holds: [], requestedChassis: [] });
          }
        },
      ),
      RUNS,
    );
  });

  it('is as without the restriction when all carry it', () => {
    fc.assert(
      fc.property(split, anyBinding, (world, binding) => {
        const given = withBinding(world, binding);
        const carriers = world.launchers.map(({ uid }) => uid);
        expect(deriveMigration({ ...given, carriers })).toEqual(deriveMigration(given));
      }),
      RUNS,
    );
  });
});
