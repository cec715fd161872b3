import { describe, expect, it } from 'vitest';
import type { IPAMClaim } from '../api/objects.ts';
import type { LogicalPort } from '../api/types.gen.ts';
import { applyClaims, chooseSpeaker, deriveClaimStatus, isHandedOver, listClaimReferences } from './claims.ts';
import type { NicRequest } from './requests.ts';
import type { SubnetPlan } from './subnet.ts';

const claim = (ips?: string[], over: Partial<IPAMClaim> = {}): IPAMClaim => ({
  metadata: { name: 'c', namespace: 'a' },
  ...(ips === undefined ? {} : { status: { ips } }),
  ...over,
});
const request = (over: Partial<NicRequest> = {}): NicRequest => ({
  nic: 'net1',
  interface: 'net1',
  subnet: 'net',
  absent: false,
  ipamClaim: 'c',
  ...over,
});

function apply(requests: NicRequest[], claims: Record<string, IPAMClaim>) {
  const known = new Map(Object.entries(claims));
  const plan = applyClaims({ requests, problems: [] }, (name) => known.get(name));
  return [
    ...plan.requests.map(
      ({ nic, ips, pool }) => `${nic} ${ips?.join(',') ?? 'any'}${pool === undefined ? '' : ' pool'}`,
    ),
    ...plan.problems.map(({ nic, problem }) => `${nic} ${problem.reason}`),
  ];
}

describe('applyClaims', () => {
  it.each<[string, NicRequest[], Record<string, IPAMClaim>, string[]]>([
    ['no claim', [{ nic: 'eth0', interface: 'eth0', subnet: 'net', absent: false }], {}, ['eth0 any']],
    ['a claim without addresses is to be filled', [request()], { c: claim() }, ['net1 any']],
    [
      'one with addresses asks for them',
      [request()],
      { c: claim(['10.0.0.5/24', 'FD00::5/64']) },
      ['net1 10.0.0.5,fd00::5'],
    ],
    ['one that is missing', [request()], {}, ['net1 IPAMClaimNotFound']],
    [
      'one that two NICs refer to speaks for the first (seam 3)',
      [request(), request({ nic: 'net2' })],
      { c: claim() },
      ['net1 any', 'net2 InvalidRequest'],
    ],
    [
      'names that differ in a dot are two (seams 1 and 2)',
      [request({ ipamClaim: 'vm-a.b.c' }), request({ nic: 'net2', ipamClaim: 'vm-a.b-c' })],
      { 'vm-a.b.c': claim(), 'vm-a.b-c': claim() },
      ['net1 any', 'net2 any'],
    ],
    [
      'a missing one takes nothing from the others (seams 5 and 6)',
      [request({ ipamClaim: 'missing' }), request({ nic: 'net2' })],
      { c: claim(['10.0.0.5/24']) },
      ['net2 10.0.0.5', 'net1 IPAMClaimNotFound'],
    ],
    ['the same asked for twice', [request({ ips: ['10.0.0.5'] })], { c: claim(['10.0.0.5/24']) }, ['net1 10.0.0.5']],
    [
      'another address asked for',
      [request({ ips: ['10.0.0.6'] })],
      { c: claim(['10.0.0.5/24']) },
      ['net1 RequestDisagreement'],
    ],
    [
      'a list to choose from does not matter once the claim has one of it',
      [request({ pool: { kind: 'list', candidates: [['10.0.0.9'], ['10.0.0.5']] } })],
      { c: claim(['10.0.0.5/24']) },
      ['net1 10.0.0.5'],
    ],
    [
      'a list of pairs that has it in one of them',
      [request({ pool: { kind: 'list', candidates: [['10.0.0.5', 'fd00::5']] } })],
      { c: claim(['10.0.0.5/24']) },
      ['net1 10.0.0.5'],
    ],
    [
      'a list that does not have it',
      [request({ pool: { kind: 'list', candidates: [['10.0.0.9'], ['10.0.0.8']] } })],
      { c: claim(['10.0.0.5/24']) },
      ['net1 RequestDisagreement'],
    ],
    [
      "an IPPool's right stays",
      [request({ pool: { kind: 'named', name: 'p' } })],
      { c: claim(['10.0.0.5/24']) },
      ['net1 10.0.0.5 pool'],
    ],
  ])('%s', (_cause, requests, claims, expected) => {
    expect(apply(requests, claims)).toEqual(expected);
  });

  it('reads no more of a claim than a port can have', () => {
    const ips = Array.from({ length: 5000 }, (_, index) => `10.0.${index % 250}.${index % 200}/24`);
    expect(apply([request()], { c: claim(ips) })[0]?.split(',').length).toBe(8);
  });
});

const port = (over: Partial<LogicalPort['spec']> = {}): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'p.net1.pod', namespace: 'a' },
  spec: {
    owner: { kind: 'Pod', name: 'p', uid: 'u' },
    nic: 'net1',
    subnet: 'net',
    ips: ['10.0.0.5', 'fd00::5'],
    mac: '0a:00:00:00:00:05',
    attachments: [{ podName: 'p', podUID: 'u', node: 'n1', interface: 'net1', role: 'Source' }],
    ...over,
  },
});
const range = (family: 4 | 6, prefix: number) => ({ cidr: { family, prefix } });
const subnet = { ranges: [range(4, 24), range(6, 64)] } as unknown as SubnetPlan;
const NOW = '2026-01-01T00:00:00Z';

