import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFifo } from './fifo.ts';

describe('fifo', () => {
  it('is the same as a plain list, whatever is added and taken out', () => {
    const step = fc.record({ add: fc.boolean(), value: fc.integer({ min: 0, max: 200 }).map(BigInt) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500 }), (steps) => {
        const fifo = createFifo();
        let list: bigint[] = [];
        for (const { add, value } of steps) {
          if (add) {
            fifo.add(value);
            if (!list.includes(value)) list.push(value);
          } else {
            expect(fifo.delete(value)).toBe(list.includes(value));
            list = list.filter((other) => other !== value);
          }
          expect(fifo.first()).toBe(list[0]);
        }
        expect(fifo.list()).toEqual(list);
        expect(fifo.size()).toBe(list.length);
        expect(list.every((value) => fifo.has(value))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps its order when it is tidied up', () => {
    const fifo = createFifo();
    for (let value = 0n; value < 1000n; value += 1n) fifo.add(value);
    for (let value = 0n; value < 1000n; value += 1n) if (value % 10n !== 3n) fifo.delete(value);
    fifo.add(0n);
    expect(fifo.list().slice(0, 3)).toEqual([3n, 13n, 23n]);
    expect(fifo.list().at(-1)).toBe(0n);
    expect(fifo.first()).toBe(3n);
  });
});
