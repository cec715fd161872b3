import { describe, expect, it } from 'vitest';
import { makeEndpoint, makePolicy, planTest, showAcls } from './testing/policies.ts';

const X = makeEndpoint('a/x', { app: 'web' });
const Y = makeEndpoint('a/y', { app: 'db' });
const Z = makeEndpoint('b/z', { app: 'web' });
const PODS = [X, Y, Z];
const IN_REST = 'ingress/rest 2000 to-lport drop outport == @<a/x a/y> && ip';
const OUT_REST = 'egress/rest 2000 from-lport drop inport == @<a/x a/y> && ip';

const show = (spec: object, pods = PODS) => showAcls(planTest([makePolicy(spec)], pods));
/** Without what every isolating policy has. */
const grants = (spec: object, pods = PODS) => show(spec, pods).filter((line) => !/^\w+\/(rest|nodes|dhcp)/.test(line));

const EVERYBODY = { podSelector: {} };
const TO = 'to-lport allow-related outport == @<a/x a/y>';
const FROM = 'from-lport allow-related inport == @<a/x a/y>';

describe('the isolation of a policy', () => {
  it('of deny all: nothing comes in but from the nodes', () => {
    expect(show({ ...EVERYBODY, policyTypes: ['Ingress'] })).toEqual([
      IN_REST,
      `ingress/nodes/v4 2200 ${TO} && ip4.src == 100.64.0.0/16`,
      `ingress/nodes/v6 2200 ${TO} && ip6.src == fd00:100:64::/112`,
    ]);
  });

  it('of egress: nothing goes out but what asks for an address', () => {
    expect(show({ ...EVERYBODY, policyTypes: ['Egress'] })).toEqual([
      OUT_REST,
      `egress/dhcp/v4 2200 ${FROM} && ip4.dst == 255.255.255.255 && udp.src == 68 && udp.dst == 67`,
      `egress/dhcp/v6 2200 ${FROM} && ip6.dst == ff02::1:2 && udp.src == 546 && udp.dst == 547`,
    ]);
  });

  it.each<[string, object, string[]]>([
    ['both types', { policyTypes: ['Ingress', 'Egress'] }, [IN_REST, OUT_REST]],
    ['no type: ingress', {}, [IN_REST]],
    ['no type and an empty list of them', { policyTypes: [] }, [IN_REST]],
    ['no type and rules for egress: both', { egress: [{}] }, [IN_REST, OUT_REST]],
    ['no type and no rule for egress: ingress', { egress: [] }, [IN_REST]],
    ['Egress alone, with rules for ingress', { policyTypes: ['Egress'], ingress: [{}] }, [OUT_REST]],
    ['Ingress alone, with rules for egress', { policyTypes: ['Ingress'], egress: [{}] }, [IN_REST]],
    ['a type that nobody knows: both', { policyTypes: ['Sideways'] }, [IN_REST, OUT_REST]],
  ])('by %s', (_cause, spec, expected) => {
    expect(show({ ...EVERYBODY, ...spec }).filter((line) => line.includes('/rest'))).toEqual(expected);
  });

  it('is for the pods of its own namespace that it selects', () => {
    expect(show({ podSelector: { matchLabels: { app: 'web' } } })[0]).toContain('outport == @<a/x> && ip');
  });
});

