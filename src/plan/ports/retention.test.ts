import { describe, expect, it } from 'vitest';
import type { LogicalPort, Subnet } from '../../api/types.gen.ts';
import type { NicRequest } from '../requests/types.ts';
import type { Lives } from './ownership.ts';
import { planPorts } from './ports.ts';
import { findRetention, type ReleasePolicy, settlePolicies } from './retention.ts';

type Over = {
  kind?: LogicalPort['spec']['owner']['kind'];
  uid?: string;
  policy?: ReleasePolicy;
  claim?: string;
  cluster?: string;
  /** The UID that the object had when it was saved; it is `own` now. */
  self?: string;
  deleted?: boolean;
  ips?: string[];
};

const makePort = (over: Over = {}): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: {
    name: 'x.a',
    namespace: 'n',
    uid: 'own',
    annotations: {
      ...(over.cluster === undefined ? {} : { 'mooring.dev/cluster-uid': over.cluster }),
      ...(over.self === undefined ? {} : { 'mooring.dev/port-uid': over.self }),
    },
    ...(over.deleted === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: {
    owner: { kind: over.kind ?? 'VirtualMachine', name: 'x', uid: over.uid ?? 'v1' },
    nic: 'a',
    subnet: 'net',
    ips: over.ips ?? ['10.0.0.5'],
    mac: '0a:00:00:00:00:05',
    releasePolicy: over.policy ?? 'WithOwner',
    ...(over.claim === undefined ? {} : { ipamClaim: over.claim }),
  },
});

const request = (over: Partial<NicRequest> = {}): NicRequest => ({
  nic: 'a',
  interface: 'eth0',
  subnet: 'net',
  absent: false,
  releasePolicy: 'WithOwner',
  ...over,
});

const subnet = (name: string, releasePolicy?: ReleasePolicy): Subnet => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name },
  spec: { cidrBlock: '10.0.0.0/24', ...(releasePolicy === undefined ? {} : { releasePolicy }) },
});

describe('settlePolicies', () => {
  const settle = (asked: ReleasePolicy | undefined, ofSubnet: ReleasePolicy | undefined, ofCluster: ReleasePolicy) => {
    const { releasePolicy: _, ...bare } = request();
    const plan = { requests: [asked === undefined ? bare : { ...bare, releasePolicy: asked }], problems: [] };
    return settlePolicies(plan, (name) => subnet(name, ofSubnet), ofCluster).requests[0]?.releasePolicy;
  };

  it('the NIC before the subnet before the cluster', () => {
    expect(settle('OnStop', 'Retain', 'WithOwner')).toBe('OnStop');
    expect(settle(undefined, 'Retain', 'WithOwner')).toBe('Retain');
    expect(settle(undefined, undefined, 'OnStop')).toBe('OnStop');
  });
});

describe('findRetention', () => {
  const exists = (name: string) => name === 'c';
  it.each<[string, Over, string | undefined]>([
    ['nothing keeps it', {}, undefined],
    ['its policy', { policy: 'Retain' }, 'retained'],
    ['its policy, but somebody deleted it', { policy: 'Retain', deleted: true }, undefined],
    ['a claim, also when it is deleted', { claim: 'c', deleted: true }, 'claimed'],
    ['a claim that is gone', { claim: 'd' }, undefined],
    ['a port without an address has nothing to keep', { policy: 'Retain', claim: 'c', ips: [] }, undefined],
  ])('%s', (_cause, over, expected) => {
    expect(findRetention(makePort(over), exists)).toBe(expected);
  });
});

const lives = (over: Partial<Lives> = {}): Lives => ({
  launchers: [],
  kubevirtKnown: true,
  clusterUid: 'here',
  ...over,
});
const vm = (uid: string, deleting = false) => ({ vm: { uid, deleting } });

type State = { lives: Lives; ports: LogicalPort[]; requests?: NicRequest[]; stopped?: boolean; claims?: string[] };

