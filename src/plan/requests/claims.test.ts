import { describe, expect, it } from 'vitest';
import type { IPAMClaim } from '../../api/objects.ts';
import { applyClaims, listClaimReferences } from './claims.ts';
import type { NicRequest } from './types.ts';

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

  it('K6 one that was made with the network before says nothing of the one that is asked for now', () => {
    const pods = [launcher('2026-01-01T00:00:01Z', 'mine', 'other')];
    expect([...listClaimReferences(pods, 'a', new Map([['pod0', 'a/new']]))]).toEqual([['pod1', 'other']]);
    expect([...listClaimReferences(pods, 'a', new Map([['pod0', 'a/nad']]))]).toHaveLength(2);
  });
});
