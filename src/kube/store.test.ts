import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStore, keyOf, parseKey } from './store.ts';
import type { KubeObject } from './types.ts';

type Pod = KubeObject & { node?: string };
const pod = (name: string, version: number, node?: string, uid = 'u'): Pod => ({
  metadata: { name, namespace: 'a', uid, resourceVersion: String(version) },
  ...(node === undefined ? {} : { node }),
});
const byNode = (one: Pod) => (one.node === undefined ? [] : [one.node]);
const kinds = (changes: readonly { type: string; key: string }[]) => changes.map((one) => `${one.type} ${one.key}`);

describe('keys', () => {
  it('name namespaced and cluster objects, and can be read back', () => {
    expect(keyOf(pod('p', 1))).toBe('a/p');
    expect(keyOf({ metadata: { name: 'n' } })).toBe('n');
    expect([parseKey('a/p'), parseKey('n')]).toEqual([{ namespace: 'a', name: 'p' }, { name: 'n' }]);
    expect(() => keyOf({ metadata: { name: '' } })).toThrow(TypeError);
    expect(() => keyOf({})).toThrow(TypeError);
  });
});

describe('store', () => {
  it('tells what each write changed', () => {
    const store = createStore<Pod>();
    const first = pod('p', 1);
    const second = pod('p', 2);
    expect(store.set(first)).toEqual([{ type: 'added', key: 'a/p', object: first }]);
    expect(store.set(second)).toEqual([{ type: 'updated', key: 'a/p', object: second, previous: first }]);
    expect(store.delete('a/p')).toEqual({ type: 'deleted', key: 'a/p', object: second });
    expect(store.delete('a/p')).toBeUndefined();
    expect([store.size(), store.list(), store.get('a/p')]).toEqual([0, [], undefined]);
  });

  it('replaces everything and gives the difference: deletions first, unchanged versions silent', () => {
    const store = createStore<Pod>();
    for (const one of [pod('same', 1), pod('new', 1), pod('gone', 1), pod('other', 1)]) store.set(one);
    const changes = store.replace([pod('same', 1), pod('new', 2), pod('other', 5, undefined, 'v'), pod('fresh', 1)]);
    expect(kinds(changes)).toEqual([
      'deleted a/gone',
      'updated a/new',
      'deleted a/other',
      'added a/other',
      'added a/fresh',
    ]);
  });

  it('takes an older version from a list, as after a restored backup', () => {
    const store = createStore<Pod>();
    store.set(pod('p', 9));
    expect(kinds(store.replace([pod('p', 3)]))).toEqual(['updated a/p']);
  });

  it('refuses an index that was not declared', () => {
    expect(() => createStore<Pod>().byIndex('byNode', 'n1')).toThrow("no index 'byNode'");
  });

  it('stays as it was when an indexer throws', () => {
    const store = createStore<Pod>({
      odd: (one) => {
        if (one.node === 'odd') throw new Error('odd');
        return byNode(one);
      },
    });
    store.set(pod('p', 1, 'n1'));
    expect(() => store.set(pod('p', 2, 'odd'))).toThrow('odd');
    expect([store.get('a/p'), store.byIndex('odd', 'n1').length]).toEqual([pod('p', 1, 'n1'), 1]);
  });

  it('is not fooled by names that objects inherit', () => {
    const store = createStore<Pod>({ byNode });
    expect([store.get('constructor'), store.byIndex('byNode', '__proto__')]).toEqual([undefined, []]);
    store.set(pod('__proto__', 1, '__proto__'));
    expect(store.byIndex('byNode', '__proto__')).toHaveLength(1);
    expect(() => store.byIndex('constructor', 'x')).toThrow(TypeError);
  });

  it('keeps its indexes equal to a search through all objects, whatever the writes', () => {
    const name = fc.constantFrom('p', 'q', 'r');
    const one = fc
      .tuple(name, fc.nat(50), fc.option(fc.constantFrom('n1', 'n2'), { nil: undefined }))
      .map(([n, v, node]) => pod(n, v, node));
    const write = fc.oneof(
      one.map((object) => ({ set: object })),
      name.map((key) => ({ delete: `a/${key}` })),
      fc.uniqueArray(one, { selector: keyOf }).map((list) => ({ replace: list })),
    );
    fc.assert(
      fc.property(fc.array(write), (writes) => {
        const store = createStore<Pod>({ byNode });
        for (const each of writes) {
          if ('set' in each) store.set(each.set);
          else if ('delete' in each) store.delete(each.delete);
          else store.replace(each.replace);
        }
        for (const node of ['n1', 'n2']) {
          const found = store.byIndex('byNode', node).map(keyOf).sort();
          expect(found).toEqual(
            store
              .list()
              .filter((object) => object.node === node)
              .map(keyOf)
              .sort(),
          );
        }
      }),
    );
  });

  it('tells changes from which a reader can rebuild the content', () => {
    const lists = fc.array(
      fc.uniqueArray(fc.tuple(fc.constantFrom('p', 'q', 'r'), fc.nat(9), fc.constantFrom('u', 'v')), {
        selector: ([n]) => n,
      }),
    );
    fc.assert(
      fc.property(lists, (turns) => {
        const store = createStore<Pod>();
        const mirror = new Map<string, Pod>();
        for (const turn of turns) {
          const changes = store.replace(turn.map(([n, v, uid]) => pod(n, v, undefined, uid)));
          for (const change of changes) {
            expect(mirror.has(change.key)).toBe(change.type !== 'added');
            if (change.type === 'deleted') mirror.delete(change.key);
            else mirror.set(change.key, change.object);
          }
          expect([...mirror.values()].map(keyOf).sort()).toEqual(store.list().map(keyOf).sort());
        }
      }),
    );
  });
});
