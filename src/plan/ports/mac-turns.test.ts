import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import {
  createMacTurns,
  describeSharer,
  explainMac,
  judgeMac,
  type MacPartner,
  type Sharer,
  sharesMac,
} from './mac-turns.ts';

const sharer = (name: string, over: Partial<Sharer> & { kind?: Sharer['owner']['kind'] } = {}): Sharer => {
  const { kind = 'VirtualMachine', ...rest } = over;
  return { namespace: 'a', owner: { kind, name }, ...rest };
};

describe('who may be written with one MAC', () => {
  it.each<[string, Sharer, boolean]>([
    ['another VM of the namespace', sharer('two'), true],
    ['a VMI of the namespace', sharer('two', { kind: 'VirtualMachineInstance' }), true],
    ['a VM of another namespace', sharer('two', { namespace: 'b' }), false],
    ['a pod', sharer('two', { kind: 'Pod' }), false],
    ['another NIC of the same guest', sharer('one'), false],
    ['the VMI of the same name', sharer('one', { kind: 'VirtualMachineInstance' }), false],
    ['a NIC of another plugin', sharer('two', { ipamOnly: true }), false],
  ])('a VM and %s: %s', (_cause, other, expected) => {
    expect(sharesMac(sharer('one'), other)).toBe(expected);
    expect(sharesMac(other, sharer('one'))).toBe(expected);
  });

  it('is read from a LogicalPort', () => {
    const spec = { owner: { kind: 'VirtualMachine', name: 'two', uid: 'u' }, ipamOnly: true };
    const port = { metadata: { name: 'x', namespace: 'a' }, spec } as unknown as LogicalPort;
    expect(describeSharer(port)).toMatchObject({ namespace: 'a', owner: { name: 'two' }, ipamOnly: true });
  });
});

const REST: MacPartner = { name: 'a/x', mayHaveRows: false, isHeld: false, isWaiting: false };

describe('whose turn it is', () => {
  it.each<[string, Partial<MacPartner>, MacPartner[], string]>([
    ['alone, and held', { isHeld: true }, [], 'own'],
    ['alone, and stopped', {}, [], 'own'],
    ['stopped beside a stopped one', {}, [REST], 'resting a/x'],
    ['stopped beside one that runs', {}, [{ ...REST, mayHaveRows: true, isHeld: true }], 'resting a/x'],
    ['held beside a stopped one', { isHeld: true }, [REST], 'own'],
    ['held beside one that runs', { isHeld: true }, [{ ...REST, mayHaveRows: true, isHeld: true }], 'taken a/x'],
    ['held beside one whose rows are not gone yet', { isHeld: true }, [{ ...REST, mayHaveRows: true }], 'taken a/x'],
    ['held beside one that is held and has no rows', { isHeld: true }, [{ ...REST, isHeld: true }], 'own'],
    [
      'held, having waited, beside one that did not wait',
      { isHeld: true, isWaiting: true },
      [{ ...REST, isHeld: true }],
      'taken a/x',
    ],
    [
      'held, having waited, beside another that waited',
      { isHeld: true, isWaiting: true },
      [{ ...REST, isHeld: true, isWaiting: true }],
      'own',
    ],
    ['held, having waited, beside a stopped one', { isHeld: true, isWaiting: true }, [REST], 'own'],
    ['held beside many', { isHeld: true }, [REST, { ...REST, name: 'a/y', mayHaveRows: true }], 'taken a/y'],
  ])('%s', (_cause, own, partners, expected) => {
    const standing = judgeMac({ ...REST, ...own }, partners);
    expect(standing === undefined ? 'own' : `${standing.kind} ${standing.other}`).toBe(expected);
  });

  it('is told with the other port', () => {
    const port = { spec: { mac: '02:00:00:00:00:07' } } as LogicalPort;
    expect(explainMac(port, { kind: 'taken', other: 'a/x' })).toMatch(
      /^MAC 02:00:00:00:00:07 is in use by LogicalPort a\/x/,
    );
    expect(explainMac(port, { kind: 'resting', other: 'a/x' })).toMatch(
      /^LogicalPort a\/x has MAC 02:00:00:00:00:07, too/,
    );
  });
});

type Guest = { name: string; isHeld: boolean; isWaiting: boolean; row: boolean };
type Step = readonly [kind: 'start' | 'stop' | 'look' | 'write' | 'fail' | 'lead' | 'wipe', which: number];

