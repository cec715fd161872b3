import { describe, expect, it } from 'vitest';
import type { Context } from '../context.ts';
import { listPolicyKeys, routePolicies } from './route.ts';

type Change = { type: string; object: object; previous?: object };
type Handler = (change: Change) => void;

const pod = (port?: object, more: object = {}) => ({
  metadata: { name: 'p', namespace: 'a', labels: {}, ...more },
  spec: port === undefined ? {} : { containers: [{ ports: [port] }] },
});
const HTTP = { name: 'http', containerPort: 80 };
const port = (attachments: object[]) => ({ metadata: { name: 'p.eth0.pod', namespace: 'a' }, spec: { attachments } });
const namespace = (labels: object) => ({ metadata: { name: 'a', labels } });

/** Policies that are there; `a/named` calls a port http, and group `g1` chooses namespaces by label. */
function createScene() {
  const handlers = new Map<string, Handler>();
  const ended: string[] = [];
  let onOrphan = (_id: string) => {};
  const watch = (kind: string, objects: object[] = []) => ({
    onNews: (handler: Handler) => {
      handlers.set(kind, handler);
      return () => ended.push(kind);
    },
    store: { list: () => objects, get: (key: string) => (key === 'a/p' ? pod(HTTP) : undefined) },
  });
  const policy = { metadata: { name: 'deny', namespace: 'a' } };
  const kinds = ['namespaces', 'pods', 'ports'];
  const world = {
    networkPolicies: watch('networkPolicies', [policy]),
    ...Object.fromEntries(kinds.map((kind) => [kind, watch(kind)])),
  };
  const policies = {
    listGroups: () => [{ id: 'g1' }],
    listGroupsByLabels: (before: object, after: object) =>
      JSON.stringify(before) === JSON.stringify(after) ? [] : [{ id: 'g1' }],
    listNamers: ({ ports }: { ports: { name: string }[] }) =>
      ports.some(({ name }) => name === 'http') ? ['a/named'] : [],
    listWideNamers: () => ['b/wide'],
    onOrphan: (handler: (id: string) => void) => {
      onOrphan = handler;
      return () => ended.push('orphans');
    },
  };
  const keys: string[] = [];
  const context = { world, policies } as unknown as Context;
  const ends = routePolicies(context, { add: (key) => void keys.push(key) });
  return {
    keys,
    ended,
    context,
    end: () => {
      for (const end of ends) end();
    },
    orphan: (id: string) => onOrphan(id),
    change: (kind: string, change: Change) => handlers.get(kind)?.(change),
  };
}

describe('news', () => {
  it.each<[string, string, Change, string[]]>([
    [
      'of a policy',
      'networkPolicies',
      { type: 'deleted', object: { metadata: { name: 'x', namespace: 'a' } } },
      ['policy/a/x'],
    ],
    ['of a namespace', 'namespaces', { type: 'added', object: namespace({}) }, ['policygroup/g1', 'policy/b/wide']],
    [
      'of a namespace that goes',
      'namespaces',
      { type: 'deleted', object: namespace({}) },
      ['policygroup/g1', 'policy/b/wide'],
    ],
    [
      'of labels of a namespace',
      'namespaces',
      { type: 'updated', object: namespace({ a: '1' }), previous: namespace({}) },
      ['policygroup/g1', 'policy/b/wide'],
    ],
    [
      'of something else of a namespace',
      'namespaces',
      { type: 'updated', object: namespace({ a: '1' }), previous: namespace({ a: '1' }) },
      [],
    ],
    ['of a pod with a named port', 'pods', { type: 'added', object: pod(HTTP) }, ['policy/a/named']],
    ['of a pod without one', 'pods', { type: 'added', object: pod() }, []],
    ['of a pod whose name nobody uses', 'pods', { type: 'added', object: pod({ name: 'x', containerPort: 1 }) }, []],
    [
      'of labels of a pod with a named port',
      'pods',
      { type: 'updated', object: pod(HTTP, { labels: { a: '1' } }), previous: pod(HTTP) },
      ['policy/a/named', 'policy/a/named'],
    ],
    [
      'of a heartbeat of such a pod',
      'pods',
      { type: 'updated', object: pod(HTTP, { resourceVersion: '2' }), previous: pod(HTTP) },
      [],
    ],
    [
      'of a port that such a pod holds now',
      'ports',
      { type: 'updated', object: port([{ podName: 'p' }]), previous: port([]) },
      ['policy/a/named'],
    ],
    ['of a port whose pod nobody knows', 'ports', { type: 'added', object: port([{ podName: 'x' }]) }, []],
    [
      'of something else of a port',
      'ports',
      { type: 'updated', object: port([{ podName: 'p' }]), previous: port([{ podName: 'p' }]) },
      [],
    ],
  ])('%s', (_what, kind, change, expected) => {
    const scene = createScene();
    scene.change(kind, change);
    expect(scene.keys).toEqual(expected);
  });

  it('that nobody speaks of a group any more', () => {
    const scene = createScene();
    scene.orphan('g7');
    expect(scene.keys).toEqual(['policygroup/g7']);
  });

  it('are heard until the term is over', () => {
    const scene = createScene();
    scene.end();
    expect(scene.ended.sort()).toEqual(['namespaces', 'networkPolicies', 'orphans', 'pods', 'ports']);
  });

  it('are none where policies are not served', () => {
    expect(routePolicies({ world: {} } as unknown as Context, { add: () => {} })).toEqual([]);
    expect(listPolicyKeys({ world: {} } as unknown as Context)).toEqual([]);
  });
});

it('everything is looked at: policies and groups', () => {
  expect(listPolicyKeys(createScene().context)).toEqual(['policy/a/deny', 'policygroup/g1']);
});