describe('what a policy allows', () => {
  it.each<[string, object, string[]]>([
    ['an empty list of rules: nothing', { ingress: [] }, []],
    ['a rule that says nothing: everything', { ingress: [{}] }, [`ingress/0/all/all 2100 ${TO} && ip`]],
    ['a rule from nobody in particular', { ingress: [{ from: [] }] }, [`ingress/0/all/all 2100 ${TO} && ip`]],
    [
      'pods of the own namespace',
      { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }] },
      [
        `ingress/0/0/v4/all 2100 ${TO} && ip4.src == $<a/x>_ip4`,
        `ingress/0/0/v6/all 2100 ${TO} && ip6.src == $<a/x>_ip6`,
      ],
    ],
    [
      'all pods of namespaces',
      { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }] },
      [
        `ingress/0/0/v4/all 2100 ${TO} && ip4.src == $<b/z>_ip4`,
        `ingress/0/0/v6/all 2100 ${TO} && ip6.src == $<b/z>_ip6`,
      ],
    ],
    [
      'some pods of namespaces',
      { ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } }] }] },
      [
        `ingress/0/0/v4/all 2100 ${TO} && ip4.src == $<a/x b/z>_ip4`,
        `ingress/0/0/v6/all 2100 ${TO} && ip6.src == $<a/x b/z>_ip6`,
      ],
    ],
    [
      'addresses, but for some',
      { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.128.0.0/9'] } }] }] },
      [`ingress/0/0/v4/all 2100 ${TO} && ip4.src == {10.0.0.0/9}`],
    ],
    [
      'all addresses of a family',
      { ingress: [{ from: [{ ipBlock: { cidr: '::/0' } }] }] },
      [`ingress/0/0/v6/all 2100 ${TO} && ip6`],
    ],
    [
      'addresses of which all are excepted: nobody',
      { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }] }] },
      [],
    ],
    [
      'ports of several protocols',
      { ingress: [{ ports: [{ port: 443 }, { port: 80, protocol: 'TCP' }, { protocol: 'UDP', port: 53 }] }] },
      [`ingress/0/all/TCP 2100 ${TO} && tcp.dst == {80, 443}`, `ingress/0/all/UDP 2100 ${TO} && udp.dst == {53}`],
    ],
    [
      'ports from one to another',
      {
        ingress: [{ ports: [{ port: 8000, endPort: 9000 }, { port: 80 }, { protocol: 'SCTP', port: 1, endPort: 2 }] }],
      },
      [
        `ingress/0/all/TCP 2100 ${TO} && ((tcp.dst == {80}) || (8000 <= tcp.dst <= 9000))`,
        `ingress/0/all/SCTP 2100 ${TO} && 1 <= sctp.dst <= 2`,
      ],
    ],
    [
      'all ports of a protocol',
      { ingress: [{ ports: [{ protocol: 'UDP' }] }] },
      [`ingress/0/all/UDP 2100 ${TO} && udp`],
    ],
    ['a port of TCP that is not said', { ingress: [{ ports: [{}] }] }, [`ingress/0/all/TCP 2100 ${TO} && tcp`]],
    [
      'rules that add up',
      { ingress: [{ ports: [{ port: 80 }] }, { ports: [{ port: 81 }] }] },
      [`ingress/0/all/TCP 2100 ${TO} && tcp.dst == {80}`, `ingress/1/all/TCP 2100 ${TO} && tcp.dst == {81}`],
    ],
    [
      'egress',
      { policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }], ports: [{ port: 80 }] }] },
      [
        `egress/0/0/v4/TCP 2100 ${FROM} && ip4.dst == $<a/x a/y>_ip4 && tcp.dst == {80}`,
        `egress/0/0/v6/TCP 2100 ${FROM} && ip6.dst == $<a/x a/y>_ip6 && tcp.dst == {80}`,
      ],
    ],
    [
      'egress to addresses',
      { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '192.0.2.7/24' } }] }] },
      [`egress/0/0/v4/all 2100 ${FROM} && ip4.dst == {192.0.2.0/24}`],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(grants({ ...EVERYBODY, ...spec })).toEqual(expected);
  });
});

