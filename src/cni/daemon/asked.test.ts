import { describe, expect, test } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { checkAsked, parseAsked } from './asked.ts';
import { CniError } from './errors.ts';
import { parseArgs, parseConfig } from './request.ts';

const config = { cniVersion: '1.0.0', name: 'n', type: 'mooring' };
const parse = (change: object, args = '') =>
  parseAsked({ config: parseConfig(JSON.stringify({ ...config, ...change })), args: parseArgs(args) });
const port = (spec: object = {}): LogicalPort =>
  ({
    metadata: { namespace: 'shop', name: 'web.net1.pod' },
    spec: { ips: ['10.90.1.50', 'fd00::50'], mac: '02:90:00:00:01:50', ...spec },
  }) as unknown as LogicalPort;

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('what comes with a call', () => {
  test('is read from every place, in any case, without prefix and in one spelling', () => {
    const runtimeConfig = { IPs: ['10.90.1.50/24', 'FD00:0::50/64'], Mac: '02:90:00:00:01:5A' };
    const args = { cni: { ips: ['10.90.1.51'], mac: '02:90:00:00:01:51' } };
    const asked = parse({ runtimeConfig, args }, 'IP=10.90.1.52/24,fd00::52;MAC=02:90:00:00:01:52');
    expect(asked).toEqual({
      ips: [
        { from: 'runtimeConfig.IPs', value: '10.90.1.50' },
        { from: 'runtimeConfig.IPs', value: 'fd00::50' },
        { from: 'args.cni.ips', value: '10.90.1.51' },
        { from: 'CNI_ARGS IP', value: '10.90.1.52' },
        { from: 'CNI_ARGS IP', value: 'fd00::52' },
      ],
      macs: [
        { from: 'runtimeConfig.Mac', value: '02:90:00:00:01:5a' },
        { from: 'args.cni.mac', value: '02:90:00:00:01:51' },
        { from: 'CNI_ARGS MAC', value: '02:90:00:00:01:52' },
      ],
    });
  });

  test('is nothing in a plain call, or where all is empty', () => {
    expect(parse({})).toEqual({ ips: [], macs: [] });
    expect(parse({ runtimeConfig: { ips: [], mac: '' }, args: { cni: { ips: null } } }, 'IP=;MAC=')).toEqual({
      ips: [],
      macs: [],
    });
  });

  test.each([
    ['an address that is none', { runtimeConfig: { ips: ['10.90.1'] } }, '', 'invalidConfig: runtimeConfig.ips'],
    ['an address that is a number', { runtimeConfig: { ips: [5] } }, '', 'invalidConfig: runtimeConfig.ips: 5'],
    ['addresses without end', { runtimeConfig: { ips: Array(17).fill('10.0.0.1') } }, '', 'more than 16'],
    ['a MAC of a group', { runtimeConfig: { mac: '01:00:5e:00:00:01' } }, '', 'invalidConfig: runtimeConfig.mac'],
    ['a MAC that is an object', { args: { cni: { mac: { a: 1 } } } }, '', 'invalidConfig: args.cni.mac'],
    ['nonsense in CNI_ARGS', {}, 'IP=x', 'invalidEnvironment: CNI_ARGS IP: "x" is no address'],
  ])('%s is refused by name', (_cause, change, args, words) => {
    expect(failure(() => parse(change, args))).toContain(words);
  });

  test('an IP that comes twice with two values is refused before it is read', () => {
    expect(failure(() => parse({}, 'IP=10.0.0.1;IP=10.0.0.2'))).toContain('IP has two different values');
  });
});

describe('the LogicalPort decides', () => {
  test.each([
    ['the same', { ips: ['10.90.1.50/24'], mac: '02:90:00:00:01:50' }, {}],
    ['one of two families', { ips: ['fd00::50'] }, {}],
    ['a MAC in upper case', { mac: '02:90:00:00:01:50'.toUpperCase() }, {}],
    [
      "a MAC of another plugin's interface that has none here",
      { mac: '02:90:00:00:01:51' },
      { ipamOnly: true, mac: '' },
    ],
  ])('%s is accepted', (_cause, runtimeConfig, spec) => {
    expect(failure(() => checkAsked(parse({ runtimeConfig }), port(spec)))).toBe('accepted');
  });

  test.each([
    ['another address', { ips: ['10.90.1.51/24'] }, 'runtimeConfig.ips asks for 10.90.1.51'],
    ['a second address', { ips: ['10.90.1.50', '10.90.1.51'] }, 'runtimeConfig.ips asks for 10.90.1.51'],
    ['another MAC', { mac: '02:90:00:00:01:51' }, 'runtimeConfig.mac asks for 02:90:00:00:01:51'],
  ])('%s fails and says what to change', (_cause, runtimeConfig, words) => {
    const message = failure(() => checkAsked(parse({ runtimeConfig }), port()));
    expect(message).toContain(`mismatch: ${words}, but of LogicalPort shop/web.net1.pod`);
    expect(message).toContain('k8s.v1.cni.cncf.io/networks');
  });
});
