import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { LauncherRecord } from '../../migration/input.ts';
import type { NicRequest } from '../requests/types.ts';
import { deriveOwner, deriveStanding, type Lives, listTrustedLaunchers } from './ownership.ts';
import { planPorts } from './ports.ts';

type Kind = LogicalPort['spec']['owner']['kind'];

const port = (kind: Kind, uid: string, over: { nic?: string; holders?: string[] } = {}): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: `x.${over.nic ?? 'default'}`, namespace: 'a' },
  spec: {
    owner: { kind, name: 'x', uid },
    nic: over.nic ?? 'default',
    subnet: 'default',
    ips: ['10.0.0.2'],
    mac: '0a:00:00:00:00:01',
    attachments: (over.holders ?? []).map((podUID) => ({
      podName: podUID,
      podUID,
      node: 'n1',
      interface: 'eth0',
      role: 'Source',
    })),
  },
});

const launcher = (uid: string, vmiUid: string, over: Partial<LauncherRecord> = {}): LauncherRecord => ({
  uid,
  name: uid,
  vmiUid,
  node: 'n1',
  deleting: false,
  final: false,
  ...over,
});

const lives = (over: Partial<Lives> = {}): Lives => ({ launchers: [], kubevirtKnown: true, ...over });
const vm = (uid: string, deleting = false) => ({ vm: { uid, deleting } });
const vmi = (uid: string, vmUid?: string, deleting = false) => ({
  vmi: { uid, deleting, ...(vmUid === undefined ? {} : { vmUid }) },
});

describe('deriveStanding', () => {
  it.each<[string, LogicalPort, Lives, string]>([
    ['the VM stands, stopped', port('VirtualMachine', 'v1'), lives(vm('v1')), 'owned'],
    ['the VM is being deleted and stands', port('VirtualMachine', 'v1'), lives(vm('v1', true)), 'owned'],
    ['a namesake of the VM', port('VirtualMachine', 'v1'), lives(vm('v2')), 'orphaned'],
    ['nothing is left', port('VirtualMachine', 'v1'), lives(), 'orphaned'],
    ['KubeVirt cannot be seen', port('VirtualMachine', 'v1'), lives({ kubevirtKnown: false }), 'held'],
    ['the VM is gone, its VMI is not', port('VirtualMachine', 'v1'), lives(vmi('i1', 'v1')), 'held'],
    [
      'the VM is gone, a launcher still runs',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({ launchers: [launcher('p1', 'i1')] }),
      'held',
    ],
    [
      'the VM is gone, its launcher is final',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({ launchers: [launcher('p1', 'i1', { final: true })] }),
      'orphaned',
    ],
    [
      'a new VM of the name, the old launcher still runs',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({ ...vm('v2'), launchers: [launcher('p1', 'i1')] }),
      'held',
    ],
    [
      'an orphan VMI runs on (K2)',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({ ...vmi('i1'), launchers: [launcher('p1', 'i1')] }),
      'held',
    ],
    [
      'a new VM has adopted the orphan VMI',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({ ...vm('v2'), ...vmi('i1', 'v2'), launchers: [launcher('p1', 'i1')] }),
      'adoptable',
    ],
    [
      'a new VM started a VMI of its own: the port of a final launcher is nobody’s',
      port('VirtualMachine', 'v1', { holders: ['p1'] }),
      lives({
        ...vm('v2'),
        ...vmi('i2', 'v2'),
        launchers: [launcher('p1', 'i1', { final: true }), launcher('p2', 'i2')],
      }),
      'orphaned',
    ],
    ['a bare VMI (K3)', port('VirtualMachineInstance', 'i1'), lives(vmi('i1')), 'owned'],
    ['another VMI of the name', port('VirtualMachineInstance', 'i1'), lives(vmi('i2')), 'orphaned'],
    ['a pod', port('Pod', 'p1'), lives({ pod: { uid: 'p1', deleting: false, final: false } }), 'owned'],
    ['a pod on its way out', port('Pod', 'p1'), lives({ pod: { uid: 'p1', deleting: true, final: false } }), 'owned'],
    ['a pod that ended', port('Pod', 'p1'), lives({ pod: { uid: 'p1', deleting: false, final: true } }), 'orphaned'],
    [
      "a StatefulSet's next pod",
      port('Pod', 'p1'),
      lives({ pod: { uid: 'p2', deleting: false, final: false } }),
      'orphaned',
    ],
  ])('%s', (_cause, given, around, expected) => {
    expect(deriveStanding(given, around)).toBe(expected);
  });
});

describe('listTrustedLaunchers (F55)', () => {
  const pods = [launcher('listed', 'i1'), launcher('forged', 'i1'), launcher('old', 'i0'), launcher('stranger', 'i0')];
  const ports = [port('VirtualMachine', 'v1', { holders: ['old', 'forged'] })];
  const names = (...given: Parameters<typeof listTrustedLaunchers>) =>
    listTrustedLaunchers(...given).map(({ uid }) => uid);

  it('are those that KubeVirt lists, and those of an earlier VMI that hold a port', () => {
    expect(names(pods, { uid: 'i1', activePods: ['listed'] }, ports)).toEqual(['listed', 'old']);
  });

  it('without a VMI are only those that hold a port', () => {
    expect(names(pods, undefined, ports)).toEqual(['forged', 'old']);
    expect(names(pods, undefined, [])).toEqual([]);
  });
});