describe('ports by name', () => {
  const named = (key: string, port: number, protocol: 'TCP' | 'UDP' = 'TCP') =>
    makeEndpoint(key, {}, [{ name: 'http', protocol, port }]);
  const pods = [
    named('a/x', 80),
    named('a/y', 8080),
    named('b/z', 81),
    named('a/u', 53, 'UDP'),
    makeEndpoint('a/none'),
  ];

  it('of the own pods: each is let in at its own number', () => {
    expect(grants({ ...EVERYBODY, ingress: [{ ports: [{ port: 'http' }] }] }, pods)).toEqual([
      'ingress/0/all/named/0/80 2100 to-lport allow-related outport == @<a/x> && tcp.dst == {80}',
      'ingress/0/all/named/0/8080 2100 to-lport allow-related outport == @<a/y> && tcp.dst == {8080}',
    ]);
  });

  it('of other pods: each may be gone to at its own number', () => {
    const rule = { to: [{ namespaceSelector: { matchLabels: { team: 'b' } } }], ports: [{ port: 'http' }] };
    const spec = { podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, egress: [rule] };
    const lines = grants({ ...spec, policyTypes: ['Egress'] }, pods);
    expect(lines).toEqual([
      expect.stringContaining('&& ip4.dst == $<b/z>_ip4 && tcp.dst == {81}'),
      expect.stringContaining('&& ip6.dst == $<b/z>_ip6 && tcp.dst == {81}'),
    ]);
  });

  it('of whoever has it, where a rule names no peer', () => {
    const lines = grants({ ...EVERYBODY, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] }, pods);
    expect(lines.filter((line) => line.includes('_ip4')).map((line) => line.split(' && ').slice(1).join())).toEqual([
      'ip4.dst == $<a/x>_ip4,tcp.dst == {80}',
      'ip4.dst == $<b/z>_ip4,tcp.dst == {81}',
      'ip4.dst == $<a/y>_ip4,tcp.dst == {8080}',
    ]);
  });

  it('allow nothing where no pod has it', () => {
    expect(grants({ ...EVERYBODY, ingress: [{ ports: [{ port: 'metrics' }] }] }, pods)).toEqual([]);
  });

  it('of pods that are chosen by their addresses', () => {
    const rule = { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 'http', protocol: 'UDP' }] };
    expect(grants({ ...EVERYBODY, policyTypes: ['Egress'], egress: [rule] }, pods)).toEqual([
      expect.stringContaining(
        '&& ip4.dst == {10.0.0.0/8} && (ip4.dst == $<a/u>_ip4 || ip6.dst == $<a/u>_ip6) && udp.dst == {53}',
      ),
    ]);
  });

  it('that have too many numbers mean the commonest, and that is told', () => {
    const many = Array.from({ length: 70 }, (_, index) => named(`a/p${index}`, 1000 + index));
    const rows = planTest([makePolicy({ ...EVERYBODY, ingress: [{ ports: [{ port: 'http' }] }] })], many);
    expect(rows.acls.filter(({ row }) => row.includes('/named/'))).toHaveLength(64);
    expect(rows.problems.map(({ message }) => message)).toEqual(['pods give more than 64 numbers to port http']);
  });
});

describe('several policies', () => {
  it('share the groups of pods that both speak of, and have rows of their own', () => {
    const spec = { ...EVERYBODY, ingress: [{ from: [{ podSelector: {} }] }] };
    const rows = planTest([makePolicy(spec, 'one'), makePolicy(spec, 'two'), makePolicy(spec, 'one', 'b')], PODS);
    expect([...rows.groups.values()]).toEqual([['pod/a/x/eth0', 'pod/a/y/eth0'], ['pod/b/z/eth0']]);
    expect(new Set(rows.acls.map(({ row }) => row)).size).toBe(rows.acls.length);
    expect(rows.acls.map(({ externalIds }) => externalIds.get('mooring-owner'))).toContain('NetworkPolicy/b/one');
  });

  it('of two clusters in one database share nothing', () => {
    const names = (cluster: string) => [...planTest([makePolicy(EVERYBODY)], PODS, { cluster }).groups.keys()];
    expect(names('one')).not.toEqual(names('two'));
  });

  it('make nothing where there is none', () => {
    expect(planTest([], PODS)).toEqual({ groups: new Map(), acls: [], problems: [] });
  });
});
