import { describe, expect, it } from 'vitest';
import { eventually } from '../../../kube/testing/eventually.ts';
import { createFakeClock } from '../../../kube/testing/fake-clock.ts';
import type { TravellingNeighbour } from '../../../netlink/neighbour-travel.ts';
import { LIMITS, parseMessage } from './protocol.ts';
import { type Changes, sendFlows, type Table } from './send.ts';
import { formatFlow, formatNeighbour, PORT_IP } from './testing/records.ts';

type Begin = { readonly neighbours?: readonly TravellingNeighbour[]; readonly readingMs?: number };

/** A source whose table, neighbours and time a test sets. */
function startSource(table: Table, { neighbours = [], readingMs = 0 }: Begin = {}) {
  const clock = createFakeClock();
  const abort = new AbortController();
  const said: string[] = [];
  const state = {
    table,
    changes: { entries: [], lost: false } as Changes,
    neighbours,
    ...{ reads: 0, looks: 0 },
    readingMs,
    hold: Promise.resolve(),
  };
  const done = sendFlows({
    ips: [PORT_IP],
    source: {
      readTable: async () => {
        state.reads += 1;
        clock.advance(state.readingMs);
        return state.table;
      },
      readChanges: async () => {
        state.looks += 1;
        const { changes } = state;
        state.changes = { entries: [], lost: false };
        return changes;
      },
      readNeighbours: async () => state.neighbours,
    },
    write: async (text) => {
      said.push(text);
      await state.hold;
    },
    clock,
    signal: abort.signal,
  });
  const kinds = () => said.map((line) => parseMessage(line.trimEnd()).kind);
  const rested = (ms: number) => eventually(`a rest of ${ms} ms`, () => clock.pending().includes(ms));
  const next = async () => {
    await rested(LIMITS.readMs);
    clock.advance(LIMITS.readMs);
    await rested(LIMITS.readMs);
  };
  const saidSince = (index: number) => said.slice(index).map((line) => parseMessage(line.trimEnd()));
  return { ...{ clock, abort, said, state, done, kinds, rested, next, saidSince } };
}

const tableOf = (...ports: number[]): Table => ({ entries: ports.map((port) => formatFlow(port)), truncated: false });