function show({ claims = [], requests = [], ...state }: State): string[] {
  const plan = planPorts({
    name: 'x',
    ...state,
    plan: { requests, problems: [] },
    claimExists: (name) => claims.includes(name),
  });
  return [
    ...plan.keep.map(({ port, owner, role }) => `keep ${port.spec.nic} ${owner.uid} ${role}`),
    ...plan.create.map(({ request: { nic } }) => `create ${nic}`),
    ...plan.release.map(({ spec }) => `release ${spec.nic}`),
    ...plan.waiting.map((nic) => `wait ${nic}`),
    ...plan.problems.map(({ nic, problem }) => `problem ${nic} ${problem.reason}`),
  ];
}

describe('planPorts: an address that outlives its owner', () => {
  const retained = makePort({ policy: 'Retain' });
  const claimed = makePort({ claim: 'c' });
  it.each<[string, State, string[]]>([
    ['retained, nobody of the name', { lives: lives(), ports: [retained] }, ['keep a v1 retained']],
    [
      'retained, a namesake that does not ask for it (F36)',
      { lives: lives(vm('v2')), ports: [retained], requests: [request()] },
      ['keep a v1 retained', 'problem a AddressRetained'],
    ],
    [
      'retained, a namesake that adopts it',
      { lives: lives(vm('v2')), ports: [retained], requests: [request({ adopt: true })] },
      ['keep a v2 live'],
    ],
    [
      'retained, a namesake of another kind has a place of its own',
      { lives: lives({ vmi: { uid: 'i', deleting: false } }), ports: [retained], requests: [request({ adopt: true })] },
      ['keep a v1 retained', 'create a'],
    ],
    [
      'retained, a namesake without such a NIC',
      { lives: lives(vm('v2')), ports: [retained], requests: [request({ nic: 'b' })] },
      ['keep a v1 retained', 'create b'],
    ],
    [
      'retained and deleted by somebody',
      { lives: lives(), ports: [makePort({ policy: 'Retain', deleted: true })] },
      ['release a'],
    ],
    [
      'retained, but the NIC is taken out of the living VM',
      { lives: lives(vm('v1')), ports: [retained], requests: [] },
      ['release a'],
    ],
    [
      "a pod's, for the next pod of the name that adopts it",
      {
        lives: lives({ pod: { uid: 'p2', deleting: false, final: false } }),
        ports: [makePort({ kind: 'Pod', uid: 'p1', policy: 'Retain' })],
        requests: [request({ adopt: true })],
      },
      ['keep a p2 live'],
    ],
    ['claimed, nobody of the name', { lives: lives(), ports: [claimed], claims: ['c'] }, ['keep a v1 claimed']],
    ['claimed, and the claim goes', { lives: lives(), ports: [claimed] }, ['release a']],
    [
      'claimed, a namesake that refers to the claim',
      { lives: lives(vm('v2')), ports: [claimed], requests: [request({ ipamClaim: 'c' })], claims: ['c'] },
      ['keep a v2 live'],
    ],
    [
      'claimed, a namesake that refers to another one',
      { lives: lives(vm('v2')), ports: [claimed], requests: [request({ ipamClaim: 'd' })], claims: ['c', 'd'] },
      ['keep a v1 claimed', 'problem a AddressRetained'],
    ],
    [
      'claimed, and its NIC unplugged (seam 4)',
      { lives: lives(vm('v1')), ports: [claimed], claims: ['c'] },
      ['keep a v1 claimed'],
    ],
  ])('%s', (_cause, state, expected) => {
    expect(show(state)).toEqual(expected);
  });
});

describe('planPorts: OnStop', () => {
  const port = makePort({ policy: 'OnStop' });
  const requests = [request({ releasePolicy: 'OnStop' })];
  it.each<[string, State, string[]]>([
    ['running', { lives: lives(vm('v1')), ports: [port], requests }, ['keep a v1 live']],
    ['stopped', { lives: lives(vm('v1')), ports: [port], requests, stopped: true }, ['release a']],
    ['not started yet', { lives: lives(vm('v1')), ports: [], requests, stopped: true }, []],
    ['about to run', { lives: lives(vm('v1')), ports: [], requests }, ['create a']],
    [
      'stopped, with a claim that stands',
      {
        lives: lives(vm('v1')),
        ports: [makePort({ policy: 'OnStop', claim: 'c' })],
        requests,
        stopped: true,
        claims: ['c'],
      },
      ['keep a v1 claimed'],
    ],
  ])('%s', (_cause, state, expected) => {
    expect(show(state)).toEqual(expected);
  });
});

