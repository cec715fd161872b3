import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJson, parseJson } from './json.ts';

describe('parseJson', () => {
  it.each([
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['9007199254740991', 9007199254740991],
    ['1e300', 1e300],
    ['9007199254740993.5', 9007199254740994],
    ['12', 12],
  ])('reads %s without loss', (text, expected) => {
    expect(parseJson(`[${text}]`)).toEqual([expected]);
    expect(parseJson(`{"a":  ${text}}`)).toEqual({ a: expected });
  });

  it('leaves long runs of digits in strings alone', () => {
    expect(parseJson('["9007199254740993", ":9007199254740993", 1]')).toEqual([
      '9007199254740993',
      ':9007199254740993',
      1,
    ]);
  });

  it.each(['{"__proto__":{"x":1}}', '{"__proto__":{"x":1},"n":9007199254740993}'])('makes %s an own key', (text) => {
    const parsed = parseJson(text) as Record<string, unknown>;
    expect(Object.hasOwn(parsed, '__proto__')).toBe(true);
    expect(parsed.x).toBeUndefined();
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('gives back every 64-bit integer that was written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (n) => {
        const [read] = parseJson(formatJson([n])) as [number | bigint];
        expect(BigInt(read)).toBe(n);
      }),
    );
  });

  it('reads everything else as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!/\d{16}/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('formatJson', () => {
  it('writes bigint as a bare integer', () => {
    expect(formatJson({ a: 9223372036854775807n, b: [-1n], c: 1.5 })).toBe(
      '{"a":9223372036854775807,"b":[-1],"c":1.5}',
    );
  });
});
