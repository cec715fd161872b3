import { describe, expect, test } from 'vitest';
import type { JournalEntry } from './journal.ts';
import { planReap, type ReapInput } from './plan-reap.ts';
import type { OvsPort } from './ports.ts';

const pod = { namespace: 'default', name: 'web', uid: 'u1' };
const entry: JournalEntry = {
  containerId: 'c1',
  ifname: 'eth0',
  state: 'attached',
  network: 'mooring',
  netns: '/run/netns/x',
  hostInterface: 'm1',
  ifaceId: 'pod/default/web/eth0',
  pod,
  gate: false,
};
const port: OvsPort = {
  name: 'm1',
  ifaceId: 'pod/default/web/eth0',
  ifaceIdVer: 'lp',
  containerId: 'c1',
  ifname: 'eth0',
  pod,
  installed: true,
  error: undefined,
  ifIndex: 7,
};
const healthy: ReapInput = {
  entries: [entry],
  ports: [port],
  podUids: new Set(['u1']),
  links: new Set(['m1']),
  busy: () => false,
  suspects: new Set(),
};
const IPAM = {
  entries: [{ ...entry, hostInterface: '', ifaceId: '', ipam: true as const }],
  ports: [],
  links: new Set<string>(),
};
const KEY = { containerId: 'c1', ifname: 'eth0' };

/** What goes in the first round, and what in the second with everything unchanged. */
const twoRounds = (input: ReapInput) => {
  const first = planReap(input);
  return [first.remove, planReap({ ...input, suspects: first.suspects }).remove];
};

describe('what the reaper removes', () => {
  test.each([
    ['nothing of a healthy attachment', healthy, [[], []]],
    ['a pod that is gone, at the second look', { ...healthy, podUids: new Set() }, [[], [KEY]]],
    ['a sandbox that is gone, at the second look', { ...healthy, links: new Set() }, [[], [KEY]]],
    ['a port that the journal has forgotten', { ...healthy, entries: [], podUids: new Set() }, [[], [KEY]]],
    ['an attachment that OVS has forgotten', { ...healthy, ports: [], links: new Set() }, [[], [KEY]]],
    ["nothing of another plugin's interface, which has no host end", { ...healthy, ...IPAM }, [[], []]],
    ["an address of another plugin's interface without pod", { ...healthy, ...IPAM, podUids: new Set() }, [[], [KEY]]],
    ['nothing by absence before the API was read', { ...healthy, podUids: undefined }, [[], []]],
    ['an ADD cut off by a crash, at once', { ...healthy, entries: [{ ...entry, state: 'wiring' }] }, [[KEY], [KEY]]],
    [
      'a DEL that could not be finished, at once',
      { ...healthy, entries: [{ ...entry, state: 'releasing' }] },
      [[KEY], [KEY]],
    ],
    [
      'nothing that a call works on',
      { ...healthy, entries: [{ ...entry, state: 'wiring' }], busy: () => true },
      [[], []],
    ],
    ['nothing when there is nothing', { ...healthy, entries: [], ports: [], links: new Set() }, [[], []]],
  ] as [string, ReapInput, unknown][])('%s', (_cause, input, wanted) => {
    expect(twoRounds(input)).toEqual(wanted);
  });

  test('a suspect that is well again is forgotten', () => {
    const first = planReap({ ...healthy, podUids: new Set() });
    expect(first.suspects).toEqual(new Set(['c1/eth0']));
    const second = planReap({ ...healthy, suspects: first.suspects });
    expect(second).toEqual({ remove: [], strays: [], suspects: new Set() });
  });

  test('a host end that belongs to nothing goes at the second look', () => {
    const input = { ...healthy, links: new Set(['m1', 'm9']) };
    const first = planReap(input);
    expect(first.strays).toEqual([]);
    expect(planReap({ ...input, suspects: first.suspects }).strays).toEqual(['m9']);
  });

  test('the host end of an ADD under way is known by its journal entry', () => {
    const input: ReapInput = { ...healthy, ports: [], entries: [{ ...entry, state: 'wiring' }], busy: () => true };
    const suspects = new Set(['m1', 'c1/eth0']);
    expect(planReap({ ...input, suspects })).toEqual({ remove: [], strays: [], suspects: new Set() });
  });

  test('two sandboxes of one pod are told apart', () => {
    const newer = { ...entry, containerId: 'c2', hostInterface: 'm2' };
    const input = { ...healthy, entries: [entry, newer], links: new Set(['m2']) };
    expect(twoRounds(input)[1]).toEqual([KEY]);
  });
});
