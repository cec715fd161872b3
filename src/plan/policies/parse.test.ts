import { describe, expect, it } from 'vitest';
import { formatCidr } from '../../api/address.ts';
import { parsePolicy } from './parse.ts';
import { makeEndpoint, makePolicy, planTest } from './testing/policies.ts';

const parse = (spec: object) => parsePolicy(makePolicy({ podSelector: {}, ...spec }));
const block = (ipBlock: unknown) => ({ ingress: [{ from: [{ ipBlock }] }] });
const except = (count: number) => Array.from({ length: count }, (_, i) => `2001:db8::${i.toString(16)}/128`);

describe('what of a policy cannot be read', () => {
  it.each<[string, object, string]>([
    ['rules that are no list', { ingress: {} }, 'spec.ingress is no list'],
    ['a rule that is a text', { ingress: ['all'] }, 'spec.ingress[0] is no rule'],
    ['peers that are no list', { ingress: [{ from: 'all' }] }, 'spec.ingress[0].from is no list'],
    ['a peer that is nobody', { ingress: [{ from: [{}] }] }, 'spec.ingress[0].from[0] must have either'],
    ['a peer that is null', { ingress: [{ from: [null] }] }, 'spec.ingress[0].from[0] must have either'],
    [
      'a peer that is both',
      { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }] }] },
      'must have either ipBlock or selectors',
    ],
    [
      'a selector with an operator that nobody knows',
      { ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Gt' }] } }] }] },
      'spec.ingress[0].from[0].podSelector has a requirement',
    ],
    [
      'a selector of namespaces that is a list',
      { ingress: [{ from: [{ podSelector: {}, namespaceSelector: [] }] }] },
      'spec.ingress[0].from[0].namespaceSelector is no label selector',
    ],
    ['a CIDR without its length', block({ cidr: '10.0.0.0' }), 'ipBlock.cidr "10.0.0.0" is not a CIDR'],
    ['a CIDR that goes on', block({ cidr: '10.0.0.0/8} || ip' }), '"10.0.0.0/8} || ip" is not a CIDR'],
    ['a CIDR that is a number', block({ cidr: 8 }), 'something is not a CIDR'],
    ['an exception that is no CIDR', block({ cidr: '10.0.0.0/8', except: ['x'] }), 'except "x" is not a CIDR'],
    ['exceptions that are no list', block({ cidr: '10.0.0.0/8', except: 'x' }), 'except is no list'],
    ['too many exceptions', block({ cidr: '::/0', except: except(65) }), 'has more than 64 entries'],
    ['a protocol that nobody knows', { ingress: [{ ports: [{ protocol: 'ICMP' }] }] }, 'ports[0] is not a port'],
    ['port 0', { ingress: [{ ports: [{ port: 0 }] }] }, 'ports[0] is not a port'],
    ['a port beyond all', { ingress: [{ ports: [{ port: 65_536 }] }] }, 'ports[0] is not a port'],
    ['half a port', { ingress: [{ ports: [{ port: 1.5 }] }] }, 'ports[0] is not a port'],
    ['an end before the beginning', { ingress: [{ ports: [{ port: 9, endPort: 8 }] }] }, 'ports[0] is not a port'],
    ['an end without a beginning', { ingress: [{ ports: [{ endPort: 8 }] }] }, 'ports[0] is not a port'],
    ['an end of a name', { ingress: [{ ports: [{ port: 'http', endPort: 8 }] }] }, 'ports[0] is not a port'],
    ['a name with more in it', { ingress: [{ ports: [{ port: 'http || ip' }] }] }, 'ports[0] is not a port'],
  ])('%s lets nobody in', (_what, spec, message) => {
    const { ingress, problems } = parse(spec);
    expect(problems.map((problem) => [problem.reason, problem.message])).toEqual([
      ['InvalidNetworkPolicy', expect.stringContaining(message)],
    ]);
    expect(ingress).toBeDefined();
    const { acls } = planTest([makePolicy({ podSelector: {}, ...spec })]);
    expect(acls.filter(({ row }) => row.includes('ingress/0'))).toEqual([]);
    expect(acls.some(({ action }) => action === 'drop')).toBe(true);
  });

  it('takes nothing from what can be', () => {
    const { ingress, problems } = parse({
      ingress: [{ from: [{ ipBlock: { cidr: 'x' } }, { podSelector: {} }], ports: [{ port: -1 }, { port: 80 }] }],
    });
    expect(problems).toHaveLength(2);
    expect(ingress?.[0]?.peers).toHaveLength(1);
    expect(ingress?.[0]?.ports).toEqual([{ protocol: 'TCP', first: 80, last: 80 }]);
  });

  it('of whom it is for: it isolates every pod of the namespace', () => {
    const parsed = parse({ podSelector: { matchLabels: [] } });
    expect(parsed.pods).toEqual({ namespaces: 'a', pods: [] });
    expect(parsed.ingress).toEqual([]);
    expect(parsed.problems[0]?.message).toContain('spec.podSelector');
  });

  it.each([undefined, null, 'x', []])('is a spec that is %j: everybody is isolated', (spec) => {
    const parsed = parsePolicy({ metadata: { name: 'p', namespace: 'a' }, spec } as never);
    expect(parsed).toMatchObject({ pods: { namespaces: 'a', pods: [] }, ingress: [] });
  });
});

