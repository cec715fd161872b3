import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createRequestReader,
  formatAnswer,
  formatRequest,
  LIMITS,
  parseAnswer,
  parseRequest,
  WireError,
  type WireRequest,
} from './protocol.ts';

const request: WireRequest = {
  env: new Map([
    ['CNI_COMMAND', 'ADD'],
    ['CNI_CONTAINERID', 'c1'],
    ['CNI_ARGS', 'IgnoreUnknown=1;K8S_POD_NAME=web'],
    ['CNI_NETNS', ''],
  ]),
  stdin: '{"cniVersion":"1.0.0","name":"mööring"}',
};

const problem = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return `${error.kind}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('request on the wire', () => {
  test('what is sent is what is read, umlauts in bytes', () => {
    expect(parseRequest(formatRequest(request))).toEqual(request);
  });

  test('the bytes are what the C program writes', () => {
    const bytes = formatRequest({ env: new Map([['CNI_COMMAND', 'DEL']]), stdin: '{}' });
    expect(bytes.toString()).toBe('MOORING_SHIM=1\0MOORING_STDIN=2\0CNI_COMMAND=DEL\0\0{}');
  });

  test('every cut into two pieces gives the same request', () => {
    const bytes = formatRequest(request);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const reader = createRequestReader();
      expect(reader.push(bytes.subarray(0, cut))).toBeUndefined();
      expect(reader.push(bytes.subarray(cut))).toEqual(request);
    }
  });

  test('a request cut short is incomplete at every byte and never read as whole', () => {
    const bytes = formatRequest(request);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(problem(() => parseRequest(bytes.subarray(0, cut)))).toMatch(/^Malformed: the request ends after/);
    }
  });

  test('empty stdin is a request', () => {
    expect(parseRequest(formatRequest({ env: new Map([['CNI_COMMAND', 'VERSION']]), stdin: '' })).stdin).toBe('');
  });

  test.each([
    ['another version', 'MOORING_SHIM=2\0MOORING_STDIN=0\0A=b\0\0', 'Skew: the shim speaks version 2'],
    ['a stranger', 'GET / HTTP/1.1\r\n', 'Malformed: this is no request'],
    ['no length', 'MOORING_SHIM=1\0A=b\0\0', 'Malformed: no valid MOORING_STDIN'],
    ['negative length', 'MOORING_SHIM=1\0MOORING_STDIN=-1\0\0', 'Malformed: no valid MOORING_STDIN'],
    ['length in hex', 'MOORING_SHIM=1\0MOORING_STDIN=0x1\0\0{', 'Malformed: no valid MOORING_STDIN'],
    ['huge length', 'MOORING_SHIM=1\0MOORING_STDIN=999999999\0\0', 'Malformed: the request is larger'],
    ['a variable twice', 'MOORING_SHIM=1\0MOORING_STDIN=0\0A=b\0A=c\0\0', 'Malformed: the variable A comes twice'],
    ['a variable without name', 'MOORING_SHIM=1\0MOORING_STDIN=0\0=b\0\0', 'Malformed: a variable has no name'],
    ['a variable without value', 'MOORING_SHIM=1\0MOORING_STDIN=0\0A\0\0', 'Malformed: a variable has no name'],
    ['bytes after it', 'MOORING_SHIM=1\0MOORING_STDIN=1\0\0{}', 'Malformed: there are bytes after'],
  ])('%s is refused', (_cause, text, message) => {
    expect(problem(() => parseRequest(Buffer.from(text)))).toContain(message);
  });

  test('a header without end is refused at its cap, whatever the pieces', () => {
    const reader = createRequestReader();
    reader.push(Buffer.from('MOORING_SHIM=1\0MOORING_STDIN=0\0A='));
    const feed = () => {
      for (let sent = 0; sent < LIMITS.bytes; sent += 1000) reader.push(Buffer.alloc(1000, 'a'));
    };
    expect(problem(feed)).toContain('the header is larger');
  });

  test('more variables than the cap are refused', () => {
    const env = new Map(Array.from({ length: 70 }, (_, index) => [`A${index}`, 'b']));
    expect(problem(() => parseRequest(formatRequest({ env, stdin: '' })))).toContain('the number of variables');
  });

  test('a variable named __proto__ is a plain entry', () => {
    const parsed = parseRequest(formatRequest({ env: new Map([['__proto__', 'x']]), stdin: '' }));
    expect(parsed.env.get('__proto__')).toBe('x');
    expect(parsed.env.get('toString')).toBeUndefined();
  });

  test('a NUL cannot be smuggled in by writing', () => {
    expect(problem(() => formatRequest({ env: new Map([['A', 'b\0CNI_COMMAND=DEL']]), stdin: '' }))).toContain(
      'cannot be',
    );
  });

  test('any bytes end in a request or a WireError, in pieces as well as at once', () => {
    const start = Buffer.from('MOORING_SHIM=1\0MOORING_STDIN=');
    fc.assert(
      fc.property(fc.boolean(), fc.uint8Array({ maxLength: 300 }), fc.nat(300), (lead, bytes, cut) => {
        const whole = lead ? Buffer.concat([start, bytes]) : Buffer.from(bytes);
        const inPieces = () => {
          const reader = createRequestReader();
          const first = cut < whole.length ? reader.push(whole.subarray(0, cut)) : undefined;
          return first ?? reader.push(whole.subarray(cut < whole.length ? cut : 0)) ?? reader.end();
        };
        const a = problem(() => parseRequest(whole));
        expect(problem(inPieces) === 'accepted').toBe(a === 'accepted');
      }),
      { numRuns: 3000 },
    );
  });

  test('any request survives the wire', () => {
    const name = fc.stringMatching(/^[A-Z_]{1,12}$/);
    const value = fc.string({ maxLength: 40 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.string(), (pairs, stdin) => {
        const sent = { env: new Map(pairs), stdin };
        const read = parseRequest(formatRequest(sent));
        expect([...read.env]).toEqual([...sent.env].filter(([key]) => !key.startsWith('MOORING_S')));
        expect(read.stdin).toBe(stdin);
      }),
    );
  });
});

describe('answer on the wire', () => {
  test('status and text come back', () => {
    expect(parseAnswer(formatAnswer({ status: 1, output: '{"code":7}' }))).toEqual({ status: 1, output: '{"code":7}' });
    expect(parseAnswer(formatAnswer({ status: 0, output: '' }))).toEqual({ status: 0, output: '' });
  });

  test('an empty answer is none', () => {
    expect(parseAnswer(Buffer.alloc(0))).toBeUndefined();
  });
});