describe('deriveOwner', () => {
  it.each<[string, Lives, string | undefined]>([
    ['a VM', lives(vm('v1')), 'VirtualMachine v1'],
    ['a VM with its VMI', lives({ ...vm('v1'), ...vmi('i1', 'v1') }), 'VirtualMachine v1'],
    ['a VM on its way out', lives(vm('v1', true)), undefined],
    ['a bare VMI', lives(vmi('i1')), 'VirtualMachineInstance i1'],
    ['a VMI whose VM we do not see yet', lives(vmi('i1', 'v1')), undefined],
    ['a VMI on its way out', lives(vmi('i1', undefined, true)), undefined],
    ['a pod', lives({ pod: { uid: 'p', deleting: false, final: false } }), 'Pod p'],
    ['a pod on its way out', lives({ pod: { uid: 'p', deleting: true, final: false } }), undefined],
    ['nothing', lives(), undefined],
  ])('%s', (_cause, around, expected) => {
    const owner = deriveOwner('x', around);
    expect(owner && `${owner.kind} ${owner.uid}`).toBe(expected);
  });
});

const request = (nic: string, absent = false): NicRequest => ({ nic, interface: 'eth0', subnet: 'default', absent });

function show(around: Lives, ports: LogicalPort[], nics: NicRequest[], problems: string[] = []): string[] {
  const plan = planPorts({
    name: 'x',
    lives: around,
    ports,
    plan: {
      requests: nics,
      problems: problems.map((nic) => ({ nic, problem: { reason: 'InvalidRequest', message: '' } })),
    },
  });
  return [
    ...plan.keep.map(({ port: { spec }, owner }) => `keep ${spec.nic} ${owner.uid}`),
    ...plan.create.map(({ request: { nic }, owner }) => `create ${nic} ${owner.uid}`),
    ...plan.release.map(({ spec }) => `release ${spec.nic}`),
    ...plan.waiting.map((nic) => `wait ${nic}`),
  ];
}

describe('planPorts', () => {
  it.each<[string, [Lives, LogicalPort[], NicRequest[]], string[]]>([
    ['a new VM', [lives(vm('v1')), [], [request('a'), request('b')]], ['create a v1', 'create b v1']],
    [
      'a VM that has all',
      [lives(vm('v1')), [port('VirtualMachine', 'v1', { nic: 'a' })], [request('a')]],
      ['keep a v1'],
    ],
    [
      'a NIC more and a NIC less',
      [lives(vm('v1')), [port('VirtualMachine', 'v1', { nic: 'a' })], [request('b')]],
      ['create b v1', 'release a'],
    ],
    [
      'a NIC that is being unplugged stays, one that never was is not made',
      [lives(vm('v1')), [port('VirtualMachine', 'v1', { nic: 'a' })], [request('a', true), request('b', true)]],
      ['keep a v1'],
    ],
    [
      'a VM on its way out keeps everything and gets nothing new',
      [lives({ ...vm('v1', true), ...vmi('i1', 'v1') }), [port('VirtualMachine', 'v1', { nic: 'a' })], [request('b')]],
      ['keep a v1'],
    ],
    ['a VM that is gone', [lives(), [port('VirtualMachine', 'v1', { nic: 'a' })], []], ['release a']],
    [
      'a namesake waits for the release (F36)',
      [lives(vm('v2')), [port('VirtualMachine', 'v1', { nic: 'a' })], [request('a')]],
      ['release a', 'wait a'],
    ],
    [
      'a namesake while the old launcher runs',
      [
        lives({ ...vm('v2'), launchers: [launcher('p1', 'i1')] }),
        [port('VirtualMachine', 'v1', { nic: 'a', holders: ['p1'] })],
        [request('a')],
      ],
      ['keep a v1'],
    ],
    [
      'an adoption',
      [
        lives({ ...vm('v2'), ...vmi('i1', 'v2'), launchers: [launcher('p1', 'i1')] }),
        [port('VirtualMachine', 'v1', { nic: 'a', holders: ['p1'] })],
        [request('a')],
      ],
      ['keep a v2'],
    ],
    [
      'a pod of a StatefulSet made again',
      [
        lives({ pod: { uid: 'p2', deleting: false, final: false } }),
        [port('Pod', 'p1', { nic: 'eth0' })],
        [request('eth0')],
      ],
      ['release eth0', 'wait eth0'],
    ],
  ])('%s', (_cause, given, expected) => {
    expect(show(...given)).toEqual(expected);
  });

  it('a NIC whose request cannot be understood keeps the port it has', () => {
    expect(show(lives(vm('v1')), [port('VirtualMachine', 'v1', { nic: 'a' })], [], ['a'])).toEqual(['keep a v1']);
  });
});
