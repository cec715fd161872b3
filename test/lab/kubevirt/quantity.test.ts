import { describe, expect, it } from 'vitest';
import { parseBytes, parseMebibytes } from './quantity.ts';

describe('memory quantities', () => {
  it.each([
    ['128Mi', 134_217_728],
    ['1Gi', 1_073_741_824],
    ['50M', 50_000_000],
    ['1.5Gi', 1_610_612_736],
    ['4096', 4096],
  ])('%s is %i bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each(['', 'Mi', '-1Mi', '1 Mi', '1Mb', '1e3'])('refuses "%s"', (text) => {
    expect(() => parseBytes(text)).toThrow(TypeError);
  });

  it('rounds to mebibytes', () => expect(parseMebibytes('1G')).toBe(954));
});