describe('the size of a policy', () => {
  it('is bounded by its rules', () => {
    const { ingress, problems } = parse({ ingress: Array.from({ length: 300 }, () => ({ ports: [{ port: 80 }] })) });
    expect(ingress).toHaveLength(256);
    expect(problems[0]?.message).toBe('spec.ingress has more than 256 entries; the rest is left out');
  });

  it('is bounded by the networks that its exceptions leave', () => {
    const peers = Array.from({ length: 40 }, () => ({ ipBlock: { cidr: '::/0', except: except(20) } }));
    const { ingress, problems } = parse({ ingress: [{ from: peers }] });
    expect(problems[0]?.message).toContain('more than 4096 networks');
    expect(ingress?.[0]?.peers.length).toBeLessThan(10);
  });

  it('is bounded by the ACLs that it comes to, and it isolates all the same', () => {
    const rule = { from: Array.from({ length: 500 }, () => ({ podSelector: {} })) };
    const both = { ingress: Array.from({ length: 20 }, () => rule), policyTypes: ['Ingress', 'Egress'] };
    const { acls, problems } = planTest([makePolicy({ podSelector: {}, ...both })]);
    expect(acls).toHaveLength(4096);
    expect(acls.filter(({ action }) => action === 'drop').map(({ direction }) => direction)).toEqual([
      'to-lport',
      'from-lport',
    ]);
    expect(problems.at(-1)?.message).toMatch(/^it comes to more than 4096 ACLs/);
  });

  it('is bounded by the length of what it comes to', () => {
    const ports = Array.from({ length: 64 }, (_, index) => ({ port: `p${index}` }));
    const named = ports.map(({ port: name }, index) => ({ name, protocol: 'TCP' as const, port: index + 1 }));
    const apart = Array.from({ length: 30 }, (_, index) => `2001:db8:${index}::1/128`);
    const from = [{ ipBlock: { cidr: '::/0', except: apart } }];
    const { acls, problems } = planTest(
      [makePolicy({ podSelector: {}, ingress: [{ from, ports }] })],
      [makeEndpoint('a/x', {}, named)],
    );
    expect(acls.reduce((sum, { match }) => sum + match.length, 0)).toBeLessThan(2_100_000);
    expect(problems.at(-1)?.message).toContain('the rest is left out');
  });

  it('is bounded by the kinds of pods that it speaks of', () => {
    const from = Array.from({ length: 500 }, (_, index) => ({ podSelector: { matchLabels: { app: `a${index}` } } }));
    const { acls, groups, problems } = planTest([makePolicy({ podSelector: {}, ingress: [{ from }] })]);
    expect(groups.size).toBeLessThan(131);
    expect(acls.length).toBeGreaterThan(250);
    for (const { match } of acls)
      for (const name of match.match(/mooring_policy_\w+?(?=_ip|\b)/g) ?? []) expect(groups.has(name)).toBe(true);
    expect(problems.at(-1)?.message).toContain('128 kinds of pods');
  });

  it('is bounded by the problems that are told of it', () => {
    const { problems } = parse({ ingress: Array.from({ length: 100 }, () => 'x') });
    expect(problems).toHaveLength(8);
  });
});

describe('an ipBlock', () => {
  it.each<[string, object, string[]]>([
    ['with bits beyond its length', { cidr: '10.1.2.3/8' }, ['10.0.0.0/8']],
    ['with null for exceptions', { cidr: '10.0.0.0/8', except: null }, ['10.0.0.0/8']],
    ['of IPv6 without a half', { cidr: 'fd00::/8', except: ['fd80::/9'] }, ['fd00::/9']],
  ])('%s', (_what, ipBlock, expected) => {
    const [peer] = (parse(block(ipBlock)).ingress?.[0]?.peers ?? []) as { cidrs: Parameters<typeof formatCidr>[0][] }[];
    expect(peer?.cidrs.map(formatCidr)).toEqual(expected);
  });
});
