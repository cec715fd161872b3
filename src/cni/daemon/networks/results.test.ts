import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { convertResult, describeNetwork, formatNetworkStatus } from './results.ts';

const FIXTURES = join(import.meta.dirname, '../../../../test/fixtures/cni-calls');
type Recorded = {
  readonly calls: readonly {
    /** Left out where a call was the same as an earlier one. */
    readonly env?: Readonly<Record<string, string>>;
    readonly result?: Record<string, unknown> | null;
    readonly exit: number | null;
    readonly binary: string;
  }[];
  readonly networkStatus?: readonly Record<string, unknown>[] | null;
};

const recordings = readdirSync(FIXTURES)
  .filter((name) => name.startsWith('multus-') && name.endsWith('.json'))
  .map((name) => [name, JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Recorded] as const)
  .flatMap(([name, recorded]) => (recorded.networkStatus ?? []).map((status) => [name, status, recorded] as const));

/** The last answer for an interface in which the interface is. */
function findResult({ calls }: Recorded, ifname: unknown): Record<string, unknown> | undefined {
  const answers = calls.filter(
    ({ env, exit }) => env?.CNI_COMMAND === 'ADD' && env.CNI_IFNAME === ifname && exit === 0,
  );
  return answers.findLast(({ result }) => Array.isArray(result?.interfaces))?.result ?? undefined;
}

describe('network-status', () => {
  test.each(recordings)('%s: as Multus wrote it: %o', (_name, status, recorded) => {
    const first = status.default === true;
    const result = findResult(recorded, status.interface);
    const mine = describeNetwork({ network: String(status.name), ifname: String(status.interface), first, result });
    // Multus takes the gateway from routes that have none; ours is that of the address.
    const { gateway: _, ...others } = mine;
    const { gateway: __, ...expected } = status;
    expect(others).toEqual(expected);
  });

  test('there are recordings', () => {
    expect(recordings.length).toBeGreaterThan(20);
  });

  test('has MTU, DNS and gateway where they are known', () => {
    const result = {
      interfaces: [{ name: 'm1' }, { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1400, sandbox: '/x' }],
      ips: [
        { address: '10.0.0.5/16', gateway: '10.0.0.1', interface: 1 },
        { address: '10.9.0.5/16', interface: 0 },
        { address: 'fd00::5/64', gateway: 'fd00::1' },
      ],
      dns: { nameservers: ['10.0.0.10'] },
    };
    expect(JSON.parse(formatNetworkStatus([{ network: 'mooring', ifname: 'eth0', first: true, result }]))).toEqual([
      {
        ...{ name: 'mooring', interface: 'eth0', ips: ['10.0.0.5', 'fd00::5'], mac: '02:00:00:00:00:01', mtu: 1400 },
        ...{ default: true, dns: { nameservers: ['10.0.0.10'] }, gateway: ['10.0.0.1', 'fd00::1'] },
      },
    ]);
  });

  test('of a result that says nothing says what is known', () => {
    expect(
      describeNetwork({ network: 'a/b', ifname: 'net1', first: false, result: { ips: 'x', interfaces: [3] } }),
    ).toEqual({
      ...{ name: 'a/b', interface: 'net1', dns: {} },
    });
  });
});

describe('a result in another version', () => {
  const result = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'net1', mtu: 1400, sandbox: '/x' }],
    ips: [{ address: '10.0.0.5/16' }, { address: 'fd00::5/64', interface: 0 }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1', mtu: 1300 }],
  };
  test.each(['0.3.1', '0.4.0'] as const)('%s: addresses say their family, dns is kept', (cniVersion) => {
    expect(convertResult({ ...result, dns: {} }, cniVersion)).toEqual({
      cniVersion,
      interfaces: [{ name: 'net1', sandbox: '/x' }],
      ips: [
        { version: '4', address: '10.0.0.5/16' },
        { version: '6', address: 'fd00::5/64', interface: 0 },
      ],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
      dns: {},
    });
  });

  test('1.0.0: neither family nor MTU', () => {
    const old = { ...result, ips: [{ version: '4', address: '10.0.0.5/16' }], dns: {} };
    expect(convertResult(old, '1.0.0')).toEqual({
      ...{ cniVersion: '1.0.0', interfaces: [{ name: 'net1', sandbox: '/x' }], ips: [{ address: '10.0.0.5/16' }] },
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
    });
  });

  test('1.1.0: everything', () => {
    expect(convertResult(result, '1.1.0')).toEqual(result);
  });
});
