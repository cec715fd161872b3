import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from './errors.ts';
import { Framer } from './stream.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

function feed(framer: Framer, data: Uint8Array, sizes: readonly number[]): string[] {
  const out: string[] = [];
  let at = 0;
  for (let i = 0; at < data.length; i++) {
    const size = Math.max(1, sizes[i % Math.max(1, sizes.length)] ?? 1);
    out.push(...framer.push(data.slice(at, at + size)));
    at += size;
  }
  return out;
}

describe('Framer', () => {
  it.each([
    ['one message', '{"a":1}', ['{"a":1}']],
    ['two without a gap', '{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']],
    ['white space between and around', ' \n{"a":1}\r\n\t{"b":2} ', ['{"a":1}', '{"b":2}']],
    ['braces in strings', '{"a":"}{]["}{}', ['{"a":"}{]["}', '{}']],
    ['an escaped quote', '{"a":"\\"}"}', ['{"a":"\\"}"}']],
    ['a backslash before the end of a string', '{"a":"\\\\"}{}', ['{"a":"\\\\"}', '{}']],
    ['nesting', '{"a":[{"b":[[]]}]}', ['{"a":[{"b":[[]]}]}']],
    ['UTF-8 of two to four bytes', '{"a":"é€😀"}', ['{"a":"é€😀"}']],
  ])('finds %s, whole and byte by byte', (_name, text, expected) => {
    expect(new Framer().push(bytes(text))).toEqual(expected);
    expect(feed(new Framer(), bytes(text), [1])).toEqual(expected);
  });

  it('finds any JSON objects, however the stream is cut', () => {
    const messages = fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (list, sizes) => {
        const texts = list.map((message) => JSON.stringify(message));
        const framer = new Framer({ maxBytes: 1e6, maxDepth: 1000 });
        expect(feed(framer, bytes(texts.join('')), sizes)).toEqual(texts.map((text) => Buffer.from(text).toString()));
      }),
    );
  });

  it('never throws anything but ProtocolError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        try {
          new Framer({ maxBytes: 50, maxDepth: 4 }).push(data);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it('refuses what is not an object at once', () => {
    for (const text of ['[1]', 'null', '"{}"', '1', '{}x', '}']) {
      expect(() => new Framer().push(bytes(text)), text).toThrow(ProtocolError);
    }
  });

  it('refuses deep nesting when it appears, not when the message ends', () => {
    const framer = new Framer({ maxBytes: 1e6, maxDepth: 64 });
    expect(framer.push(bytes(`{"a":${'['.repeat(63)}`))).toEqual([]);
    expect(() => framer.push(bytes('['))).toThrow(/deeper than 64/);
  });

  it('refuses a message larger than the cap before it is complete', () => {
    const framer = new Framer({ maxBytes: 100, maxDepth: 64 });
    expect(framer.push(bytes(`{"a":"${'x'.repeat(90)}`))).toEqual([]);
    expect(() => framer.push(bytes('x'.repeat(10)))).toThrow(/larger than 100/);
  });

  it('counts each message on its own against the cap', () => {
    const framer = new Framer({ maxBytes: 10, maxDepth: 64 });
    expect(framer.push(bytes('{"a":1}'.repeat(20)))).toHaveLength(20);
  });
});
