import { describe, expect, it } from 'vitest';
import { createDice } from '../../../test/operator/mortal.ts';
import type { NetworkPolicy } from '../../api/objects.ts';
import { makeTestSettings } from '../networks/testing/subnets.ts';
import type { Endpoint, Protocol } from './groups.ts';
import { type PolicyRows, planPolicies } from './plan.ts';
import { type Connection, type End, isAllowed, type TestPod, type TestPolicy } from './testing/api-semantics.ts';
import { passes } from './testing/ovn-match.ts';

/** Worlds of some pods and policies, drawn at random; each connection in them is judged by the API's words and by our ACLs. */
const NAMESPACES = new Map([
  ['a', { team: 'x', stage: 'test' }],
  ['b', { team: 'y' }],
  ['c', {}],
]);
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const PORTS = [80, 81, 443, 8080];
const TYPES = [['Ingress'], ['Egress'], ['Ingress', 'Egress']];
const OUTSIDE = ['192.0.2.1', '10.9.0.1', '2001:db8::1'];

type Dice = () => number;
const roll = (dice: Dice, sides: number): number => Math.floor(dice() * sides);
function pick<T>(dice: Dice, items: readonly T[]): T {
  const item = items[roll(dice, items.length)];
  if (item === undefined) throw new Error('nothing to pick');
  return item;
}
const some = <T>(dice: Dice, most: number, make: () => T): T[] => Array.from({ length: roll(dice, most + 1) }, make);
const maybe = <T extends object>(dice: Dice, part: () => T): T | object => (dice() < 0.5 ? part() : {});

const makeLabels = (dice: Dice): Record<string, string> => ({
  ...maybe(dice, () => ({ app: pick(dice, ['web', 'db']) })),
  ...maybe(dice, () => ({ team: pick(dice, ['x', 'y']) })),
});

function makePod(dice: Dice, index: number): TestPod {
  const namespace = pick(dice, [...NAMESPACES.keys()]);
  const named = some(dice, 2, () => pick(dice, PROTOCOLS)).map((protocol, at) => ({
    name: pick(dice, ['http', 'metrics']),
    protocol,
    port: (PORTS[at] ?? 80) + roll(dice, 2),
  }));
  const ips = [`10.0.0.${index + 10}`, `fd00::${index + 10}`];
  return { namespace, name: `p${index}`, labels: makeLabels(dice), ips, ports: named };
}

function makeSelector(dice: Dice): object {
  const key = pick(dice, ['app', 'team', 'none']);
  const kinds: object[] = [
    {},
    { matchLabels: { [key]: pick(dice, ['web', 'x']) } },
    { matchExpressions: [{ key, operator: pick(dice, ['In', 'NotIn']), values: [pick(dice, ['web', 'y']), 'x'] }] },
    { matchExpressions: [{ key, operator: pick(dice, ['Exists', 'DoesNotExist']) }] },
    { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'team', operator: 'Exists' }] },
  ];
  return pick(dice, kinds);
}

function makePeer(dice: Dice): object {
  const blocks = [
    { cidr: '10.0.0.0/8', except: ['10.0.0.12/32', '10.9.0.0/16'] },
    { cidr: '0.0.0.0/0', except: ['10.0.0.8/29'] },
    { cidr: '10.0.0.10/31' },
    { cidr: 'fd00::/120', except: ['fd00::10/128'] },
    { cidr: '::/0' },
  ];
  const kinds: (() => object)[] = [
    () => ({ podSelector: makeSelector(dice) }),
    () => ({ namespaceSelector: makeSelector(dice) }),
    () => ({ podSelector: makeSelector(dice), namespaceSelector: makeSelector(dice) }),
    () => ({ ipBlock: pick(dice, blocks) }),
  ];
  return pick(dice, kinds)();
}

function makePort(dice: Dice): object {
  const protocol = pick(dice, PROTOCOLS);
  const first = pick(dice, PORTS);
  const kinds: object[] = [
    { protocol, port: first },
    { port: first },
    { protocol, port: first, endPort: first + roll(dice, 400) },
    { protocol },
    { protocol, port: pick(dice, ['http', 'metrics', 'nobodys']) },
  ];
  return pick(dice, kinds);
}

