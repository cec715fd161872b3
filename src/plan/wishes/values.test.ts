import { describe, expect, it } from 'vitest';
import type { Result } from '../../api/problem.ts';
import { parseFlag, parseGroups, parseIps, parseIpText, parseMacText, parseNameText, parsePolicy } from './values.ts';

const show = (result: Result<unknown>): unknown => (result.ok ? result.value : result.problem.message);

describe('parseIps', () => {
  it.each<[string, string[], string[]]>([
    ['nothing', [], []],
    ['one', ['10.16.0.15'], ['10.16.0.15']],
    ['both families, IPv4 first', ['fd00::15', '10.16.0.15'], ['10.16.0.15', 'fd00::15']],
    ['blanks around', [' 10.16.0.15 '], ['10.16.0.15']],
    ['another spelling of IPv6', ['FD00:0:0::0015'], ['fd00::15']],
  ])('%s', (_cause, texts, expected) => {
    expect(show(parseIps(texts))).toEqual(expected);
  });

  it.each<[string, string[], RegExp]>([
    ['no address', ['nonsense'], /^"nonsense" is not an IP address$/],
    ['an empty one', [''], /is not an IP address/],
    ['octal', ['10.0.0.07'], /is not an IP address/],
    ['a zone', ['fe80::1%eth0'], /is not an IP address/],
    ['a prefix where none is meant', ['10.0.0.7/24'], /is not an IP address/],
    ['one family twice', ['10.0.0.7', '10.0.0.8'], /two addresses of one family: "10\.0\.0\.7", "10\.0\.0\.8"/],
    ['three', ['10.0.0.7', 'fd00::1', '10.0.0.8'], /^3 addresses/],
  ])('refuses %s (F33)', (_cause, texts, expected) => {
    expect(show(parseIps(texts))).toMatch(expected);
  });

  it('drops prefixes where the form has them', () => {
    expect(show(parseIps(['10.0.0.7/24', 'fd00::7/64'], { prefix: true }))).toEqual(['10.0.0.7', 'fd00::7']);
    expect(show(parseIps(['10.0.0.7/33'], { prefix: true }))).toMatch(/is not an IP address/);
  });

  it('never repeats more than a little of what it was given', () => {
    expect(String(show(parseIps(['9'.repeat(10_000)]))).length).toBeLessThan(200);
  });
});

describe('parseIpText', () => {
  it.each<[string, unknown]>([
    ['', undefined],
    [' , ', undefined],
    ['10.16.0.15', ['10.16.0.15']],
    ['10.16.0.15, fd00::15', ['10.16.0.15', 'fd00::15']],
    ['10.16.0.15,,', ['10.16.0.15']],
    ['x'.repeat(70_000), 'the text is too long'],
  ])('%j', (text, expected) => {
    expect(show(parseIpText(text))).toEqual(expected);
  });
});

describe('parseMacText', () => {
  it.each<[string, unknown]>([
    ['', undefined],
    ['00:00:00:53:6B:B6', '00:00:00:53:6b:b6'],
    [' 02:00:00:00:00:01 ', '02:00:00:00:00:01'],
    ['01:00:5e:00:00:01', '"01:00:5e:00:00:01" is not a unicast MAC'],
    ['00:00:00:00:00:00', '"00:00:00:00:00:00" is not a unicast MAC'],
    ['02-00-00-00-00-01', '"02-00-00-00-00-01" is not a unicast MAC'],
  ])('%j', (text, expected) => {
    expect(show(parseMacText(text))).toEqual(expected);
  });
});

describe('parseNameText', () => {
  it.each<[string, unknown]>([
    [' ', undefined],
    [' net1 ', 'net1'],
    ['a.b-c', 'a.b-c'],
    ['../net1', '"../net1" is not the name of an object'],
    ['Net1', '"Net1" is not the name of an object'],
    ['a\nb', '"a\\nb" is not the name of an object'],
    ['x'.repeat(254), expect.stringMatching(/is not the name/)],
  ])('%j (F59)', (text, expected) => {
    expect(show(parseNameText(text))).toEqual(expected);
  });
});

describe('choices', () => {
  it.each([
    ['WithOwner', 'WithOwner'],
    [' Retain ', 'Retain'],
    ['OnStop', 'OnStop'],
    ['', undefined],
    ['retain', '"retain" is not one of WithOwner, Retain, OnStop'],
    ['toString', '"toString" is not one of WithOwner, Retain, OnStop'],
  ])('release policy %j', (text, expected) => {
    expect(show(parsePolicy(text))).toBe(expected);
  });

  it.each([
    ['true', true],
    ['false', false],
    ['', undefined],
    ['yes', '"yes" is not one of true, false'],
  ])('flag %j', (text, expected) => {
    expect(show(parseFlag(text))).toBe(expected);
  });
});

describe('parseGroups', () => {
  it('sorts names and keeps each once', () => {
    expect(show(parseGroups(['web', 'db', 'web']))).toEqual(['db', 'web']);
  });

  it.each<[string, unknown]>([
    ['no list', 'web'],
    ['no names', [1]],
    ['a name that is none', ['../x']],
    ['too many', Array.from({ length: 33 }, (_, index) => `g${index}`)],
  ])('refuses %s', (_cause, value) => {
    expect(show(parseGroups(value))).toBe('not a list of at most 32 names');
  });
});
