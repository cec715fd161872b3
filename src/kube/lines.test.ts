import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody, splitLines } from './lines.ts';

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const end = Math.min(cut, bytes.length);
    yield bytes.subarray(start, end);
    start = end;
  }
  yield bytes.subarray(start);
}

const collect = (text: string, cuts: number[], maxBytes = 10_000) =>
  Array.fromAsync(
    splitLines(
      chunksOf(
        Buffer.from(text),
        cuts.sort((a, b) => a - b),
      ),
      maxBytes,
    ),
  );

describe('splitLines', () => {
  it('gives the same lines wherever the chunks are cut, also inside a character', async () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => `x${text.replaceAll('\n', ' ')}`);
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat(500)), async (lines, cuts) => {
        expect(await collect(lines.map((one) => `${one}\n`).join(''), cuts)).toEqual(lines);
      }),
    );
  });

  it('drops a last line that was cut off, and empty lines', async () => {
    expect(await collect('a\n\nb\nhalf', [])).toEqual(['a', 'b']);
  });

  it.each([
    ['in one chunk', []],
    ['over many chunks', [2, 4, 6, 8, 10]],
  ])('refuses a line that is too long, %s, and takes one that just fits', async (_, cuts) => {
    expect(await collect('12345\n', [...cuts], 5)).toEqual(['12345']);
    await expect(collect('123456\n', [...cuts], 5)).rejects.toMatchObject({ reason: 'TooLarge' });
    await expect(collect('1234567890123', [...cuts], 5)).rejects.toMatchObject({ reason: 'TooLarge' });
  });
});

describe('readBody', () => {
  it('joins the chunks up to the limit', async () => {
    expect(await readBody(chunksOf(Buffer.from('grün'), [3]), 5)).toBe('grün');
    await expect(readBody(chunksOf(Buffer.from('grün!'), [3]), 5)).rejects.toMatchObject({ reason: 'TooLarge' });
  });
});
