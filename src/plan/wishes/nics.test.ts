import { describe, expect, it } from 'vitest';
import { readNicTable } from './nics.ts';
import type { Wish } from './types.ts';

const read = (key: string, text: string, nic = 'biz'): unknown => {
  const wishes = readNicTable({ from: 'the VM', annotations: { [key]: text } }).parseNic(nic);
  const problem = wishes.find((wish) => !wish.ok);
  if (problem !== undefined && !problem.ok) return `${problem.problem.reason}: ${problem.problem.message}`;
  return Object.assign({}, ...wishes.map((wish) => (wish.ok ? wish.value : {}))) as Wish;
};
const ours = (entry: unknown) => read('mooring.dev/nics', JSON.stringify({ biz: entry }));
const theirs = (entry: unknown) => read('network.kubevirt.io/addresses', JSON.stringify({ biz: entry }));

describe('mooring.dev/nics', () => {
  it.each<[string, object, Wish]>([
    ['nothing', {}, {}],
    ['a subnet', { subnet: 'net1' }, { subnet: 'net1' }],
    ['addresses', { ips: ['fd00::7', '10.0.0.7'] }, { ips: ['10.0.0.7', 'fd00::7'] }],
    ['no addresses', { ips: [] }, {}],
    ['a MAC', { mac: '02:00:00:00:00:0A' }, { mac: '02:00:00:00:00:0a' }],
    ['an IPPool', { pool: 'web' }, { pool: { kind: 'named', name: 'web' } }],
    ['a list', { pool: '10.0.0.7,10.0.0.8' }, { pool: { kind: 'list', candidates: [['10.0.0.7'], ['10.0.0.8']] } }],
    ['a binding', { binding: 'managedTap' }, { binding: 'managedTap' }],
    ['a binding that is left open', { binding: 'auto' }, { openBinding: 'auto' }],
    ['a binding that nobody sets', { binding: 'asIs' }, { openBinding: 'asIs' }],
    ['security groups', { securityGroups: ['web', 'db'] }, { securityGroups: ['db', 'web'] }],
    ['a release policy', { releasePolicy: 'OnStop' }, { releasePolicy: 'OnStop' }],
    ['empty text', { subnet: '', mac: '', pool: '', binding: '', releasePolicy: '' }, {}],
  ])('%s', (_cause, entry, expected) => {
    expect(ours(entry)).toEqual(expected);
  });

  it.each<[string, unknown, string]>([
    ['no object', 7, 'not an object'],
    [
      'a misspelt key',
      { ip: '10.0.0.7' },
      '"ip" is not one of subnet, ips, mac, pool, binding, securityGroups, releasePolicy',
    ],
    ['a subnet that is no text', { subnet: 1 }, 'subnet: not text'],
    ['addresses that are no list', { ips: '10.0.0.7' }, 'ips: not a list of at most two addresses'],
    ['an address that is none', { ips: ['x'] }, 'ips: "x" is not an IP address'],
    ['a MAC that is none', { mac: 'x' }, 'mac: "x" is not a unicast MAC'],
    [
      'a binding that is none',
      { binding: 'tap' },
      'binding: "tap" is not one of asIs, bridge, masquerade, managedTap, auto',
    ],
    ['groups that are no list', { securityGroups: 'web' }, 'securityGroups: not a list of at most 32 names'],
    [
      'a policy that is none',
      { releasePolicy: 'Never' },
      'releasePolicy: "Never" is not one of WithOwner, Retain, OnStop',
    ],
  ])('refuses %s', (_cause, entry, expected) => {
    expect(ours(entry)).toBe(`InvalidRequest: the VM: mooring.dev/nics: "biz": ${expected}`);
  });

  it('concerns only the NIC it names, but must be readable for all', () => {
    expect(read('mooring.dev/nics', '{"other":7}')).toEqual({});
    expect(read('mooring.dev/nics', '{')).toBe(
      'InvalidRequest: the VM: mooring.dev/nics is not a JSON object: it ends before it is complete',
    );
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`n${index}`, {}])));
    expect(read('mooring.dev/nics', many)).toMatch(/names more than 64 NICs/);
  });
});

describe('network.kubevirt.io/addresses', () => {
  it.each<[string, unknown, Wish]>([
    ['addresses', ['10.0.0.7', 'fd00::7'], { ips: ['10.0.0.7', 'fd00::7'] }],
    ['with prefix', ['10.0.0.7/24'], { ips: ['10.0.0.7'] }],
    ['none', [], {}],
  ])('%s', (_cause, entry, expected) => {
    expect(theirs(entry)).toEqual(expected);
  });

  it.each<[string, unknown, RegExp]>([
    ['text', '10.0.0.7', /"biz": not a list of text/],
    ['numbers', [1], /"biz": not a list of text/],
    ['two of a family', ['10.0.0.7', '10.0.0.8'], /two addresses of one family/],
  ])('refuses %s', (_cause, entry, expected) => {
    expect(theirs(entry)).toMatch(expected);
  });
});

describe('what is said for all NICs', () => {
  const common = (annotations: Record<string, string>) => readNicTable({ from: 'the VM', annotations }).common;

  it('release policy and adoption', () => {
    expect(common({ 'mooring.dev/release-policy': 'Retain', 'mooring.dev/adopt': 'true' })).toEqual({
      ok: true,
      value: { releasePolicy: 'Retain', adopt: true },
    });
    expect(common({})).toEqual({ ok: true, value: {} });
    expect(readNicTable({ from: 'the VM', annotations: undefined }).common).toEqual({ ok: true, value: {} });
  });

  it('names the annotation that cannot be understood', () => {
    expect(common({ 'mooring.dev/adopt': 'TRUE' })).toMatchObject({
      problem: { message: 'the VM: mooring.dev/adopt: "TRUE" is not one of true, false' },
    });
  });
});
