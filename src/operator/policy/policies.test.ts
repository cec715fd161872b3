import { describe, expect, it } from 'vitest';
import type { NetworkPolicy, Pod } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import { type Change, createStore, type KubeObject } from '../../kube/index.ts';
import type { Observed } from '../../ovn/observed.ts';
import { PORT_GROUP } from '../../ovn/port-group.ts';
import { makeTestSettings } from '../../plan/networks/testing/subnets.ts';
import { formatGroupName } from '../../plan/policies/groups.ts';
import { makePolicy } from '../../plan/policies/testing/policies.ts';
import { createPolicies } from './policies.ts';

type Indexers<T> = Parameters<typeof createStore<T & KubeObject>>[0];

/** A cache that is written by hand. */
function createWatch<T extends KubeObject>(indexers: Indexers<T> = {}) {
  const store = createStore<T>(indexers);
  const handlers: ((change: Change<T>) => void)[] = [];
  const tell = (changes: readonly Change<T>[]) => {
    for (const change of changes) for (const handler of handlers) handler(change);
  };
  return {
    known: true,
    store,
    onChange: (handler: (change: Change<T>) => void) => handlers.push(handler),
    isKnown(): boolean {
      return this.known;
    },
    set: (object: T) => tell(store.set(object)),
    remove: (key: string) => tell([store.delete(key)].flatMap((change) => change ?? [])),
  };
}

const makePort = (name: string, held = true): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: `${name}.eth0.pod`, namespace: 'a' },
  spec: {
    owner: { kind: 'Pod', name, uid: name },
    nic: 'eth0',
    subnet: 'net',
    ips: [],
    mac: '',
    attachments: held ? [{ podName: name, podUID: name, node: 'n', interface: 'eth0', role: 'Source' }] : [],
  },
});
const makePod = (name: string, labels: Record<string, string> = {}, port = 80): Pod => ({
  metadata: { name, namespace: 'a', uid: name, labels },
  spec: { containers: [{ ports: [{ name: 'http', containerPort: port }] }] },
});

function createScene() {
  const networkPolicies = createWatch<NetworkPolicy>();
  const ports = createWatch<LogicalPort>({ namespace: ({ metadata }) => [metadata.namespace ?? ''] });
  const pods = createWatch<Pod>();
  const namespaces = createWatch<KubeObject>();
  networkPolicies.isKnown = networkPolicies.isKnown.bind(networkPolicies);
  const world = { networkPolicies, ports, pods, namespaces } as unknown as Parameters<typeof createPolicies>[0];
  return { networkPolicies, ports, pods, namespaces, policies: createPolicies(world, makeTestSettings()) };
}

/** A database with these switch ports, some of them in the one group that there is. */
function observe(group: string, lsps: readonly string[], present: readonly string[]): Observed {
  const row = (name: string) => ({ _uuid: `uuid ${name}`, name, external_ids: new Map() });
  const rows = new Map(lsps.map((name) => [`uuid ${name}`, row(name)]));
  return {
    rows: () => rows,
    findByKey: (kind: unknown, key: string) => {
      if (kind === PORT_GROUP) return key === group ? [{ ports: present.map((name) => `uuid ${name}`) }] : [];
      return rows.has(`uuid ${key}`) ? [row(key)] : [];
    },
  } as unknown as Observed;
}

const WEB = { podSelector: { matchLabels: { app: 'web' } } };
const lspOf = (name: string) => `pod/a/${name}/eth0`;

describe('the groups of a port', () => {
  it('are those that its pod is chosen for', () => {
    const { policies, networkPolicies, pods } = createScene();
    networkPolicies.set(makePolicy(WEB));
    const [group] = policies.listGroups();
    const name = formatGroupName(group?.id ?? '');
    pods.set(makePod('p', { app: 'web' }));
    expect(policies.findMembership(makePort('p'))).toMatchObject({ port: lspOf('p'), groups: new Set([name]) });
    pods.set(makePod('p', { app: 'db' }));
    const membership = policies.findMembership(makePort('p'));
    expect(membership?.groups).toEqual(new Set());
    expect(membership?.judges(name)).toBe(true);
    expect(membership?.judges('mooring_policy_of_another')).toBe(false);
  });

  it('stay as they are while nobody holds it, and while nobody may read policies', () => {
    const { policies, networkPolicies, pods } = createScene();
    networkPolicies.set(makePolicy(WEB));
    pods.set(makePod('p', { app: 'db' }));
    expect(policies.findMembership(makePort('p', false))).toBeUndefined();
    expect(policies.findMembership(makePort('stranger'))).toBeUndefined();
    networkPolicies.known = false;
    expect(policies.findMembership(makePort('p'))).toBeUndefined();
    expect(policies.isKnown()).toBe(false);
  });
});