describe('deriveClaimStatus', () => {
  it('tells addresses with prefix, the pod, and that they are given', () => {
    expect(deriveClaimStatus(claim(), { port: port(), subnet, now: NOW })).toEqual({
      ips: ['10.0.0.5/24', 'fd00::5/64'],
      ownerPod: { name: 'p' },
      conditions: [
        {
          type: 'IPsAllocated',
          status: 'True',
          lastTransitionTime: NOW,
          reason: 'SuccessfulAllocation',
          message: 'LogicalPort p.net1.pod',
        },
      ],
    });
  });

  it('names no pod when none has them', () => {
    expect(deriveClaimStatus(claim(), { port: port({ attachments: [] }), subnet, now: NOW })).toMatchObject({
      ownerPod: null,
    });
  });

  it.each([
    ['SubnetFull', 'SubnetExhausted'],
    ['AddressInUse', 'IPAddressConflict'],
    ['SubnetNotFound', 'InternalError'],
  ] as const)('%s is %s there, and the addresses it had stay', (reason, expected) => {
    const problem = { reason, message: 'why' };
    const given = port({ ips: [], attachments: [] });
    expect(deriveClaimStatus(claim(['10.0.0.9/24']), { port: given, subnet, problem, now: NOW })).toMatchObject({
      ips: ['10.0.0.9/24'],
      conditions: [{ status: 'False', reason: expected, message: 'why' }],
    });
  });

  it('leaves conditions of others, and the time of one that did not turn', () => {
    const other = { type: 'Other', status: 'True', lastTransitionTime: 'then', reason: 'x', message: '' };
    const own = { type: 'IPsAllocated', status: 'True', lastTransitionTime: 'then', reason: 'x', message: '' };
    const before = claim(undefined, { status: { conditions: [own, other] } });
    expect(deriveClaimStatus(before, { port: port(), subnet, now: NOW })).toMatchObject({
      conditions: [other, { type: 'IPsAllocated', lastTransitionTime: 'then', reason: 'SuccessfulAllocation' }],
    });
  });

  it('without a subnet each address is a network of its own', () => {
    expect(deriveClaimStatus(claim(), { port: port(), subnet: undefined, now: NOW })).toMatchObject({
      ips: ['10.0.0.5/32', 'fd00::5/128'],
    });
  });
});

describe('listClaimReferences', () => {
  const launcher = (creationTimestamp: string | undefined, ...claims: string[]) => ({
    metadata: {
      name: 'l',
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      annotations: {
        'k8s.v1.cni.cncf.io/networks': JSON.stringify(
          claims.map((name, index) => ({ name: 'nad', interface: `pod${index}`, 'ipam-claim-reference': name })),
        ),
      },
    },
  });

  it('the present launcher wins over the one that a second migration makes, in whatever order they are seen', () => {
    const source = launcher('2026-01-01T00:00:01Z', 'mine');
    const target = launcher('2026-01-01T00:00:02Z', 'forged', 'new');
    const fresh = launcher(undefined, 'other');
    for (const pods of [
      [source, target, fresh],
      [fresh, target, source],
    ]) {
      expect([...listClaimReferences(pods, 'a')]).toEqual([
        ['pod0', 'mine'],
        ['pod1', 'new'],
      ]);
    }
  });

  it('one that cannot be read says nothing', () => {
    const broken = { metadata: { name: 'l', annotations: { 'k8s.v1.cni.cncf.io/networks': '[' } } };
    expect([...listClaimReferences([broken, launcher('2026', 'c')], 'a')]).toEqual([['pod0', 'c']]);
  });
});

describe('the ports of one claim', () => {
  const port = (name: string, over: { ips?: string[]; phase?: string; held?: boolean } = {}) =>
    ({
      metadata: { name, namespace: 'a', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { ipamClaim: 'c', ips: over.ips ?? [], attachments: over.held === true ? [{ podName: 'p' }] : [] },
      status: { phase: over.phase },
    }) as unknown as LogicalPort;
  const ips = ['10.0.0.5'];

  it.each([
    ['the one with the address', [port('a'), port('b', { ips })], 'b'],
    ['the one that has it in use', [port('a', { ips, phase: 'Released' }), port('b', { ips, phase: 'Bound' })], 'b'],
    ['the kept one while others wait', [port('a'), port('b', { ips, phase: 'Released' })], 'b'],
    ['the first of several who wait', [port('b'), port('a')], 'a'],
  ])('%s tells the claim, in whatever order they come', (_cause, ports, expected) => {
    expect(chooseSpeaker(ports)?.metadata.name).toBe(expected);
    expect(chooseSpeaker(ports.toReversed())?.metadata.name).toBe(expected);
  });

  it('hand over what nobody uses, and not what somebody has taken up again', () => {
    expect(isHandedOver(port('a', { ips, phase: 'Released' }))).toBe(true);
    expect(isHandedOver(port('a', { ips, phase: 'Released', held: true }))).toBe(false);
    expect(isHandedOver(port('a', { ips, phase: 'Ready' }))).toBe(false);
  });
});
