import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAttributes, decodeMessages, encodeAttributes, encodeMessage, type Message } from './codec.ts';
import { decodeConntrack, encodeChange, encodeHeader, encodeNew, encodeQuery } from './conntrack-codec.ts';
import type { ConntrackEntry } from './conntrack-entry.ts';
import { CTA, CTNL } from './constants.ts';
import { anyEntry } from './testing-conntrack.ts';

const UDP: ConntrackEntry = {
  family: 4,
  protocol: 17,
  original: { source: '10.0.2.2', destination: '10.16.0.9', sourcePort: 5353, destinationPort: 53 },
  reply: { source: '10.16.0.9', destination: '10.16.0.5', sourcePort: 53, destinationPort: 1025 },
  status: 0x2,
  timeoutSeconds: 300,
};

const message = (payload: Buffer): Message => ({ type: CTNL.new, flags: 0, seq: 1, portId: 0, payload });
const attributesOf = (payload: Buffer) => decodeAttributes(payload.subarray(4));
const hex = (...parts: string[]) => parts.join('').replaceAll(' ', '');

/** As the kernel would dump an entry: both tuples as they are. */
function encodeDumped(entry: ConntrackEntry): Buffer {
  const change = attributesOf(encodeChange(entry));
  const reply = attributesOf(encodeQuery(entry, entry.reply)).get(CTA.tupleOriginal) ?? Buffer.alloc(0);
  const attributes = [...change, [CTA.tupleReply, reply] as const].map(([type, value]) => ({ type, value }));
  return Buffer.concat([encodeHeader(entry.family), encodeAttributes(attributes)]);
}

describe('bytes of a new entry', () => {
  test('a UDP flow behind a masquerade, byte by byte', () => {
    const ip = (source: string, destination: string) => hex('1400 0180', '0800 0100', source, '0800 0200', destination);
    const proto = (source: string, destination: string) =>
      hex('1c00 0280', '0500 0100 11000000', '0600 0200', source, '0000', '0600 0300', destination, '0000');
    const nat = (address: string, port: string) =>
      hex('0800 0100', address, '0800 0200', address, '1400 0380', '0600 0100', port, '0000 0600 0200', port, '0000');
    const expected = hex(
      '02000000',
      '3400 0180',
      ip('0a000202', '0a100009'),
      proto('14e9', '0035'),
      '3400 0280',
      ip('0a100009', '0a000202'),
      proto('0035', '14e9'),
      '2800 0680',
      nat('0a100005', '0401'),
      '2800 0d80',
      nat('0a100009', '0035'),
      '0800 0300 0000000a',
      '0800 0700 0000012c',
    );
    expect(encodeNew(UDP).toString('hex')).toBe(expected);
  });

  test('IPv6 has its own attribute numbers', () => {
    const entry: ConntrackEntry = {
      ...UDP,
      family: 6,
      original: { source: 'fd10:0:2::2', destination: 'fd00:10::9', sourcePort: 1, destinationPort: 2 },
      reply: { source: 'fd00:10::9', destination: 'fd00:10::5', sourcePort: 2, destinationPort: 1 },
    };
    const bytes = encodeNew(entry);
    expect(bytes.readUInt8(0)).toBe(10);
    const ip = decodeAttributes(decodeAttributes(attributesOf(bytes).get(CTA.tupleOriginal) ?? bytes).get(1) ?? bytes);
    expect([...ip.keys()]).toEqual([3, 4]);
    const nat = decodeAttributes(attributesOf(bytes).get(CTA.natSource) ?? bytes);
    expect([...nat.keys()]).toEqual([4, 5, 3]);
    expect(nat.get(4)?.toString('hex')).toBe('fd000010000000000000000000000005');
  });

  test('an entry is always confirmed, and its TCP side takes segments outside of any window', () => {
    const tcp = { state: 3, windowScaleOriginal: 7, windowScaleReply: 9, flagsOriginal: 3, flagsReply: 2 };
    const attributes = attributesOf(encodeNew({ ...UDP, protocol: 6, status: 0, tcp }));
    expect(attributes.get(CTA.status)?.toString('hex')).toBe('00000008');
    const parts = decodeAttributes(
      decodeAttributes(attributes.get(CTA.protoInfo) ?? Buffer.alloc(0)).get(1) ?? Buffer.alloc(0),
    );
    expect([...parts.values()].map((value) => value.toString('hex'))).toEqual(['03', '07', '09', '0bff', '0aff']);
  });

  test('a change leaves NAT and reply out, which the kernel would refuse', () => {
    expect([...attributesOf(encodeChange({ ...UDP, mark: 1 })).keys()]).toEqual([
      CTA.tupleOriginal,
      CTA.status,
      CTA.timeout,
      CTA.mark,
    ]);
  });
});

describe('reading', () => {
  test('what the kernel would dump of an entry is that entry', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const { status, tcp } = entry;
        const liberal = tcp && { ...tcp, flagsOriginal: tcp.flagsOriginal | 8, flagsReply: tcp.flagsReply | 8 };
        const wanted = { ...entry, status: status | 8, ...(liberal === undefined ? {} : { tcp: liberal }) };
        expect(decodeConntrack(message(encodeDumped(entry)))).toEqual(wanted);
      }),
    );
  });

  test('a new entry survives the envelope', () => {
    const { seq, portId, type, flags } = message(Buffer.alloc(0));
    const [found] = decodeMessages(encodeMessage({ seq, portId, type, flags, payload: encodeDumped(UDP) }));
    expect(found && decodeConntrack(found)).toEqual({ ...UDP, status: 0xa });
  });

  test.each([
    ['of another protocol', encodeDumped({ ...UDP, protocol: 132 })],
    ['of a zone', Buffer.concat([encodeDumped(UDP), Buffer.from('060012000003 0000'.replace(' ', ''), 'hex')])],
  ])('an entry %s is passed over', (_what, payload) => {
    expect(decodeConntrack(message(payload))).toBeUndefined();
  });

  test('an entry that is being given up has no TCP part and no timeout', () => {
    const payload = Buffer.concat([
      encodeHeader(4),
      encodeAttributes(
        [...attributesOf(encodeDumped({ ...UDP, protocol: 6 }))]
          .filter(([type]) => type !== CTA.timeout)
          .map(([type, value]) => ({ type, value })),
      ),
    ]);
    expect(decodeConntrack(message(payload))).toMatchObject({ timeoutSeconds: 0, tcp: { state: 0 } });
  });

  test('bytes of a stranger either decode or end in EBADMSG', () => {
    const cut = fc.tuple(anyEntry, fc.nat(200), fc.nat(255)).map(([entry, at, value]) => {
      const bytes = encodeDumped(entry);
      bytes[at % bytes.length] = value;
      return bytes;
    });
    const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(cut, noise), (payload) => {
        try {
          decodeConntrack(message(payload));
        } catch (error) {
          expect(error).toMatchObject({ code: 'EBADMSG' });
        }
      }),
    );
  });

  test('a question names one tuple and nothing else', () => {
    expect([...attributesOf(encodeQuery(UDP, UDP.reply)).keys()]).toEqual([CTA.tupleOriginal]);
    expect(encodeHeader(0).toString('hex')).toBe('00000000');
  });
});