describe('planPorts: out of a backup', () => {
  const restored = makePort({ uid: 'old', cluster: 'there' });
  const requests = [request()];
  it.each<[string, State, string[]]>([
    ['before its VM', { lives: lives(), ports: [restored] }, ['keep a old restored']],
    ['with its VM, of another UID', { lives: lives(vm('new')), ports: [restored], requests }, ['keep a new live']],
    [
      'marked deleted by the garbage collector, before its VM',
      { lives: lives(), ports: [makePort({ uid: 'old', cluster: 'there', deleted: true })] },
      ['keep a old restored'],
    ],
    [
      'marked deleted by the garbage collector, with its VM',
      {
        lives: lives(vm('new')),
        ports: [makePort({ uid: 'old', cluster: 'there', deleted: true })],
        requests,
      },
      ['keep a new live'],
    ],
    [
      'into the same cluster, with its VM',
      { lives: lives(vm('new')), ports: [makePort({ uid: 'old', cluster: 'here', self: 'former' })], requests },
      ['keep a new live'],
    ],
    [
      'never out of a backup, its VM gone',
      { lives: lives(), ports: [makePort({ uid: 'old', cluster: 'here', self: 'own' })] },
      ['release a'],
    ],
    ['its VM is on its way out', { lives: lives(vm('new', true)), ports: [restored] }, ['keep a old restored']],
    [
      'a VMI of its own name adopts that of a VMI',
      {
        lives: lives({ vmi: { uid: 'i2', deleting: false } }),
        ports: [makePort({ kind: 'VirtualMachineInstance', uid: 'i1', cluster: 'there' })],
        requests,
      },
      ['keep a i2 live'],
    ],
    [
      "a VM's VMI does not adopt that of a VMI",
      {
        lives: lives({ ...vm('v'), vmi: { uid: 'i2', deleting: false, vmUid: 'v' } }),
        ports: [makePort({ kind: 'VirtualMachineInstance', uid: 'i1', cluster: 'there' })],
        requests: [],
      },
      ['keep a i1 restored'],
    ],
    [
      "a pod's, with or without a pod of the name",
      { lives: lives(), ports: [makePort({ kind: 'Pod', uid: 'p', cluster: 'there' })] },
      ['release a'],
    ],
    [
      'adopted here already, by annotation, and its VM gone',
      { lives: lives(), ports: [makePort({ uid: 'new', cluster: 'here' })] },
      ['release a'],
    ],
    [
      'in a cluster that cannot be told: the UID decides',
      { lives: { launchers: [], kubevirtKnown: true }, ports: [restored] },
      ['release a'],
    ],
    [
      'before KubeVirt is there: nothing is decided',
      { lives: lives({ kubevirtKnown: false }), ports: [restored] },
      ['keep a old live'],
    ],
  ])('%s', (_cause, state, expected) => {
    expect(show(state)).toEqual(expected);
  });
});

describe('planPorts: requests that failed', () => {
  const problem = { reason: 'InvalidRequest' as const, message: 'why' };
  const plan = { requests: [], problems: [{ nic: 'a', problem }] };

  it('get a place for their condition, once, and keep the port that there is', () => {
    const fresh = planPorts({ name: 'x', lives: lives(vm('v1')), ports: [], plan });
    expect(fresh.fail).toMatchObject([{ owner: { uid: 'v1' }, nic: 'a', problem }]);
    const later = planPorts({ name: 'x', lives: lives(vm('v1')), ports: [makePort()], plan });
    expect([later.fail, later.keep]).toMatchObject([[], [{ problem, role: 'live' }]]);
  });

  it('of an owner on its way out get none', () => {
    expect(planPorts({ name: 'x', lives: lives(vm('v1', true)), ports: [], plan }).fail).toEqual([]);
  });

  it('beside a port that is being released wait for its end', () => {
    const input = { name: 'x', lives: lives(vm('v2')), ports: [makePort()], plan };
    expect(planPorts(input)).toMatchObject({ fail: [], release: [{ spec: { nic: 'a' } }] });
  });
});
