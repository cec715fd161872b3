import { describe, expect, it } from 'vitest';
import type { NodeSettings } from '../../../ovs/settings.ts';
import { planRenewal, planWatch, type Renewal, type Streak } from './plan.ts';

const SETTINGS: NodeSettings = {
  systemId: 'node1',
  hostname: 'node1',
  ovnRemote: 'tcp:192.0.2.1:6642',
  encapTypes: ['geneve'],
  encapIps: ['192.0.2.11'],
  datapathType: 'netdev',
  ovsVersion: '3.5.0',
};

describe('planWatch', () => {
  it.each<[string, NodeSettings | undefined, ReturnType<typeof planWatch>]>([
    ['the tunnels of a userspace datapath', SETTINGS, { address: '192.0.2.11', port: 6081 }],
    [
      'the first of several addresses',
      { ...SETTINGS, encapIps: ['2001:db8::1', '192.0.2.1'] },
      { address: '2001:db8::1', port: 6081 },
    ],
    ['nothing before the database is read', undefined, undefined],
    ['nothing of the kernel’s datapath, whose port it is', { ...SETTINGS, datapathType: 'system' }, undefined],
    ['nothing before the node has an address for tunnels', { ...SETTINGS, encapIps: [] }, undefined],
    ['nothing of other encapsulations', { ...SETTINGS, encapTypes: ['vxlan'] }, undefined],
  ])('watches %s', (_what, settings, expected) => {
    expect(planWatch(settings)).toEqual(expected);
  });
});

/** The renewals that strays at these times lead to, with their times. */
function renewAt(times: readonly number[]): [number, Renewal][] {
  const renewals: [number, Renewal][] = [];
  let streak: Streak | undefined;
  for (const now of times) {
    const planned = planRenewal(streak, now);
    ({ streak } = planned);
    if (planned.renewal !== undefined) renewals.push([now, planned.renewal]);
  }
  return renewals;
}

const each = (stepMs: number, from: number, to: number): number[] =>
  Array.from({ length: Math.floor((to - from) / stepMs) + 1 }, (_, index) => from + index * stepMs);

describe('planRenewal', () => {
  it('answers the first stray at once', () => {
    expect(renewAt([5])).toEqual([[5, 'revalidate']]);
  });

  it('lets what was under way arrive', () => {
    expect(renewAt([0, 1, 2, 50, 99])).toEqual([[0, 'revalidate']]);
  });

  it('tries again while strays go on', () => {
    expect(renewAt([0, 50, 120])).toEqual([
      [0, 'revalidate'],
      [120, 'revalidate'],
    ]);
  });

  it('purges once when looking again has not helped for a second, and not again for ten', () => {
    const renewals = renewAt(each(1, 0, 25_000));
    expect(renewals.filter(([, how]) => how === 'purge').map(([at]) => at)).toEqual([1000, 11_000, 21_000]);
  });

  it('takes strays after a pause for another matter, but keeps the purges apart', () => {
    const renewals = renewAt([...each(1, 0, 1000), ...each(1, 3000, 4500)]);
    expect(renewals.filter(([, how]) => how === 'purge').map(([at]) => at)).toEqual([1000]);
    expect(renewals.find(([at]) => at >= 3000)).toEqual([3000, 'revalidate']);
  });

  it('never renews more than ten times a second, however many strays there are', () => {
    expect(renewAt(each(1, 0, 9999)).length).toBeLessThanOrEqual(100);
  });
});
