import { describe, expect, it } from 'vitest';
import type { VmiSpec } from '../../api/objects.ts';
import { vmWith } from '../../plan/requests/testing/requests.ts';
import type { Admission } from '../admission.ts';
import { checkRequest, createCheckJudge, isPerhapsLate } from './check.ts';
import {
  ask,
  makeAdmission,
  makeCluster,
  makePort,
  makeVm,
  makeVmi,
  type State,
  tell,
  type Vm,
} from './testing/cluster.ts';

const POD = vmWith({ default: 'pod' });
const TWO = vmWith({ default: 'pod', biz: 'default/attachnet' });
const IP = 'ovn.kubernetes.io/ip_address';
const NICS = 'mooring.dev/nics';
const KUBEVIRT = 'network.kubevirt.io/addresses';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const absent = (spec: VmiSpec): VmiSpec => ({
  ...spec,
  domain: {
    devices: { interfaces: (spec.domain?.devices?.interfaces ?? []).map((nic) => ({ ...nic, state: 'absent' })) },
  },
});
const PASST = {
  spec: { configuration: { network: { binding: { passt: { networkAttachmentDefinition: 'a/passt' } } } } },
};

describe('a VM', () => {
  it.each<[string, Vm, State, string[]]>([
    ['that asks for nothing', { spec: POD }, {}, []],
    ['with two networks', { spec: TWO }, {}, []],
    ['without NICs', { spec: { domain: { devices: { autoattachPodInterface: false } } } }, {}, []],
    ['on a NAD that is not there', { spec: vmWith({ biz: 'default/none' }) }, {}, ['biz! NetworkAttachmentNotFound']],
    [
      'on a NAD of its own namespace that is not there',
      { spec: vmWith({ biz: 'none' }) },
      {},
      ['biz! NetworkAttachmentNotFound'],
    ],
    ['on a NAD whose subnet is not for it', { spec: vmWith({ biz: 'prod/secret' }) }, {}, ['biz! SubnetNotAllowed']],
    ['on a NAD without a subnet', { spec: vmWith({ biz: 'default/lonely' }) }, {}, ['biz! SubnetNotFound']],
    ['on a broken NAD', { spec: vmWith({ biz: 'default/broken' }) }, {}, ['biz! NetworkAttachmentInvalid']],
    [
      'on a NAD of no JSON',
      { spec: vmWith({ biz: 'default/x' }) },
      { nads: { 'default/x': '{' } },
      ['biz! NetworkAttachmentInvalid'],
    ],
    ['on macvlan under bridge', { spec: vmWith({ biz: 'default/macvlan' }) }, {}, ['biz! BindingNotPossible']],
    [
      'on macvlan of others under bridge',
      { spec: vmWith({ biz: 'default/foreign' }) },
      {},
      ['biz! BindingNotPossible'],
    ],
    [
      'on ipvlan under bridge',
      { spec: vmWith({ biz: 'default/x' }) },
      { nads: { 'default/x': '{"type":"ipvlan"}' } },
      ['biz! BindingNotPossible'],
    ],
    [
      'on macvlan under a plugin',
      { spec: vmWith({ biz: 'default/macvlan' }, { binding: { name: 'macvtap' } }) },
      {},
      [],
    ],
    ['on a bridge of others under bridge', { spec: vmWith({ biz: 'default/bridged' }) }, {}, []],
    ['on a name that is none', { spec: vmWith({ biz: 'a/b/c' }) }, {}, ['biz! InvalidRequest']],
    ['on a name with an interface', { spec: vmWith({ biz: 'default/attachnet@net1' }) }, {}, ['biz! InvalidRequest']],
    ['whose wrong NIC is on its way out', { spec: absent(vmWith({ biz: 'default/none' })) }, {}, []],
    [
      "whose NIC on its way out has another's address",
      { spec: absent(POD), annotations: { [IP]: '10.0.0.7' } },
      { ports: [makePort({ at: 'default/web' }, { ips: ['10.0.0.7'] })] },
      [],
    ],
    [
      'whose VM and template disagree',
      { spec: POD, annotations: { [IP]: '10.0.0.7' }, vmAnnotations: { [IP]: '10.0.0.8' } },
      {},
      ['default! RequestDisagreement'],
    ],
    [
      'whose VM and template agree',
      { spec: POD, annotations: { [IP]: '10.0.0.7' }, vmAnnotations: { [IP]: '10.0.0.7' } },
      {},
      [],
    ],
    [
      'whose interface and annotation disagree',
      {
        spec: vmWith({ default: 'pod' }, { bridge: {}, macAddress: '02:00:00:00:00:01' }),
        annotations: { 'ovn.kubernetes.io/mac_address': '02:00:00:00:00:02' },
      },
      {},
      ['default! RequestDisagreement'],
    ],
    [
      'with the key of another kind of NIC',
      { spec: TWO, annotations: { 'attachnet.default.kubernetes.io/ip_address': '172.17.0.9' } },
      {},
      ['biz! RequestDisagreement'],
    ],
    ['with JSON that is none', { spec: POD, annotations: { [NICS]: '{"default":' } }, {}, ['default! InvalidRequest']],
    [
      'with a key that is misspelt',
      { spec: POD, annotations: { [NICS]: '{"default":{"ip":"10.0.0.7"}}' } },
      {},
      ['default! InvalidRequest'],
    ],
    ['with an annotation that is no text', { spec: POD, annotations: { [IP]: 7 } }, {}, []],
    [
      'whose NICs ask for one address',
      {
        spec: vmWith({ a: 'default/attachnet', b: 'default/attachnet' }),
        annotations: { [NICS]: '{"a":{"ips":["172.17.0.9"]},"b":{"ips":["172.17.0.9"]}}' },
      },
      {},
      ['b! InvalidRequest'],
    ],
    [
      'whose NICs ask for one MAC',
      {
        spec: vmWith(
          { a: 'default/attachnet', b: 'default/attachnet' },
          { bridge: {}, macAddress: '02:00:00:00:00:09' },
        ),
      },
      {},
      ['b! InvalidRequest'],
    ],
    [
      'whose NICs have one MAC in two networks',
      { spec: vmWith({ default: 'pod', b: 'default/attachnet' }, { bridge: {}, macAddress: '02:00:00:00:00:09' }) },
      {},
      [],
    ],
    [
      'whose NICs swap their addresses',
      {
        spec: vmWith({ a: 'default/attachnet', b: 'default/attachnet' }),
        annotations: { [NICS]: '{"a":{"ips":["172.17.0.9"]},"b":{"ips":["172.17.0.8"]}}' },
      },
      {
        ports: [
          makePort({ at: 'default/db', nic: 'a' }, { subnet: 'attachnet', ips: ['172.17.0.8'] }),
          makePort({ at: 'default/db', nic: 'b' }, { subnet: 'attachnet', ips: ['172.17.0.9'] }),
        ],
      },
      [],
    ],
    [
      'whose template names networks without interfaces',
      { spec: POD, annotations: { [NETWORKS]: 'default/attachnet' } },
      {},
      ['-! InvalidRequest'],
    ],
    [
      'whose own annotation does, which no launcher gets',
      { spec: POD, vmAnnotations: { [NETWORKS]: 'default/attachnet' } },
      {},
      [],
    ],
    [
      'whose template names one with its interface',
      { spec: POD, annotations: { [NETWORKS]: 'default/attachnet@biz' } },
      {},
      [],
    ],
    [
      'under a plugin with a network of its own beside others',
      { spec: vmWith({ default: 'pod', biz: 'default/attachnet' }, { binding: { name: 'passt' } }) },
      { kubevirt: PASST },
      ['default! InvalidRequest', 'biz! InvalidRequest'],
    ],
    [
      'under such a plugin alone',
      { spec: vmWith({ default: 'pod' }, { binding: { name: 'passt' } }) },
      { kubevirt: PASST },
      ['default? InvalidRequest'],
    ],
    [
      "whose pod network is another plugin's",
      { spec: POD, annotations: { [IP]: '10.0.0.254' } },
      { primary: false },
      [],
    ],
  ])('%s', (_cause, vm, state, expected) => {
    expect(ask(makeVm(vm), state)).toEqual(expected);
  });

  it.each<[string, Vm, string[]]>([
    ['that is misspelt', { spec: TWO, annotations: { [NICS]: '{"bizz":{}}' } }, ['-? InvalidRequest']],
    ['in an annotation of KubeVirt', { spec: TWO, annotations: { [KUBEVIRT]: '{"eth1":[]}' } }, ['-? InvalidRequest']],
    [
      'on the VM and in its template',
      { spec: TWO, annotations: { [NICS]: '{"x":{}}' }, vmAnnotations: { [NICS]: '{"x":{}}' } },
      ['-? InvalidRequest', '-? InvalidRequest'],
    ],
    ['that every object has', { spec: TWO, annotations: { [NICS]: '{"toString":{}}' } }, ['-? InvalidRequest']],
    ['of its own', { spec: TWO, annotations: { [NICS]: '{"biz":{},"default":{}}' } }, []],
    ['of the NIC that KubeVirt gives by default', { annotations: { [NICS]: '{"default":{}}' } }, []],
  ])('is warned of a NIC name %s', (_cause, vm, expected) => {
    expect(ask(makeVm(vm))).toEqual(expected);
  });

  it('is told at most three of the names', () => {
    expect(tell(makeVm({ spec: POD, annotations: { [NICS]: '{"a":{},"b":{},"c":{},"d":{},"e":{}}' } }))).toBe(
      `the VM's template: ${NICS} names "a", "b", "c" and 2 more, which is no NIC of it; what is asked there has no effect`,
    );
  });

  it('is told where its macvlan could go', () => {
    expect(tell(makeVm({ spec: vmWith({ biz: 'default/macvlan' }) }))).toMatch(
      /macvtap network with its own binding, or a network of Mooring/,
    );
  });

  it('is told which of its NICs ask for the same', () => {
    const spec = vmWith({ a: 'default/attachnet', b: 'default/attachnet' });
    const annotations = { [NICS]: '{"a":{"ips":["172.17.0.9"]},"b":{"ips":["172.17.0.9"]}}' };
    expect(tell(makeVm({ spec, annotations }))).toBe(
      'the NICs a and b ask for the same address 172.17.0.9; give each its own',
    );
  });

  it("is told a NIC's name once", () => {
    expect(tell(makeVm({ spec: POD, annotations: { [IP]: 'x' } }))).not.toMatch(/^NIC/);
  });
});

