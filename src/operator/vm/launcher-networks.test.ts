import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/objects.ts';
import type { LauncherRecord } from '../../migration/input.ts';
import { trimPod } from '../trim.ts';
import { listLauncherNetworks } from './launcher-networks.ts';

const launcher = (uid: string, over: Partial<LauncherRecord> = {}): LauncherRecord => ({
  uid,
  name: uid,
  vmiUid: 'i',
  node: `node-of-${uid}`,
  deleting: false,
  final: false,
  ...over,
});

/** Launchers with these annotations, as the cache keeps them; the guest is where `a` is. */
function list(annotations: Record<string, Record<string, string> | undefined>, launchers = Object.keys(annotations)) {
  const findPod = ({ uid }: LauncherRecord) =>
    trimPod({ metadata: { name: uid, namespace: 'ns', annotations: annotations[uid] }, spec: {}, status: {} } as Pod);
  const records = launchers.map((uid) => launcher(uid));
  return listLauncherNetworks(records, findPod, 'node-of-a').map(({ uid, home, nads }) => ({
    uid,
    home,
    nads: nads && Object.fromEntries(nads),
  }));
}

const networks = (...items: object[]) => ({ 'k8s.v1.cni.cncf.io/networks': JSON.stringify(items) });
const DEFAULT = { 'v1.multus-cni.io/default-network': 'net/first' };

describe('listLauncherNetworks', () => {
  it('reads NADs by interface, its own namespace where none is named, and who is where the guest is', () => {
    const given = networks({ name: 'red', interface: 'pod1' }, { name: 'blue', namespace: 'b', interface: 'pod2' });
    expect(list({ a: given, t: networks({ name: 'green', interface: 'pod1' }) })).toEqual([
      { uid: 'a', home: true, nads: { pod1: 'ns/red', pod2: 'b/blue' } },
      { uid: 't', home: false, nads: { pod1: 'ns/green' } },
    ]);
  });

  it.each<[string, Record<string, Record<string, string> | undefined>, unknown[]]>([
    ['nobody says anything: nothing is known', { a: undefined, t: {} }, [undefined, undefined]],
    [
      'one says something: the other has no further network',
      { a: undefined, t: networks({ name: 'r', interface: 'p' }) },
      [{}, { p: 'ns/r' }],
    ],
    ['an empty text is no network', { a: { 'k8s.v1.cni.cncf.io/networks': '' } }, [{}]],
    [
      'a text that cannot be read says nothing, and keeps nobody else from it',
      { a: { 'k8s.v1.cni.cncf.io/networks': '[{' }, t: undefined },
      [undefined, {}],
    ],
    ['a network that stands first', { a: { ...networks(), ...DEFAULT } }, [{ eth0: 'net/first' }]],
    [
      'one that stands first and cannot be read',
      { a: { ...networks(), 'v1.multus-cni.io/default-network': '[' } },
      [{}],
    ],
    [
      'a hostile name is a name',
      { a: networks({ name: 'red', interface: '__proto__' }) },
      [Object.fromEntries([['__proto__', 'ns/red']])],
    ],
  ])('%s', (_cause, annotations, expected) => {
    expect(list(annotations).map(({ nads }) => nads)).toEqual(expected);
  });

  it('a launcher without a node is not where the guest is, though nobody knows where that is', () => {
    const pending = { ...launcher('a'), node: '' };
    expect(listLauncherNetworks([pending], () => undefined, undefined)[0]?.home).toBe(false);
  });
});
