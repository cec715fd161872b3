import { describe, expect, test } from 'vitest';
import { SUPPORTED_VERSIONS } from './request.ts';
import { type Attached, formatResult } from './result.ts';

const attached: Attached = {
  host: { name: 'm00112233445566' },
  pod: { name: 'eth0', mac: '02:00:0a:10:00:05', mtu: 1400, netns: '/run/netns/x' },
  ips: [{ cidr: '10.16.0.5/16', gateway: '10.16.0.1' }, { cidr: 'fd00::5/64' }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.16.0.1' }],
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
    },
  );

  test('a network without addresses is told as such', () => {
    const bare = { ...attached, ips: [], routes: [] };
    expect(formatResult(bare, '1.0.0')).toMatchObject({ ips: [], routes: [] });
  });
});
