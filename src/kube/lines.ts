import { ApiError } from './errors.ts';

const NEWLINE = 0x0a;

function tooLong(maxBytes: number): ApiError {
  return new ApiError({ status: 0, reason: 'TooLarge', message: `more than ${maxBytes} bytes`, class: 'retry' });
}

/**
 * Cuts a byte stream into lines without their newline; a last line without newline is dropped, because a watch event
 * that was cut is not an event. Throws `ApiError` (`TooLarge`) for a line of more than `maxBytes`.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      if (held + end - start > maxBytes) throw tooLong(maxBytes);
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      held = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
    held += chunk.length - start;
    if (held > maxBytes) throw tooLong(maxBytes);
    parts.push(chunk.subarray(start));
  }
}

/** Reads a whole body; throws `ApiError` (`TooLarge`) above `maxBytes`. */
export async function readBody(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    held += chunk.length;
    if (held > maxBytes) throw tooLong(maxBytes);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}
