import { describe, expect, it } from 'vitest';
import { planRanges } from '../../ipam/ranges.ts';
import { deriveApart, listNews, listSent, MOST_SENT, type Sent } from './memory.ts';
import { makeNetwork, makeVmi } from './testing/facts.ts';

const ranges = planRanges({ cidrBlock: '198.18.2.0/24' });
if (!ranges.ok) throw new Error('fixture');
const RANGES = ranges.value;
const list = (vmis: Parameters<typeof listSent>[1], known: Sent[] = []) =>
  listSent({ ...makeNetwork(), status: { lastMigrations: known } }, vmis, RANGES);
const sent = (uid: string, at: string, network: Sent['network'] = 'Migration'): Sent => ({
  vmi: `a/${uid}`,
  uid,
  source: 'n1',
  target: 'n2',
  address: '198.18.2.7',
  network,
  at,
});

describe('a migration', () => {
  it('that has ended tells where its memory went', () => {
    expect(list([makeVmi('vm', { targetNodeAddress: '198.18.2.7' })])).toEqual([
      {
        vmi: 'a/vm',
        uid: 'uid-vm',
        source: 'n1',
        target: 'n2',
        address: '198.18.2.7',
        network: 'Migration',
        at: '2026-11-21T11:30:05Z',
      },
    ]);
  });

  it.each<[string, Parameters<typeof makeVmi>[1], string[]]>([
    ['by another address', { targetNodeAddress: '10.16.0.4' }, ['Pod 10.16.0.4']],
    ['by IPv6 where the range has none', { targetNodeAddress: 'fd00:0::4' }, ['Pod fd00::4']],
    ['failed', { targetNodeAddress: '198.18.2.7', failed: true }, ['Migration 198.18.2.7']],
    ['of before the network', { targetNodeAddress: '10.16.0.4', startTimestamp: '2026-11-21T10:59:59Z' }, []],
    [
      'in the second of the network',
      { targetNodeAddress: '198.18.2.7', startTimestamp: '2026-11-21T11:00:00Z' },
      ['Migration 198.18.2.7'],
    ],
    ['without an address', {}, []],
    ['whose address is none', { targetNodeAddress: '198.18.2.7; rm' }, []],
    ['without a UID', { targetNodeAddress: '198.18.2.7', migrationUid: '' }, []],
    ['with a UID without end', { targetNodeAddress: '198.18.2.7', migrationUid: 'u'.repeat(65) }, []],
    ['with a time that is none', { targetNodeAddress: '198.18.2.7', startTimestamp: 'soon' }, []],
  ])('%s', (_cause, state, expected) => {
    expect(list([makeVmi('vm', state)]).map(({ network, address }) => `${network} ${address}`)).toEqual(expected);
  });

  it('that goes on says nothing yet, and one without an end of its own is told by its beginning', () => {
    const { status } = makeVmi('vm', { targetNodeAddress: '198.18.2.7' });
    const { endTimestamp: _, ...state } = status?.migrationState ?? {};
    const vmi = (completed: boolean) => ({
      metadata: { name: 'vm', namespace: 'a' },
      status: { migrationState: { ...state, completed } },
    });
    expect(list([vmi(false)])).toEqual([]);
    expect(list([vmi(true)]).map(({ at }) => at)).toEqual(['2026-11-21T11:30:00Z']);
  });

  it('is told once, as it was told first, also when the guest is gone or migrates again', () => {
    const first = list([makeVmi('vm', { targetNodeAddress: '198.18.2.7' })]);
    expect(list([makeVmi('vm', { targetNodeAddress: '10.0.0.1' })], first)).toEqual(first);
    expect(list([], first)).toEqual(first);
    const again = makeVmi('vm', {
      migrationUid: 'second',
      targetNodeAddress: '10.0.0.1',
      endTimestamp: '2026-11-21T11:40:00Z',
    });
    expect(list([again], first).map(({ uid }) => uid)).toEqual(['second', 'uid-vm']);
  });

  it('comes before one that ended in the same second and is known', () => {
    const known = [sent('z', '2026-11-21T11:30:05Z'), sent('a', '2026-11-21T11:30:05Z')];
    const next = list([makeVmi('vm', { targetNodeAddress: '198.18.2.7' })], known);
    expect(next.map(({ uid }) => uid)).toEqual(['uid-vm', 'z', 'a']);
  });

  it('is forgotten when ten have ended after it', () => {
    const known = Array.from({ length: MOST_SENT }, (_, at) => sent(`m${at}`, `2026-11-21T11:2${at}:00Z`)).reverse();
    const next = list([makeVmi('vm', { targetNodeAddress: '198.18.2.7' })], known);
    expect(next).toHaveLength(MOST_SENT);
    expect(next.map(({ uid }) => uid)).toEqual(['uid-vm', ...known.slice(0, -1).map(({ uid }) => uid)]);
    expect(listSent({ ...makeNetwork(), status: { lastMigrations: next } }, [], RANGES)).toEqual(next);
  });

  it.each<[string, Parameters<typeof makeVmi>[1]]>([
    ['that ended in one second', {}],
    ['of which none says when it ended', { endTimestamp: '' }],
  ])('of a dozen %s is told once, whichever were forgotten', (_cause, state) => {
    const vmis = Array.from({ length: MOST_SENT + 2 }, (_, at) =>
      makeVmi(`m${at}`, { targetNodeAddress: '198.18.2.7', ...state }),
    );
    const first = list(vmis);
    expect(first).toHaveLength(MOST_SENT);
    expect(list(vmis, first)).toEqual(first);
    expect(list(vmis.toReversed(), first)).toEqual(first);
  });
});

describe('whether the memory was apart', () => {
  it.each<[string, Sent[], string]>([
    ['nobody knows before the first migration', [], 'Unknown NoMigrationYet'],
    ['is so by the last one', [sent('b', '2'), sent('a', '1', 'Pod')], 'True MemoryOnMigrationNetwork'],
    ['is not so by the last one', [sent('b', '2', 'Pod'), sent('a', '1')], 'False MemoryOnPodNetwork'],
  ])('%s', (_cause, known, expected) => {
    const { status, reason } = deriveApart(known);
    expect(`${status} ${reason}`).toBe(expected);
  });

  it('is told once', () => {
    const network = makeNetwork();
    const known = sent('a', '1');
    const both = [sent('b', '2', 'Pod'), known];
    expect(listNews(network, both)).toEqual(both);
    expect(listNews({ ...network, status: { lastMigrations: [known] } }, both).map(({ uid }) => uid)).toEqual(['b']);
    expect(listNews({ ...network, status: { lastMigrations: both } }, both)).toEqual([]);
  });
});
