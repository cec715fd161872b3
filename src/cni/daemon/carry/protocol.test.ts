import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CarryError } from './errors.ts';
import {
  deriveBudget,
  formatEntries,
  formatNeighbours,
  formatWhole,
  IDLE_LINE,
  LIMITS,
  parseMessage,
} from './protocol.ts';
import { formatFlow, formatNeighbour } from './testing/records.ts';

const flows = (count: number) => Array.from({ length: count }, (_, index) => formatFlow(1024 + index));

describe('lines', () => {
  it('bring flows over unchanged, in lines of bounded size', () => {
    const lines = formatEntries(flows(2500));
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThan(LIMITS.lineBytes);
    const read = lines.flatMap((line) => {
      const message = parseMessage(line.trimEnd());
      return message.kind === 'entries' ? message.entries : [];
    });
    expect(read).toEqual(flows(2500));
  });

  it('are none for no flows', () => expect(formatEntries([])).toEqual([]));

  it('tell the end of the table, and that nothing is new', () => {
    expect(parseMessage(formatWhole(true).trimEnd())).toEqual({ kind: 'whole', complete: true });
    expect(parseMessage(formatWhole(false).trimEnd())).toEqual({ kind: 'whole', complete: false });
    expect(parseMessage(IDLE_LINE.trimEnd())).toEqual({ kind: 'idle' });
  });

  it('bring neighbours over unchanged, no more than may', () => {
    const many = Array.from({ length: LIMITS.neighbours + 5 }, (_, index) =>
      formatNeighbour({ ip: `10.0.${index >> 8}.${index & 0xff}` }),
    );
    const line = formatNeighbours(many);
    expect(Buffer.byteLength(line)).toBeLessThan(LIMITS.lineBytes);
    const neighbours = many.slice(0, LIMITS.neighbours);
    expect(parseMessage(line.trimEnd())).toEqual({ kind: 'neighbours', neighbours, refused: 0 });
  });

  it('leave out a neighbour that is none, and keep the others', () => {
    const wrong = [formatNeighbour({ mac: '01:00:5e:00:00:01' }), formatNeighbour({ ip: 'x' }), null, 7];
    const message = parseMessage(JSON.stringify({ neighbours: [...wrong, formatNeighbour()] }));
    expect(message).toEqual({ kind: 'neighbours', neighbours: [formatNeighbour()], refused: 4 });
  });

  it('of neighbours are none of what an older agent looks for', () => {
    const { entries, whole } = JSON.parse(formatNeighbours([formatNeighbour()]));
    expect([entries, whole]).toEqual([undefined, undefined]);
  });

  it('of a later version are understood as far as they say what we know', () => {
    expect(parseMessage('{"later":[1,2]}')).toEqual({ kind: 'idle' });
  });

  it.each([
    ['no JSON', 'hello'],
    ['a piece of JSON', '{"entries":['],
    ['a number', '7'],
    ['null', 'null'],
    ['a list', '[]'],
    ['flows that are no list', '{"entries":{"length":1}}'],
    ['more flows than a line may have', JSON.stringify({ entries: Array.from({ length: 1001 }, () => 0) })],
    ['neighbours that are no list', '{"neighbours":{"length":1}}'],
    ['more neighbours than a line may have', `{"neighbours":[${'0,'.repeat(LIMITS.neighbours)}0]}`],
    ['HTTP', 'GET / HTTP/1.1'],
  ])('that are %s end the session', (_cause, line) => {
    expect(() => parseMessage(line)).toThrow(CarryError);
  });

  it.each([
    ['no object', 1],
    ['null', null],
    ['a tuple without addresses', { ...formatFlow(1), original: {} }],
    ['an address of the other family', { ...formatFlow(1), family: 6 }],
    ['loopback', { ...formatFlow(1), original: { ...formatFlow(1).original, source: '127.0.0.1' } }],
    ['a port out of range', { ...formatFlow(1), original: { ...formatFlow(1).original, sourcePort: 65_536 } }],
    ['a protocol that does not travel', { ...formatFlow(1), protocol: 47 }],
  ])('leave out an entry that is %s, and keep the others', (_cause, wrong) => {
    const message = parseMessage(JSON.stringify({ entries: [wrong, formatFlow(2)] }));
    expect(message).toEqual({ kind: 'entries', entries: [formatFlow(2)], refused: 1 });
  });

  it('of any text give a message or a CarryError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          return parseMessage(text).kind.length > 0;
        } catch (error) {
          return error instanceof CarryError && error.problem === 'protocol';
        }
      }),
    );
  });
});

describe('the budget', () => {
  it('grows with the session, and the receiver allows more than the sender takes', () => {
    expect(deriveBudget(0, 'source')).toBe(LIMITS.bytes);
    expect(deriveBudget(2000, 'source')).toBe(LIMITS.bytes + 2 * LIMITS.bytesPerSecond);
    expect(deriveBudget(-5, 'source')).toBe(LIMITS.bytes);
    for (const ms of [0, 1000, 60_000]) {
      expect(deriveBudget(ms, 'target')).toBeGreaterThanOrEqual(deriveBudget(ms, 'source') + LIMITS.lineBytes);
    }
  });
});
