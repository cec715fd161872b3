import { describe, expect, test } from 'vitest';
import type { LedgerEntry } from './ledger.ts';
import { planSandboxes, type SandboxInput } from './plan-reap-sandboxes.ts';

const entry = (ifname: string, change: Partial<LedgerEntry> = {}): LedgerEntry => ({
  ...{ version: 1, containerId: 'c1', ifname, state: 'attached', first: ifname === 'eth0', network: 'n', cniName: 'n' },
  ...{ netns: '/run/netns/x', netnsId: '4:1', pod: { namespace: 'shop', name: 'web', uid: 'u1' } },
  ...{ cniArgs: '', plugins: [], order: 0 },
  ...change,
});
const plan = (entries: LedgerEntry[], change: Partial<SandboxInput> = {}) => {
  const input = { podUids: new Set(['u1']), hasNetns: () => true, isBusy: () => false, suspects: new Set<string>() };
  const { remove, repair, suspects } = planSandboxes({ ...input, entries, ...change });
  return { remove, repair: repair.map(({ ifname }) => ifname), suspects: [...suspects] };
};
const NOTHING = { remove: [], repair: [], suspects: [] };
const whole = [entry('eth0'), entry('net1')];

describe('what the reaper does with a sandbox', () => {
  test.each<[string, ReturnType<typeof plan>, ReturnType<typeof plan>]>([
    ['alive', plan(whole), NOTHING],
    [
      'cut off before its first interface was whole',
      plan([entry('eth0', { state: 'attaching' })]),
      { ...NOTHING, remove: ['c1'] },
    ],
    [
      'that a DEL could not finish',
      plan([entry('eth0', { state: 'detaching' }), entry('net1')]),
      { ...NOTHING, remove: ['c1'] },
    ],
    [
      'with one interface cut off',
      plan([entry('eth0'), entry('net1', { state: 'attaching' })]),
      { ...NOTHING, repair: ['net1'] },
    ],
    [
      'with one that could not be detached',
      plan([entry('eth0'), entry('net1', { state: 'detaching' })]),
      { ...NOTHING, repair: ['net1'] },
    ],
    ['without its namespace, seen once', plan(whole, { hasNetns: () => false }), { ...NOTHING, suspects: ['c1'] }],
    [
      'without its namespace, seen twice',
      plan(whole, { hasNetns: () => false, suspects: new Set(['c1']) }),
      { ...NOTHING, remove: ['c1'] },
    ],
    ['of a pod that is gone, seen once', plan(whole, { podUids: new Set() }), { ...NOTHING, suspects: ['c1'] }],
    [
      'of a pod that is gone, seen twice',
      plan(whole, { podUids: new Set(), suspects: new Set(['c1']) }),
      { ...NOTHING, remove: ['c1'] },
    ],
    ['whose suspicion was wrong', plan(whole, { suspects: new Set(['c1']) }), NOTHING],
    ['while the API has not been read', plan(whole, { podUids: undefined, suspects: new Set(['c1']) }), NOTHING],
    ['that a call works on', plan([entry('eth0', { state: 'attaching' })], { isBusy: () => true }), NOTHING],
    [
      'whose first interface is forgotten, half made',
      plan([entry('net1', { state: 'attaching' })]),
      { ...NOTHING, repair: ['net1'] },
    ],
  ])('%s', (_cause, outcome, expected) => {
    expect(outcome).toEqual(expected);
  });

  test('one sandbox does not decide for another', () => {
    const other = entry('eth0', { containerId: 'c2', state: 'detaching' });
    expect(plan([...whole, other])).toEqual({ ...NOTHING, remove: ['c2'] });
  });
});