describe('an update', () => {
  const wrong = makeVm({ spec: POD, annotations: { [IP]: '10.0.0.254' } });
  const fine = makeVm({ spec: POD, annotations: { [IP]: '10.0.0.7' } });
  const other = makeVm({ spec: POD, annotations: { [IP]: '10.0.0.255' } });
  const labelled = { ...wrong, metadata: { ...wrong.metadata, labels: { a: 'b' } } };
  const more = makeVm({ spec: vmWith({ default: 'pod', biz: 'default/none' }), annotations: { [IP]: '10.0.0.254' } });
  const leaving = { ...wrong, metadata: { ...wrong.metadata, deletionTimestamp: '2026-02-01T00:00:00Z' } };

  it.each<[string, object, object | null, string[]]>([
    ['that brings a mistake', wrong, fine, ['default! AddressReserved']],
    ['beside an old mistake', labelled, wrong, ['default? AddressReserved']],
    ['of one mistake into another', other, wrong, ['default! AddressReserved']],
    ['that adds a mistake to an old one', more, wrong, ['biz! NetworkAttachmentNotFound', 'default? AddressReserved']],
    ['that mends a mistake', fine, wrong, []],
    ['of an object that leaves', leaving, fine, []],
    ['whose old object cannot be read', wrong, null, ['default! AddressReserved']],
  ])('%s', (_cause, object, oldObject, expected) => {
    expect(ask(object, {}, { operation: 'UPDATE', oldObject })).toEqual(expected);
  });

  it('that starts a VM is judged for the start', () => {
    const mac = '02:00:00:00:00:07';
    const ports = [
      makePort(
        { at: 'prod/web' },
        { mac, attachments: [{ podName: 'p', podUID: 'u', node: 'n', interface: 'eth0', role: 'Source' }] },
      ),
    ];
    const make = (runStrategy: string) =>
      makeVm({ spec: POD, annotations: { 'ovn.kubernetes.io/mac_address': mac }, run: { runStrategy } });
    const over = { operation: 'UPDATE' as const };
    expect(ask(make('Always'), { ports }, { ...over, oldObject: make('Halted') })).toEqual(['default! AddressInUse']);
    expect(ask(make('Always'), { ports }, { ...over, oldObject: make('Always') })).toEqual(['default? AddressInUse']);
    expect(ask(make('Halted'), { ports }, { ...over, oldObject: make('Always') })).toEqual(['default? AddressInUse']);
  });
});

