import { describe, expect, it } from 'vitest';
import { parseRecords, RECORD_BYTES, streamOf } from './records.ts';

type Raw = { stream?: number; type: number; sequence?: number; a?: bigint; b?: bigint };

function formatRaw(raws: readonly Raw[]): Buffer {
  const data = Buffer.alloc(raws.length * RECORD_BYTES);
  raws.forEach(({ stream = 0, type, sequence = 0, a = 0n, b = 0n }, index) => {
    const at = index * RECORD_BYTES;
    data.writeUInt16LE(stream, at);
    data.writeUInt16LE(type, at + 2);
    data.writeUInt32LE(sequence, at + 4);
    data.writeBigUInt64LE(a, at + 8);
    data.writeBigUInt64LE(b, at + 16);
  });
  return data;
}

const EPOCH = 1_790_000_000_000_000_000n;

describe('records of the prober', () => {
  it('are answers with both times in milliseconds, finer than a microsecond', () => {
    const [record] = parseRecords(
      formatRaw([{ type: 1, stream: 7, sequence: 42, a: EPOCH + 1_500_000n, b: EPOCH + 2_250_500n }]),
    );
    expect(record).toMatchObject({ type: 'answer', stream: 7, sequence: 42 });
    if (record?.type !== 'answer') throw new Error('no answer');
    expect(record.sent).toBeCloseTo(1_790_000_000_001.5, 3);
    expect(record.received - record.sent).toBeCloseTo(0.7505, 3);
  });

  it('keep what each other type means', () => {
    const raws = [2, 3, 4, 5, 6, 7].map((type) => ({
      type,
      stream: 3,
      sequence: 104,
      a: 5_000_000n,
      b: 8_000_000n,
    }));
    expect(parseRecords(formatRaw(raws))).toEqual([
      { type: 'late', due: 5, at: 8 },
      { type: 'opened', stream: 3, at: 5 },
      { type: 'closed', stream: 3, at: 5, errno: 104 },
      { type: 'mark', at: 5 },
      { type: 'request', stream: 3, sequence: 104, at: 8 },
      { type: 'reply', stream: 3, sequence: 104, at: 8 },
    ]);
  });

  it('leave a part that was not written to its end', () => {
    const data = formatRaw([{ type: 5, a: 1_000_000n }, { type: 5 }]);
    expect(parseRecords(data.subarray(0, RECORD_BYTES + 5))).toEqual([{ type: 'mark', at: 1 }]);
  });

  it('tell that the guest spoke, and that it was asked for its address', () => {
    const data = formatRaw([
      { type: 8, b: 9_000_000n },
      { type: 9, b: 10_000_000n },
    ]);
    expect(parseRecords(data)).toEqual([
      { type: 'spoke', at: 9 },
      { type: 'asked', at: 10 },
    ]);
  });

  it('of a type that nobody writes are an error and not passed over', () => {
    expect(() => parseRecords(formatRaw([{ type: 10 }]))).toThrow('unknown type 10 at byte 0');
  });

  it('are of one stream per place and kind', () => {
    const all = [0, 1, 2].flatMap((place) => [streamOf(place, 'udp4'), streamOf(place, 'out6')]);
    expect(new Set(all).size).toBe(6);
    expect(streamOf(1, 'udp6')).toBe(7);
  });
});
