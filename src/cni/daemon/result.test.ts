import { describe, expect, test } from 'vitest';
import { CniError } from './errors.ts';
import { parseConfig, SUPPORTED_VERSIONS } from './request.ts';
import { type Attached, formatIpamResult, formatResult, parsePrevResult } from './result.ts';

const attached: Attached = {
  host: { name: 'm00112233445566' },
  pod: { name: 'eth0', mac: '02:00:0a:10:00:05', mtu: 1400, netns: '/run/netns/x' },
  ips: [{ cidr: '10.16.0.5/16', gateway: '10.16.0.1' }, { cidr: 'fd00::5/64' }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
  dns: {},
};
const host = { name: 'm00112233445566' };
const pod = { name: 'eth0', mac: '02:00:0a:10:00:05', sandbox: '/run/netns/x' };
const v4 = { interface: 1, address: '10.16.0.5/16', gateway: '10.16.0.1' };
const v6 = { interface: 1, address: 'fd00::5/64' };
const routes = [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }];
const old = {
  interfaces: [host, pod],
  ips: [
    { version: '4', ...v4 },
    { version: '6', ...v6 },
  ],
  routes,
  dns: {},
};

describe('the result in each version', () => {
  test.each([
    ['0.3.0', { cniVersion: '0.3.0', ...old }],
    ['0.3.1', { cniVersion: '0.3.1', ...old }],
    ['0.4.0', { cniVersion: '0.4.0', ...old }],
    ['1.0.0', { cniVersion: '1.0.0', interfaces: [host, pod], ips: [v4, v6], routes }],
    ['1.1.0', { cniVersion: '1.1.0', interfaces: [host, { ...pod, mtu: 1400 }], ips: [v4, v6], routes }],
  ] as const)('%s', (version, wanted) => {
    expect(formatResult(attached, version)).toEqual(wanted);
  });

  test.each(SUPPORTED_VERSIONS)(
    '%s: every address has the interface with the sandbox, every route its gateway',
    (version) => {
      const result = formatResult(attached, version) as {
        interfaces: { sandbox?: string }[];
        ips: { interface: number }[];
        routes: { gw?: string }[];
      };
      for (const ip of result.ips) expect(result.interfaces[ip.interface]?.sandbox).toBe('/run/netns/x');
      for (const route of result.routes) expect(route.gw).toBeDefined();
      expect('dns' in result).toBe(version.startsWith('0.'));
    },
  );

  test('a network without addresses is told as such', () => {
    const bare = { ...attached, ips: [], routes: [] };
    expect(formatResult(bare, '1.0.0')).toMatchObject({ ips: [], routes: [] });
  });
});

describe('the answer of an IPAM plugin', () => {
  const dns = { nameservers: ['10.96.0.10'] };
  test.each(SUPPORTED_VERSIONS)('%s: addresses without interface, of both families', (cniVersion) => {
    const old = cniVersion.startsWith('0.');
    expect(formatIpamResult({ ...attached, dns }, cniVersion)).toEqual({
      cniVersion,
      ips: [
        { ...(old ? { version: '4' } : {}), address: '10.16.0.5/16', gateway: '10.16.0.1' },
        { ...(old ? { version: '6' } : {}), address: 'fd00::5/64' },
      ],
      routes,
      dns,
    });
    expect('dns' in formatIpamResult(attached, cniVersion)).toBe(old);
  });
});

describe('behind another plugin of the list', () => {
  const parse = (prevResult: unknown) =>
    parsePrevResult(
      parseConfig(JSON.stringify({ cniVersion: '1.0.0', name: 'n', type: 'mooring', prevResult })),
      'eth0',
    );
  const tap = { name: 'tap0', mac: '02:00:00:00:00:01' };
  const other = { name: 'net9', sandbox: '/run/netns/x' };

  test("the earlier plugin's result comes first, and our addresses point at our interface", () => {
    const before = parse({
      interfaces: [tap, other],
      ips: [{ interface: 1, address: '10.1.0.5/24' }],
      routes: [{ dst: '10.2.0.0/16', gw: '10.1.0.1' }],
      dns: { nameservers: ['10.1.0.2'] },
    });
    const result = formatResult({ ...attached, dns: { nameservers: ['10.96.0.10'] } }, '1.0.0', before);
    expect(result).toEqual({
      cniVersion: '1.0.0',
      interfaces: [tap, other, host, pod],
      ips: [
        { interface: 1, address: '10.1.0.5/24' },
        { ...v4, interface: 3 },
        { ...v6, interface: 3 },
      ],
      routes: [{ dst: '10.2.0.0/16', gw: '10.1.0.1' }, ...routes],
      dns: { nameservers: ['10.1.0.2'] },
    });
  });

  test.each([[undefined], [null], [{}], [{ interfaces: null }]])('%j is nothing', (prevResult) => {
    expect(formatResult(attached, '1.0.0', parse(prevResult))).toEqual(formatResult(attached, '1.0.0'));
  });

  test.each([
    ['no object', [], 'prevResult is no object'],
    ['interfaces that are no list', { interfaces: {} }, 'prevResult.interfaces is no list'],
    ['an address that is no object', { ips: ['10.0.0.1'] }, 'an entry of prevResult.ips is no object'],
    [
      "the pod's interface itself",
      { interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }] },
      'must come before that plugin',
    ],
  ])('%s is refused', (_cause, prevResult, words) => {
    expect(() => parse(prevResult)).toThrow(CniError);
    expect(() => parse(prevResult)).toThrow(words);
  });
});