function makeTestPolicy(dice: Dice, index: number): TestPolicy {
  const rule = (key: 'from' | 'to') => () => ({
    ...maybe(dice, () => ({ [key]: some(dice, 2, () => makePeer(dice)) })),
    ...maybe(dice, () => ({ ports: some(dice, 2, () => makePort(dice)) })),
  });
  const types = pick(dice, [{}, { policyTypes: [] }, ...TYPES.map((policyTypes) => ({ policyTypes }))]);
  return {
    metadata: { name: `policy${index}`, namespace: pick(dice, [...NAMESPACES.keys()]) },
    spec: {
      podSelector: makeSelector(dice),
      ...types,
      ...maybe(dice, () => ({ ingress: some(dice, 2, rule('from')) })),
      ...maybe(dice, () => ({ egress: some(dice, 2, rule('to')) })),
    },
  };
}

type World = { readonly pods: readonly TestPod[]; readonly policies: readonly TestPolicy[]; readonly rows: PolicyRows };

const lspOf = ({ namespace, name }: TestPod): string => `pod/${namespace}/${name}/eth0`;

function makeWorld(dice: Dice): World {
  const pods = Array.from({ length: 6 }, (_, index) => makePod(dice, index));
  const policies = Array.from({ length: 1 + roll(dice, 4) }, (_, index) => makeTestPolicy(dice, index));
  const endpoints = pods.map(
    (pod): Endpoint => ({
      lsp: lspOf(pod),
      namespace: pod.namespace,
      labels: pod.labels,
      ports: pod.ports.map(({ name, protocol, port }) => ({ name, port, protocol: protocol as Protocol })),
    }),
  );
  const { cluster, join } = makeTestSettings();
  const namespaces = NAMESPACES as ReadonlyMap<string, Record<string, string>>;
  const rows = planPolicies({ cluster, join, policies: policies as NetworkPolicy[], namespaces, endpoints });
  return { pods, policies, rows };
}

/** Both ends in one family; at least one of them a pod, and never the same. */
function listConnections(dice: Dice, pods: readonly TestPod[]): Connection[] {
  const ends = (family: 0 | 1): End[] => [
    ...pods.map((pod): End => ({ pod, ip: pod.ips[family] ?? '' })),
    ...OUTSIDE.filter((ip) => ip.includes(':') === (family === 1)).map((ip): End => ({ ip })),
  ];
  return ([0, 1] as const).flatMap((family) =>
    ends(family).flatMap((from) =>
      ends(family).flatMap((to) => {
        if (from.ip === to.ip || (from.pod === undefined && to.pod === undefined)) return [];
        const protocol = pick(dice, ['tcp', 'udp', 'sctp', 'icmp'] as const);
        return [{ from, to, protocol, port: pick(dice, PORTS) + roll(dice, 2) }];
      }),
    ),
  );
}

function isPassed({ rows, pods }: World, { from, to, protocol, port }: Connection): boolean {
  const ips = new Map(pods.map((pod): [string, readonly string[]] => [lspOf(pod), pod.ips]));
  const packet = {
    ...(from.pod === undefined ? {} : { inport: lspOf(from.pod) }),
    ...(to.pod === undefined ? {} : { outport: lspOf(to.pod) }),
    src: from.ip,
    dst: to.ip,
    protocol,
    port,
  };
  return passes(rows, 'from-lport', packet, ips) && passes(rows, 'to-lport', packet, ips);
}

describe('the ACLs of random policies', () => {
  it('let pass what the API says is allowed, and nothing else', () => {
    const seen = { allowed: 0, denied: 0 };
    for (let seed = 1; seed <= 300; seed += 1) {
      const dice = createDice(seed);
      const world = makeWorld(dice);
      expect(world.rows.problems).toEqual([]);
      for (const connection of listConnections(dice, world.pods)) {
        const allowed = isAllowed(world.policies, NAMESPACES, connection);
        seen[allowed ? 'allowed' : 'denied'] += 1;
        if (isPassed(world, connection) !== allowed) {
          expect.fail(
            `seed ${seed}: ${allowed ? 'kept out' : 'let through'} ${JSON.stringify(connection)} by ${JSON.stringify(world.policies)}`,
          );
        }
      }
    }
    // Worlds in which nothing is ever decided would prove nothing.
    expect(Math.min(seen.allowed, seen.denied)).toBeGreaterThan(2000);
  });

  it('let the nodes in whatever they say', () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const { pods, rows } = makeWorld(createDice(seed));
      for (const pod of pods) {
        const [v4 = '', v6 = ''] = pod.ips;
        const probe = { outport: lspOf(pod), protocol: 'tcp', port: 1 } as const;
        expect(passes(rows, 'to-lport', { ...probe, src: '100.64.0.7', dst: v4 }, new Map())).toBe(true);
        expect(passes(rows, 'to-lport', { ...probe, src: 'fd00:100:64::7', dst: v6 }, new Map())).toBe(true);
      }
    }
  });
});