const GUESTS = 3;
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('start', 'stop', 'look', 'look', 'write', 'write', 'fail', 'lead', 'wipe'),
  fc.nat(GUESTS - 1),
);

/** Guests with one MAC, the database, and what leaders have sent and not heard of yet. */
function createModel() {
  const guests = Array.from({ length: GUESTS }, (_, index): Guest => {
    return { name: `a/g${index}`, isHeld: false, isWaiting: false, row: false };
  });
  let turns = createMacTurns();
  let sent = new Map<Guest, boolean>();
  const look = (guest: Guest) => {
    // A key has one turn at a time.
    if (sent.has(guest)) return;
    const partners = guests
      .filter((other) => other !== guest)
      .map((other) => ({ ...other, mayHaveRows: other.row || turns.isBegun(other.name) }));
    const standing = judgeMac(guest, partners);
    guest.isWaiting = standing?.kind === 'taken';
    if (standing === undefined) turns.begin(guest.name);
    sent.set(guest, standing === undefined);
  };
  const write = (guest: Guest) => {
    const row = sent.get(guest);
    if (row === undefined) return;
    sent.delete(guest);
    guest.row = row;
    if (!row) turns.end(guest.name);
  };
  return {
    guests,
    run: ([kind, which]: Step) => {
      const guest = guests[which];
      if (guest === undefined) return;
      if (kind === 'start' || kind === 'stop') guest.isHeld = kind === 'start';
      else if (kind === 'look') look(guest);
      else if (kind === 'write') write(guest);
      else if (kind === 'fail') sent.delete(guest);
      else if (kind === 'wipe') for (const one of guests) one.row = false;
      else {
        // The epoch keeps what an earlier leader has sent from being written.
        turns = createMacTurns();
        sent = new Map();
      }
    },
    settle: () => {
      for (let round = 0; round < 4; round += 1) {
        for (const guest of guests) {
          sent.delete(guest);
          look(guest);
          write(guest);
        }
      }
    },
  };
}

/** A whole turn of one guest. */
const pass = (which: number): Step[] => [
  ['look', which],
  ['write', which],
];
const RUN: readonly Step[] = [['start', 0], ...pass(0)];
/** The first stops, the second has the MAC, the first starts again. */
const AGAIN: readonly Step[] = [['start', 1], ['stop', 0], ...pass(0), ...pass(1), ['start', 0]];

function show({ row, isWaiting }: Guest): string {
  if (row) return 'row';
  return isWaiting ? 'waits' : 'rests';
}

describe('whatever starts, stops, is lost or led by another', () => {
  it('one MAC is never in two rows, and never in one that nobody holds for long', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = createModel();
        for (const one of steps) {
          model.run(one);
          expect(model.guests.filter(({ row }) => row).length).toBeLessThanOrEqual(1);
        }
        model.settle();
        const held = model.guests.filter(({ isHeld }) => isHeld);
        const rows = model.guests.filter(({ row }) => row);
        expect(rows.length).toBe(Math.min(1, held.length));
        expect(rows.every(({ isHeld }) => isHeld)).toBe(true);
        expect(held.filter(({ isWaiting }) => isWaiting).length).toBe(Math.max(0, held.length - 1));
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, readonly Step[], string]>([
    ['the one that runs keeps the MAC while another starts', [...RUN, ['start', 1], ...pass(1)], 'row waits rests'],
    ['it has it until its rows are gone', [...RUN, ['start', 1], ['stop', 0], ...pass(1)], 'row waits rests'],
    ['then the one that waited has it', [...RUN, ['start', 1], ['stop', 0], ...pass(0), ...pass(1)], 'rests row rests'],
    ['one that starts again is the second', [...RUN, ...AGAIN, ...pass(0)], 'waits row rests'],
    [
      'a new leader leaves it to the one that has rows',
      [...RUN, ['start', 1], ['lead', 0], ...pass(1)],
      'row waits rests',
    ],
    [
      'after the loss of all rows the one that ran has it, not the one that waited',
      [...RUN, ['start', 1], ...pass(1), ['wipe', 0], ['lead', 0], ...pass(1), ...pass(0)],
      'row waits rests',
    ],
    ['none has it when none runs', [...RUN, ['stop', 0], ...pass(0), ...pass(1)], 'rests rests rests'],
  ])('%s', (_cause, steps, expected) => {
    const model = createModel();
    for (const one of steps) model.run(one);
    expect(model.guests.map(show).join(' ')).toBe(expected);
  });
});
