import { expect, test } from 'vitest';
import type { Job } from '../../../netlink/jobs.ts';
import { createFakeWorld } from '../testing/fake-context.ts';
import { listGateways, setDefaultRoutes } from './default-route.ts';
import type { LedgerEntry } from './ledger.ts';

const result = { ips: [{ gateway: '10.0.0.1' }, { gateway: 'fd00::1' }, { gateway: '10.0.0.1' }, {}] };

test.each([
  ['nobody asks', undefined, []],
  ['one is asked for', ['10.0.0.254'], ['10.0.0.254']],
  ['the choice is left to the network', [], ['10.0.0.1', 'fd00::1']],
])('gateways when %s', (_cause, asked, expected) => {
  expect(listGateways({ result }, asked)).toEqual(expected);
});

test('a network without gateway has none to offer', () => {
  expect(listGateways({}, [])).toEqual([]);
});

test.each([
  ['has an address', undefined, [{ kind: 'moveDefaultRoute', interface: 'eth1' }]],
  ["is bare for a guest's DHCP", true, []],
] as const)('the way out to a link that %s', async (_cause, bare, expected) => {
  const { context } = createFakeWorld();
  const jobs: Job[] = [];
  const links = { run: async (job: Job) => jobs.push(job) as never };
  const key = { containerId: 'c1', ifname: 'eth1' };
  await context.journal.put({ ...key, bare, netns: '/n', network: 'lan', state: 'attached' } as never);
  const entry = { ...key, netns: '/n', result } as unknown as LedgerEntry;
  const ask = { ifname: 'eth1', requests: { defaultRoute: [] } };
  await setDefaultRoutes({ ...context, links }, [entry], [ask as never]);
  expect(jobs).toMatchObject(expected);
});
