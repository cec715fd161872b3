import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Attribute,
  decodeAttributes,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
  type Message,
  parseAcknowledgement,
  readText,
  readU32,
  text,
  u32,
} from './codec.ts';
import { ERROR_ATTR, NLM, NLMSG } from './constants.ts';

const bytes = fc.uint8Array({ maxLength: 40 });
const attribute = fc.record({ type: fc.integer({ min: 1, max: 0x3fff }), value: bytes });
const message = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0xffff }),
  seq: fc.integer({ min: 0, max: 0xffffffff }),
  portId: fc.integer({ min: 0, max: 0xffffffff }),
  payload: bytes,
});

describe('attributes', () => {
  test('what is encoded is decoded, the last of a type winning', () => {
    fc.assert(
      fc.property(fc.array(attribute), (attributes) => {
        const wanted = new Map(attributes.map(({ type, value }) => [type, Buffer.from(value)]));
        expect(decodeAttributes(encodeAttributes(attributes))).toEqual(wanted);
      }),
    );
  });

  test('every encoded length is a multiple of four', () => {
    fc.assert(fc.property(fc.array(attribute), (attributes) => encodeAttributes(attributes).length % 4 === 0));
  });

  test('nested attributes carry the nested flag and decode level by level', () => {
    const nested: Attribute[] = [{ type: 18, value: [{ type: 1, value: text('veth') }] }];
    const encoded = encodeAttributes(nested);
    expect(encoded.readUInt16LE(2)).toBe(0x8000 | 18);
    const inner = decodeAttributes(decodeAttributes(encoded).get(18) ?? Buffer.alloc(0));
    expect(readText(inner, 1)).toBe('veth');
  });

  test('bytes of a stranger either decode or end in EBADMSG', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (input) => {
        try {
          decodeAttributes(Buffer.from(input));
        } catch (error) {
          expect(error).toMatchObject({ code: 'EBADMSG' });
        }
      }),
    );
  });

  test.each([
    ['shorter than its header', '0300010000000000'],
    ['longer than the buffer', '0c00010000000000'],
  ])('an attribute %s is refused', (_cause, hex) => {
    expect(() => decodeAttributes(Buffer.from(hex, 'hex'))).toThrow(/EBADMSG/);
  });

  test('an attribute above 65535 bytes is refused', () => {
    expect(() => encodeAttributes([{ type: 1, value: new Uint8Array(65532) }])).toThrow(/EMSGSIZE/);
  });

  test('a short number is absent; a string without its end is whole', () => {
    const found = decodeAttributes(
      encodeAttributes([
        { type: 4, value: new Uint8Array(2) },
        { type: 3, value: Buffer.from('eth0') },
      ]),
    );
    expect(readU32(found, 4)).toBeUndefined();
    expect(readU32(found, 5)).toBeUndefined();
    expect(readText(found, 3)).toBe('eth0');
    expect(readText(found, 5)).toBeUndefined();
  });
});

describe('messages', () => {
  test('several messages of one datagram come back as they went in', () => {
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const decoded = decodeMessages(Buffer.concat(messages.map(encodeMessage)));
        expect(decoded).toEqual(messages.map((entry) => ({ ...entry, payload: Buffer.from(entry.payload) })));
      }),
    );
  });

  test('bytes of a stranger either decode or end in EBADMSG', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (input) => {
        try {
          decodeMessages(Buffer.from(input));
        } catch (error) {
          expect(error).toMatchObject({ code: 'EBADMSG' });
        }
      }),
    );
  });

  test('a header that the kernel documents: RTM_GETLINK, request with ack', () => {
    const encoded = encodeMessage({
      type: 18,
      flags: NLM.request | NLM.ack,
      seq: 7,
      portId: 0,
      payload: new Uint8Array(16),
    });
    expect(encoded.toString('hex').slice(0, 32)).toBe('20000000' + '1200' + '0500' + '07000000' + '00000000');
  });

  test.each([
    ['shorter than a header', '0f000000'],
    ['longer than the datagram', '40000000'],
  ])('a message %s is refused', (_cause, length) => {
    expect(() => decodeMessages(Buffer.from(length + '00'.repeat(12), 'hex'))).toThrow(/EBADMSG/);
  });
});

describe('acknowledgements', () => {
  const header = Buffer.alloc(16);
  const errno = (value: number): Buffer => u32(-value);
  const build = (flags: number, parts: Buffer[], type: number = NLMSG.error): Message => ({
    type,
    flags,
    seq: 1,
    portId: 0,
    payload: Buffer.concat(parts),
  });
  const tlvs = encodeAttributes([
    { type: ERROR_ATTR.message, value: text('Device is already a bridge port') },
    { type: ERROR_ATTR.offset, value: u32(20) },
  ]);

  test('zero is success', () => {
    expect(parseAcknowledgement(build(NLM.capped, [errno(0), header]))).toEqual({ errno: 0, detail: '' });
  });

  test('an error without text', () => {
    expect(parseAcknowledgement(build(NLM.capped, [errno(17), header]))).toEqual({ errno: 17, detail: '' });
  });

  test('the text behind a capped echo', () => {
    const found = parseAcknowledgement(build(NLM.capped | NLM.ackTlvs, [errno(16), header, tlvs]));
    expect(found).toEqual({ errno: 16, detail: 'Device is already a bridge port', offset: 20 });
  });

  test('the text behind a whole echoed request', () => {
    const echoed = encodeMessage({ type: 16, flags: 5, seq: 1, portId: 0, payload: Buffer.alloc(20) });
    const found = parseAcknowledgement(build(NLM.ackTlvs, [errno(16), echoed, tlvs]));
    expect(found.detail).toBe('Device is already a bridge port');
  });

  test('the text at the end of a failed dump', () => {
    const found = parseAcknowledgement(build(NLM.ackTlvs, [errno(22), tlvs], NLMSG.done));
    expect(found).toMatchObject({ errno: 22, detail: 'Device is already a bridge port' });
  });

  test('a cut acknowledgement has no text, an empty one no error', () => {
    expect(parseAcknowledgement(build(NLM.ackTlvs, [errno(5), Buffer.alloc(3)]))).toEqual({ errno: 5, detail: '' });
    expect(parseAcknowledgement(build(0, []))).toEqual({ errno: 0, detail: '' });
  });
});