describe('the row of a group', () => {
  it('has whom it is for, and keeps whom nobody can judge', () => {
    const { policies, networkPolicies, ports, pods } = createScene();
    networkPolicies.set(makePolicy(WEB));
    for (const name of ['in', 'new', 'out', 'unborn']) ports.set(makePort(name));
    ports.set(makePort('idle', false));
    for (const name of ['in', 'new', 'unborn']) pods.set(makePod(name, { app: 'web' }));
    pods.set(makePod('out', { app: 'db' }));
    const [group] = policies.listGroups();
    if (group === undefined) throw new Error('no group');
    const lsps = ['in', 'new', 'out', 'idle', 'unseen'].map(lspOf);
    const observed = observe(formatGroupName(group.id), lsps, ['in', 'out', 'idle', 'unseen'].map(lspOf));
    const row = policies.planGroup(observed, group);
    // `unborn` has no switch port yet; `unseen` has one that no LogicalPort in the cache speaks of.
    expect(row.ports).toEqual(['in', 'idle', 'unseen', 'new'].map((name) => `uuid ${lspOf(name)}`));
    expect(row.externalIds.get('mooring-owner')).toBe(`PolicyGroup/${group.id}`);
  });
});

describe('a policy that calls a port by its name', () => {
  const HTTP = { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] };
  const numbersOf = (plan: ReturnType<ReturnType<typeof createPolicies>['refresh']>) =>
    plan?.acls.flatMap(({ match }) => /tcp\.dst == \{(\d+)\}/.exec(match)?.[1] ?? []);

  it('is made anew when pods have other numbers', () => {
    const { policies, networkPolicies, ports, pods } = createScene();
    networkPolicies.set(makePolicy(HTTP));
    expect(numbersOf(policies.refresh('a/p'))).toEqual([]);
    ports.set(makePort('one'));
    pods.set(makePod('one'));
    expect(numbersOf(policies.refresh('a/p'))).toEqual(['80']);
    expect(policies.listGroups()).toHaveLength(2);
    pods.set(makePod('one', {}, 8080));
    expect(numbersOf(policies.refresh('a/p'))).toEqual(['8080']);
    expect(policies.listGroups()).toHaveLength(2);
  });

  it('is found by who has a port of that name', () => {
    const { policies, networkPolicies } = createScene();
    networkPolicies.set(makePolicy(HTTP));
    const port = { name: 'http', protocol: 'TCP', port: 1 } as const;
    expect(policies.listNamers({ namespace: 'a', ports: [port] })).toEqual(['a/p']);
    expect(policies.listNamers({ namespace: 'b', ports: [port] })).toEqual([]);
    expect(policies.listNamers({ namespace: 'a', ports: [{ ...port, protocol: 'UDP' }] })).toEqual([]);
    expect(policies.listWideNamers()).toEqual([]);
    const to = [{ namespaceSelector: {} }];
    networkPolicies.set(makePolicy({ podSelector: {}, egress: [{ to, ports: [{ port: 'http' }] }] }, 'wide'));
    expect(policies.listWideNamers()).toEqual(['a/wide']);
    expect(policies.listNamers({ namespace: 'b', ports: [port] })).toEqual(['a/wide']);
  });
});

describe('a policy that goes', () => {
  it('leaves no group behind, and tells of each', () => {
    const { policies, networkPolicies } = createScene();
    const orphans: string[] = [];
    const end = policies.onOrphan((id) => void orphans.push(id));
    networkPolicies.set(makePolicy(WEB));
    const ids = policies.listGroups().map(({ id }) => id);
    networkPolicies.remove('a/p');
    expect(orphans).toEqual(ids);
    expect([policies.listGroups(), policies.refresh('a/p')]).toEqual([[], undefined]);
    end();
    networkPolicies.set(makePolicy(WEB));
    networkPolicies.remove('a/p');
    expect(orphans).toEqual(ids);
  });
});
