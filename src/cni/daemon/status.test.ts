import { expect, test } from 'vitest';
import type { Subnet, SubnetStatus } from '../../api/types.gen.ts';
import type { CodeName } from './errors.ts';
import type { NetworkConfig } from './request.ts';
import { findFull, type StatusContext, status } from './status.ts';
import { createFakeWorld } from './testing/fake-context.ts';

const config = (fields: object = {}, type = 'mooring'): NetworkConfig => ({
  cniVersion: '1.1.0',
  name: 'mooring',
  type,
  fields: new Map(Object.entries(fields)),
});
const ipam = (provider?: string) =>
  config({ ipam: { type: 'mooring', ...(provider === undefined ? {} : { provider }) } }, 'macvlan');
const subnet = (name: string, counts: SubnetStatus, more: { provider?: string; age?: string } = {}): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name, creationTimestamp: more.age ?? '2026-01-01T00:00:00Z' },
  spec: { cidrBlock: '10.16.0.0/16', ...(more.provider === undefined ? {} : { provider: more.provider }) },
  status: counts,
});

type Change = { live?: boolean; synced?: boolean; obstacle?: string; problem?: string; subnets?: Subnet[] };

/** A healthy node; what is given differs. */
const make = (change: Change) => {
  const { context } = createFakeWorld();
  const { live = true, synced = true, obstacle, problem, subnets = [] } = change;
  const asked = { times: 0 };
  const made: StatusContext = {
    ...context,
    cluster: { ...context.cluster, hasSynced: () => synced, listSubnets: () => subnets },
    ports: { ...context.ports, isLive: () => live },
    findObstacle: () => obstacle,
    controller: {
      findProblem: async () => {
        asked.times += 1;
        return problem;
      },
    },
  };
  return { made, asked };
};
const full = [subnet('default', { v4availableIPs: 0, v4usingIPs: 9 })];

test.each<[string, Change, CodeName | undefined, string]>([
  ['nothing', {}, undefined, ''],
  ['the operator’s word for this node', { obstacle: 'not set up' }, 'unavailable', 'not set up'],
  ['the local OVS database', { live: false }, 'limited', 'OVS database'],
  ['ovn-controller', { problem: 'dead' }, 'limited', 'dead'],
  ['ovn-controller, and what it would do', { problem: 'dead', obstacle: 'x' }, 'limited', 'dead'],
  ['an address', { subnets: full }, 'unavailable', 'Subnet default has no free IPv4 address'],
])('STATUS where %s is missing', async (_cause, change, code, words) => {
  const answer = status(make(change).made, config());
  if (code === undefined) return expect(await answer).toBeUndefined();
  await expect(answer).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
});

test('without a way to ask ovn-controller STATUS goes by the rest', async () => {
  const { controller: _none, ...context } = make({ problem: 'dead' }).made;
  expect(await status(context, config())).toBeUndefined();
});

test('as the IPAM plugin of another one we need the API and an address, and nothing of the node', async () => {
  const { made, asked } = make({ live: false, problem: 'dead', obstacle: 'not set up' });
  expect(await status(made, ipam())).toBeUndefined();
  expect(asked.times).toBe(0);
  const away = make({ synced: false }).made;
  await expect(status(away, ipam())).rejects.toMatchObject({ code: 'unavailable' });
  const other = subnet('lan', { v4availableIPs: 0 }, { provider: 'lan.default' });
  const none = make({ subnets: [other] }).made;
  await expect(status(none, ipam('lan.default'))).rejects.toMatchObject({ code: 'unavailable' });
  expect(await status(none, ipam('other.default'))).toBeUndefined();
});

test.each([
  ['both families are', { v4availableIPs: 0, v6availableIPs: 0 }, 'IPv4 and IPv6'],
  ['one of two is, as a pod gets both or none', { v4availableIPs: 9, v6availableIPs: 0 }, 'IPv6'],
  ['the last address is free', { v4availableIPs: 1 }, undefined],
  ['nothing was counted yet', {}, undefined],
])('a subnet is full when %s', (_cause, counts, families) => {
  const words = findFull([subnet('default', counts)], '');
  if (families === undefined) expect(words).toBeUndefined();
  else expect(words).toContain(`no free ${families} address`);
});

test.each([
  ['the default one for our own list', '', 'default'],
  ['the default one for what says ovn', 'ovn', 'default'],
  ['a NAD’s own, the oldest that has its provider', 'blue.shop.ovn', 'blue'],
  ['nobody’s, where no subnet has the provider', 'red.shop.ovn', undefined],
])('the subnet that counts is %s', (_cause, provider, name) => {
  const zero = { v4availableIPs: 0 };
  const subnets = [
    subnet('younger', { v4availableIPs: 5 }, { provider: 'blue.shop.ovn', age: '2026-03-01T00:00:00Z' }),
    subnet('blue', zero, { provider: 'blue.shop.ovn', age: '2026-02-01T00:00:00Z' }),
    subnet('default', zero),
  ];
  const words = findFull(subnets, provider);
  if (name === undefined) expect(words).toBeUndefined();
  else expect(words).toMatch(new RegExp(`^Subnet ${name} has`));
});

test('without a default subnet, as in mode secondary, nothing is full', () => {
  expect(findFull([subnet('blue', { v4availableIPs: 0 })], '')).toBeUndefined();
});
