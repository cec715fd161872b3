import { describe, expect, it } from 'vitest';
import {
  FIELD,
  formatFlowChange,
  formatFlowRequest,
  formatHello,
  formatMatch,
  type Message,
  parseFlows,
  splitMessages,
  TYPE,
} from './messages.ts';

const hex = (bytes: Buffer) => bytes.toString('hex');
const COOKIE = 0x1122334455667788n;
const RA = new Map([
  [FIELD.inPort, 7n],
  [FIELD.ethType, 0x86ddn],
  [FIELD.ipProto, 58n],
  [FIELD.icmpv6Type, 134n],
]);
/** Header, table 73, priority 80, cookie, 9 packets, then the match: in_port=7, reg14=0x2/0xffff. */
const flow = (match: string) => {
  const tail = Buffer.from(match, 'hex');
  const bytes = Buffer.alloc(48);
  bytes.writeUInt16BE(48 + tail.length, 0);
  bytes.writeUInt8(73, 2);
  bytes.writeUInt16BE(80, 12);
  bytes.writeBigUInt64BE(COOKIE, 24);
  bytes.writeBigUInt64BE(9n, 32);
  return Buffer.concat([bytes, tail]);
};
const MATCH = '0001001880000004000000070001 1d08 000000020000ffff'.replaceAll(' ', '');
const answer = (flags: number, ...flows: Buffer[]): Message => {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(1, 0);
  head.writeUInt16BE(flags, 2);
  return { type: TYPE.multipartReply, xid: 1, body: Buffer.concat([head, ...flows]) };
};

describe('what is sent', () => {
  it('hello: version 1.3 in header and bitmap', () => {
    expect(hex(formatHello())).toBe('04000010000000000001000800000010');
  });

  it('a question for all flows of a table', () => {
    expect(hex(formatFlowRequest(5, { table: 0 }))).toBe(
      `0412003800000005${'0001000000000000'}${'00000000ffffffffffffffff00000000'}${'00'.repeat(16)}0001000400000000`,
    );
  });

  it('a question for the flows with one cookie, in every table', () => {
    const bytes = hex(formatFlowRequest(5, { table: 255, cookie: COOKIE }));
    expect(bytes).toContain('ff000000ffffffffffffffff000000001122334455667788ffffffffffffffff');
  });

  it('a flow that drops: no instruction follows its match', () => {
    const change = { do: 'add', table: 0, priority: 40_000, cookie: COOKIE, match: RA } as const;
    const head = `040e005000000009${'1122334455667788'}${'00'.repeat(8)}`;
    const body = `${'000000000000'}9c40${'f'.repeat(24)}${'00000000'}`;
    const match = '0001001c80000004000000078000 0a0286dd8000 1401 3a8000 3a01 86'.replaceAll(' ', '');
    expect(hex(formatFlowChange(9, change))).toBe(`${head}${body}${match}00000000`);
  });

  it('is deleted only where it has the same cookie', () => {
    const change = { do: 'delete', table: 0, priority: 1, cookie: COOKIE, match: new Map() } as const;
    expect(hex(formatFlowChange(9, change))).toContain(`1122334455667788${'ff'.repeat(8)}0004`);
  });

  it.each([
    ['a value too large', FIELD.ipProto, 256n],
    ['a value below zero', FIELD.inPort, -1n],
    ['a field that nobody writes', FIELD.logicalInport, 1n],
  ])('never %s', (_cause, key, value) => {
    expect(() => formatMatch(new Map([[key, value]]))).toThrow(RangeError);
  });
});

describe('what comes', () => {
  it('is cut into messages, wherever the pieces end', () => {
    const whole = Buffer.concat([formatHello(), formatFlowRequest(2, { table: 1 })]);
    for (let at = 0; at < whole.length; at += 1) {
      const first = splitMessages(whole.subarray(0, at));
      const second = splitMessages(Buffer.concat([first.rest, whole.subarray(at)]));
      const types = [...first.messages, ...second.messages].map(({ type }) => type);
      expect(types).toEqual([TYPE.hello, TYPE.multipartRequest]);
      expect(second.rest).toHaveLength(0);
    }
  });

  it('flows with their counters; of a masked field the value', () => {
    expect(parseFlows(answer(1, flow(MATCH), flow('0001000400000000')))).toEqual({
      more: true,
      flows: [
        {
          table: 73,
          priority: 80,
          cookie: COOKIE,
          packets: 9n,
          match: new Map([
            [FIELD.inPort, 7n],
            [FIELD.logicalInport, 2n],
          ]),
        },
        { table: 73, priority: 80, cookie: COOKIE, packets: 9n, match: new Map() },
      ],
    });
  });

  it('what was written is read as the same', () => {
    const padded = Buffer.concat([formatMatch(RA)]);
    expect(parseFlows(answer(0, flow(hex(padded)))).flows[0]?.match).toEqual(RA);
  });

  it.each<[string, () => unknown]>([
    ['a message shorter than its header', () => splitMessages(Buffer.from('0400000400000000', 'hex'))],
    ['an answer about something else', () => parseFlows({ ...answer(0), type: TYPE.hello })],
    ['an answer that is cut off', () => parseFlows({ type: TYPE.multipartReply, xid: 1, body: Buffer.alloc(1) })],
    ['a flow that ends behind its message', () => parseFlows(answer(0, flow(MATCH).subarray(0, 60)))],
    ['a field that ends behind its match', () => parseFlows(answer(0, flow('0001000880000020')))],
    ['a match that ends behind its flow', () => parseFlows(answer(0, flow('0001ff0000000000')))],
  ])('%s is refused', (_cause, read) => {
    expect(read).toThrow(RangeError);
  });
});