describe('what is not judged', () => {
  const wrong = makeVm({ spec: POD, annotations: { [IP]: '10.0.0.254' } });

  it.each<[string, Partial<Admission>]>([
    ['a deletion', { operation: 'DELETE', object: null, oldObject: wrong }],
    ['another kind', { kind: 'VirtualMachineInstanceMigration' }],
    ['nothing', { object: null }],
    ['a list', { object: [wrong] }],
  ])('%s', (_cause, over) => {
    expect(checkRequest(makeAdmission(wrong, over), makeCluster())).toEqual([]);
  });

  it('a VMI that is being deleted', () => {
    const metadata = { deletionTimestamp: '2026-02-01T00:00:00Z' };
    const vmi = makeVmi({ spec: POD, annotations: { [IP]: '10.0.0.254' }, metadata });
    expect(ask(vmi, {}, { kind: 'VirtualMachineInstance', operation: 'UPDATE', oldObject: vmi })).toEqual([]);
  });
});

describe('a name', () => {
  const ports = [makePort({ at: 'default/db' }, { ips: ['10.0.0.7'] })];
  const make = (metadata: object) => ({ ...makeVm({ spec: POD, annotations: { [IP]: '10.0.0.7' } }), metadata });

  it('of the object says what is its own', () => {
    expect(ask(make({ name: 'db' }), { ports }, { name: '' })).toEqual([]);
  });

  it('that the server is still to choose owns nothing', () => {
    expect(ask(make({ generateName: 'db' }), { ports }, { name: '' })).toEqual(['default! AddressInUse']);
  });

  it('of another namespace in the object says nothing', () => {
    expect(ask(make({ name: 'db', namespace: 'default' }), { ports }, { namespace: 'prod' })).toEqual([
      'default! AddressInUse',
    ]);
  });
});

