import { ProtocolError } from './errors.ts';

export type FramerLimits = {
  /** Largest message, in bytes. */
  readonly maxBytes: number;
  /** Deepest nesting of arrays and objects. */
  readonly maxDepth: number;
};

/** Room for a dump of about half a million rows; no OVSDB message nests deeper than about ten. */
export const DEFAULT_LIMITS: FramerLimits = { maxBytes: 512 * 1024 * 1024, maxDepth: 64 };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Cuts a stream of concatenated JSON objects (RFC 7047 section 4: JSON-RPC without any length header) into messages.
 * Works on bytes, so chunks may end anywhere, also inside a UTF-8 sequence. It only finds where a message ends; whether
 * the message is valid JSON is for the parser to say.
 */
export class Framer {
  readonly #limits: FramerLimits;
  #parts: Uint8Array[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: FramerLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Takes the next bytes and returns the messages that they complete. Keeps a view of `chunk` until its message is
   * complete, so the caller must not reuse the memory. Throws ProtocolError; the stream is then lost.
   */
  push(chunk: Uint8Array): string[] {
    const messages: string[] = [];
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#depth === 0) {
        start = findStart(chunk, at);
        at = start;
        if (at === chunk.length) break;
      }
      at = this.#inString ? this.#scanString(chunk, at) : this.#scanStructure(chunk, at);
      if (this.#depth === 0) messages.push(this.#finish(chunk.subarray(start, at)));
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(start));
    return messages;
  }

  /** Moves to the end of the message, of the chunk, or into the next string. */
  #scanStructure(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === QUOTE) {
        this.#inString = true;
        return at + 1;
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#descend();
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
      if (this.#depth === 0) return at + 1;
    }
    return chunk.length;
  }

  #descend(): void {
    this.#depth++;
    if (this.#depth > this.#limits.maxDepth)
      throw new ProtocolError(`message nests deeper than ${this.#limits.maxDepth}`);
  }

  #scanString(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at++;
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === QUOTE) {
        this.#inString = false;
        return at + 1;
      }
      if (byte === BACKSLASH) at++;
    }
    this.#escaped = at > chunk.length;
    return chunk.length;
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#limits.maxBytes)
      throw new ProtocolError(`message is larger than ${this.#limits.maxBytes} bytes`);
    this.#parts.push(part);
  }

  #finish(last: Uint8Array): string {
    this.#keep(last);
    const bytes = this.#parts.length === 1 ? last : Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  }
}

function findStart(chunk: Uint8Array, from: number): number {
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at];
    if (byte === OPEN_BRACE) return at;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
      throw new ProtocolError(`a message cannot start with byte ${byte}`);
    }
  }
  return chunk.length;
}