describe('the source', () => {
  it('tells the table, that it was whole, and then only what changes', async () => {
    const source = startSource(tableOf(1, 2));
    await source.rested(LIMITS.readMs);
    expect(source.kinds()).toEqual(['entries', 'whole']);
    await source.next();
    expect(source.kinds()).toHaveLength(2);
    source.state.changes = { entries: [formatFlow(2), formatFlow(3)], lost: false };
    await source.next();
    expect(source.saidSince(2)).toMatchObject([{ entries: [formatFlow(3)] }]);
    expect(source.state).toMatchObject({ reads: 1, looks: 2 });
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it('tells first whom its launcher knows, and again only when that has changed', async () => {
    const source = startSource(tableOf(1), { neighbours: [formatNeighbour()] });
    await source.rested(LIMITS.readMs);
    expect(source.kinds()).toEqual(['neighbours', 'entries', 'whole']);
    source.clock.advance(LIMITS.readMs);
    await source.rested(LIMITS.readMs);
    expect(source.said).toHaveLength(3);
    for (const neighbours of [[formatNeighbour(), formatNeighbour({ ip: '10.0.2.3' })], []]) {
      const { length } = source.said;
      source.state.neighbours = neighbours;
      source.clock.advance(LIMITS.readMs);
      await source.rested(LIMITS.readMs);
      expect(source.said.slice(length).map((line) => parseMessage(line.trimEnd()))).toEqual([
        { kind: 'neighbours', neighbours, refused: 0 },
      ]);
    }
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it.each([
    ['an empty table', { entries: [], truncated: false }, true],
    [
      'a table with nothing of the port',
      { entries: [formatFlow(1, { reply: formatFlow(1).original })], truncated: false },
      true,
    ],
    ['a table that was cut', { entries: [], truncated: true }, false],
  ])('says so of %s', async (_cause, table, complete) => {
    const source = startSource(table);
    await source.rested(LIMITS.readMs);
    expect(source.said.map((line) => parseMessage(line.trimEnd()))).toEqual([{ kind: 'whole', complete }]);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it('tells a flow that was told as a change no more when the table shows it, and one that lives on again by its time', async () => {
    const source = startSource(tableOf(1));
    source.state.changes = { entries: [formatFlow(2)], lost: false };
    await source.next();
    const { length } = source.said;
    source.state.table = tableOf(1, 2);
    source.clock.advance(LIMITS.wholeMs);
    await eventually('the next reading', () => source.state.reads === 2);
    await source.rested(LIMITS.readMs);
    expect(source.saidSince(length).filter(({ kind }) => kind === 'entries')).toEqual([]);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it.each([
    ['ten seconds', 80, false, LIMITS.wholeMs],
    ['nine times as long as a reading took, where that is longer', 2000, false, 18_000],
    ['nine times as long as a reading took, where changes were lost', 80, true, 720],
  ])('reads the table again after %s: it holds up packets', async (_cause, readingMs, lost, restMs) => {
    const source = startSource(tableOf(1), { readingMs });
    source.state.changes = { entries: [], lost };
    await source.rested(LIMITS.readMs);
    const readAt = source.clock.now();
    for (let at = LIMITS.readMs; at < restMs; at += LIMITS.readMs) {
      await source.next();
      expect({ at, reads: source.state.reads }).toEqual({ at, reads: 1 });
    }
    await source.next();
    expect(source.state.reads).toBe(2);
    expect(source.clock.now() - readAt - readingMs).toBeGreaterThanOrEqual(restMs);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it('does not read on while the other end takes nothing', async () => {
    const source = startSource(tableOf(1));
    const held = Promise.withResolvers<void>();
    source.state.hold = held.promise;
    await eventually('the first line', () => source.said.length === 1);
    source.clock.advance(60_000);
    expect(source.state.reads).toBe(1);
    expect(source.said).toHaveLength(1);
    held.resolve();
    await eventually('the rest', () => source.said.length === 2);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it('keeps to the budget with a table that never rests', async () => {
    const source = startSource({ entries: [], truncated: false });
    const change = () => {
      const timeoutSeconds = 100 + source.state.looks;
      const flows = Array.from({ length: 20_000 }, (_, index) =>
        formatFlow(index + 1, { timeoutSeconds, mark: source.state.looks + 1 }),
      );
      source.state.changes = { entries: flows, lost: false };
    };
    const begun = source.clock.now();
    await source.rested(LIMITS.readMs);
    for (let turn = 0; turn < 5; turn += 1) {
      change();
      const { looks } = source.state;
      await eventually('the next look', () => {
        source.clock.advance(source.clock.pending()[0] ?? 0);
        return source.state.looks > looks;
      });
    }
    const bytes = Buffer.byteLength(source.said.join(''));
    const allowed = LIMITS.bytes + ((source.clock.now() - begun) / 1000) * LIMITS.bytesPerSecond;
    expect(bytes).toBeGreaterThan(LIMITS.bytes);
    expect(bytes).toBeLessThanOrEqual(allowed + 2 ** 16);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it('says something now and then when nothing is new', async () => {
    const source = startSource(tableOf(1));
    for (let ms = 0; ms <= LIMITS.idleMs; ms += LIMITS.readMs) {
      await source.rested(LIMITS.readMs);
      source.clock.advance(LIMITS.readMs);
    }
    await source.rested(LIMITS.readMs);
    expect(source.kinds()).toEqual(['entries', 'whole', 'idle']);
    source.abort.abort(new Error('over'));
    await expect(source.done).rejects.toThrow('over');
  });

  it.each(['readTable', 'readChanges', 'readNeighbours', 'write'])('ends with the error of %s', async (step) => {
    const clock = createFakeClock();
    const fail = async () => Promise.reject(new Error('broken'));
    const source = {
      readTable: step === 'readTable' ? fail : async () => tableOf(1),
      readChanges: step === 'readChanges' ? fail : async () => ({ entries: [], lost: false }),
      readNeighbours: step === 'readNeighbours' ? fail : async () => [],
    };
    const write = step === 'write' ? fail : async () => undefined;
    const done = sendFlows({ ips: [PORT_IP], clock, signal: new AbortController().signal, source, write });
    const ended = expect(done).rejects.toThrow('broken');
    if (step === 'readChanges') {
      await eventually('the rest', () => clock.pending().includes(LIMITS.readMs));
      clock.advance(LIMITS.readMs);
    }
    await ended;
  });
});
