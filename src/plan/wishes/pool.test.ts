import { describe, expect, it } from 'vitest';
import { parsePoolText } from './pool.ts';

const show = (text: string): string => {
  const parsed = parsePoolText(text);
  if (!parsed.ok) return `${parsed.problem.reason}: ${parsed.problem.message}`;
  if (parsed.value === undefined) return 'nothing';
  return parsed.value.kind === 'named'
    ? `pool ${parsed.value.name}`
    : parsed.value.candidates.map((ips) => ips.join('+')).join(' ');
};

describe('parsePoolText', () => {
  it.each([
    ['nothing', '', 'nothing'],
    ['separators only', ' ,; , ', 'nothing'],
    ['a list', '10.16.0.15,10.16.0.16, 10.16.0.17', '10.16.0.15 10.16.0.16 10.16.0.17'],
    ['one address', '10.16.0.15', '10.16.0.15'],
    ['pairs', '10.16.0.15,fd00::15;10.16.0.16,fd00::16', '10.16.0.15+fd00::15 10.16.0.16+fd00::16'],
    [
      'pairs in any order inside',
      'fd00::15,10.16.0.15; 10.16.0.16,fd00::16',
      '10.16.0.15+fd00::15 10.16.0.16+fd00::16',
    ],
    ['one pair without a semicolon', '10.16.0.15,fd00::15', '10.16.0.15+fd00::15'],
    ['one pair with one', '10.16.0.15,fd00::15;', '10.16.0.15+fd00::15'],
    ['single addresses by semicolons', '10.16.0.15;10.16.0.16', '10.16.0.15 10.16.0.16'],
    ['IPv6 alone', 'fd00::15,fd00::16', 'fd00::15 fd00::16'],
    ['the name of an IPPool', 'web-pool', 'pool web-pool'],
  ])('%s', (_cause, text, expected) => {
    expect(show(text)).toBe(expected);
  });

  it.each([
    ['a name that is none', 'Web_Pool', /neither an address nor the name of an IPPool/],
    ['two names', 'a,b', /"a" is not an IP address/],
    ['a name among addresses', '10.16.0.15,web', /"web" is not an IP address/],
    ['families that do not pair up', '10.16.0.15,fd00::15,10.16.0.16', /write pairs as v4,v6;v4,v6/],
    ['pairs and singles', '10.16.0.15,fd00::15;10.16.0.16', /differ in their families/],
    ['three in a group', '10.16.0.15,fd00::15,10.16.0.16;10.16.0.17,fd00::17', /^InvalidRequest: 3 addresses/],
    ['an address twice', '10.16.0.15,10.16.0.16,10.16.0.15', /10\.16\.0\.15 is in the list twice/],
    ['one twice in another spelling', 'fd00::15,fd00:0::15', /fd00::15 is in the list twice/],
    ['a range', '10.16.0.15..10.16.0.20', /neither an address nor the name of an IPPool|is not an IP address/],
    ['too much text', '1'.repeat(70_000), /the list is too long/],
    [
      'too many',
      Array.from({ length: 4097 }, (_, index) => `10.1.${index >> 8}.${index & 255}`).join(),
      /more than 4096 addresses/,
    ],
  ])('refuses %s', (_cause, text, expected) => {
    expect(show(text)).toMatch(/^InvalidRequest: /);
    expect(show(text)).toMatch(expected);
  });
});