describe('the verdict', () => {
  const judge = (object: unknown, state: State = {}) => createCheckJudge(makeCluster(state))(makeAdmission(object));

  it('lets pass what is right, without a word', () => {
    expect(judge(makeVm({ spec: POD }))).toEqual({ allowed: true, warnings: [], patch: [] });
  });

  it('lets pass with a warning what only waits', () => {
    const verdict = judge(makeVm({ spec: POD }), { subnets: [] });
    expect(verdict).toMatchObject({ allowed: true, warnings: [expect.stringMatching(/SubnetNotFound/)] });
    expect(verdict.message).toBeUndefined();
  });

  it('refuses with object, NIC, cause and way out', () => {
    const verdict = judge(makeVm({ spec: POD, annotations: { [IP]: '10.0.0.254' } }));
    expect(verdict).toEqual({
      allowed: false,
      message:
        'VirtualMachine default/db is refused: NIC default: 10.0.0.254 is the gateway, in subnet default (AddressReserved). Ask for another address, or take it out of excludeIps.',
      warnings: [],
      patch: [],
      isPerhapsLate: false,
    });
  });
});

describe('a denial that a cache may be the cause of', () => {
  const late = (vm: Vm) => isPerhapsLate(checkRequest(makeAdmission(makeVm(vm)), makeCluster()));
  it.each<[string, Vm, boolean]>([
    ['a NAD of a moment ago', { spec: vmWith({ biz: 'default/none' }) }, true],
    ['nothing', { spec: POD }, false],
    ['a mistake', { spec: POD, annotations: { [IP]: 'x' } }, false],
    [
      'a mistake beside it',
      { spec: vmWith({ default: 'pod', biz: 'default/none' }), annotations: { [IP]: 'x' } },
      false,
    ],
  ])('%s', (_cause, vm, expected) => {
    expect(late(vm)).toBe(expected);
  });
});
