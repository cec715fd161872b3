import { describe, expect, it } from 'vitest';
import type { VmiSpec } from '../../api/objects.ts';
import { planPodRequests, planVmRequests } from './requests.ts';
import { type ContextOverrides, makeRequestContext, makeSubnet, podWith, show, vmWith } from './testing/requests.ts';

describe('a launcher without a guest', () => {
  const OWNER = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    name: 'db',
    uid: 'u',
    controller: true,
  };
  const MARK = { 'kubevirt.io/ephemeral-provisioning': 'true' };
  const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
  const full = {
    name: 'attachnet',
    interface: 'podea7bf4bb723',
    ips: ['172.17.0.9/16'],
    mac: '02:00:00:00:00:01',
    'default-route': ['172.17.0.5'],
  };
  const claimed = { name: 'attachnet', interface: 'net1', mac: full.mac, 'ipam-claim-reference': 'db.biz' };
  const plan = (annotations: Record<string, string>, over: ContextOverrides = {}) =>
    planPodRequests(podWith({ ...MARK, ...annotations }, { ownerReferences: [OWNER] }), makeRequestContext(over));

  it.each<[string, Record<string, string>, ContextOverrides, string[]]>([
    ["the pod's own subnet", {}, { namespace: 'ns1' }, ['eth0=eth0 net1']],
    [
      'a subnet asked for that is granted',
      { 'ovn.kubernetes.io/logical_switch': 'net1' },
      { namespace: 'ns1' },
      ['eth0=eth0 net1'],
    ],
    ['one that is not (F56)', { 'ovn.kubernetes.io/logical_switch': 'net1' }, {}, ['eth0! SubnetNotAllowed']],
    [
      'no address or MAC',
      { 'ovn.kubernetes.io/ip_address': '10.0.0.9', 'ovn.kubernetes.io/mac_address': '02:00:00:00:00:02' },
      {},
      ['eth0=eth0 default'],
    ],
    [
      'what no pod could be given: it was for the VM',
      { 'ovn.kubernetes.io/ip_address': 'nonsense', 'ovn.kubernetes.io/ip_pool': 'none', 'mooring.dev/nics': '[' },
      {},
      ['eth0=eth0 default'],
    ],
    [
      "of the VM's networks only where they are",
      { [NETWORKS]: JSON.stringify([full]) },
      {},
      ['eth0=eth0 default', 'podea7bf4bb723=podea7bf4bb723 attachnet default/attachnet'],
    ],
    [
      'the default network without its MAC',
      { 'v1.multus-cni.io/default-network': JSON.stringify({ ...full, namespace: 'default', mac: 'x' }) },
      {},
      ['eth0=eth0 attachnet default/attachnet'],
    ],
    [
      'no network that the namespace may not use (F56)',
      { [NETWORKS]: 'prod/secret' },
      {},
      ['eth0=eth0 default', 'net1! SubnetNotAllowed'],
    ],
  ])('asks for %s', (_cause, annotations, over, expected) => {
    expect(show(plan(annotations, over))).toEqual(expected);
  });

  it('neither adopts nor retains nor claims anything', () => {
    const { requests } = plan({
      'mooring.dev/adopt': 'true',
      'mooring.dev/release-policy': 'Retain',
      'ovn.kubernetes.io/ip_pool': '10.0.0.7,10.0.0.8',
      [NETWORKS]: JSON.stringify([claimed]),
    });
    const bare = { absent: false, releasePolicy: 'WithOwner' };
    expect(requests).toEqual([
      { nic: 'eth0', interface: 'eth0', subnet: 'default', ...bare },
      { nic: 'net1', interface: 'net1', subnet: 'attachnet', nad: 'default/attachnet', ...bare },
    ]);
  });

  it('is one by its owner only: on any other pod the mark says nothing', () => {
    const annotations = { ...MARK, 'ovn.kubernetes.io/ip_address': '10.0.0.9' };
    const pods = [podWith(annotations), podWith(annotations, { ownerReferences: [{ ...OWNER, controller: false }] })];
    for (const pod of pods)
      expect(show(planPodRequests(pod, makeRequestContext()))).toEqual(['eth0=eth0 default 10.0.0.9']);
  });
});

describe('planPodRequests', () => {
  it.each<[string, Record<string, string>, ContextOverrides, string[]]>([
    ['an ordinary pod', {}, {}, ['eth0=eth0 default']],
    ["the namespace's own subnet", {}, { namespace: 'ns1' }, ['eth0=eth0 net1']],
    ['a subnet chosen by labels', {}, { labels: { team: 'blue' } }, ['eth0=eth0 by-label']],
    [
      'a subnet asked for that is granted',
      { 'ovn.kubernetes.io/logical_switch': 'net1' },
      { namespace: 'ns1' },
      ['eth0=eth0 net1'],
    ],
    ['one that is not (F56)', { 'ovn.kubernetes.io/logical_switch': 'net1' }, {}, ['eth0! SubnetNotAllowed']],
    [
      'one that is for secondary NICs',
      { 'ovn.kubernetes.io/logical_switch': 'attachnet' },
      {},
      ['eth0! SubnetNotAllowed'],
    ],
    ['one that does not exist', { 'ovn.kubernetes.io/logical_switch': 'x' }, {}, ['eth0! SubnetNotFound']],
    ['another CNI is first', {}, { primary: false }, []],
    [
      'secondary networks, ours and not',
      { 'k8s.v1.cni.cncf.io/networks': 'default/attachnet,default/foreign,default/attachnet@x' },
      {},
      ['eth0=eth0 default', 'net1=net1 attachnet default/attachnet', 'x=x attachnet default/attachnet'],
    ],
    [
      'addresses in the selection',
      { 'k8s.v1.cni.cncf.io/networks': '[{"name":"attachnet","ips":["172.17.0.9/16"],"mac":"02:00:00:00:00:01"}]' },
      {},
      ['eth0=eth0 default', 'net1=net1 attachnet default/attachnet 172.17.0.9 02:00:00:00:00:01'],
    ],
    [
      'a NAD that is not there',
      { 'k8s.v1.cni.cncf.io/networks': 'x' },
      {},
      ['eth0=eth0 default', 'net1! NetworkAttachmentNotFound'],
    ],
    [
      'a NAD without a subnet',
      { 'k8s.v1.cni.cncf.io/networks': 'lonely' },
      {},
      ['eth0=eth0 default', 'net1! SubnetNotFound'],
    ],
    [
      'a NAD with an empty spec',
      { 'k8s.v1.cni.cncf.io/networks': 'broken' },
      {},
      ['eth0=eth0 default', 'net1! NetworkAttachmentInvalid'],
    ],
    ['a list that cannot be read', { 'k8s.v1.cni.cncf.io/networks': 'a/b/c' }, {}, ['eth0! InvalidRequest']],
    [
      "a secondary network on the first interface's name",
      { 'k8s.v1.cni.cncf.io/networks': 'attachnet@eth0' },
      {},
      ['eth0! InvalidRequest'],
    ],
    [
      'a default network of ours',
      { 'v1.multus-cni.io/default-network': 'default/attachnet' },
      {},
      ['eth0=eth0 attachnet default/attachnet'],
    ],
    ['a default network of others', { 'v1.multus-cni.io/default-network': 'default/foreign' }, {}, []],
  ])('%s', (_cause, annotations, over, expected) => {
    expect(show(planPodRequests(podWith(annotations), makeRequestContext(over)))).toEqual(expected);
  });

  it('leaves pods on the host network alone', () => {
    expect(
      show(planPodRequests({ metadata: { name: 'p' }, spec: { hostNetwork: true } }, makeRequestContext())),
    ).toEqual([]);
  });

  it('gives a namespace with several subnets the oldest', () => {
    const young = makeSubnet('a-young', { namespaces: ['ns1'] });
    young.metadata.creationTimestamp = '2026-02-01T00:00:00Z';
    const subnets = [young, makeSubnet('old', { namespaces: ['ns1'] }), makeSubnet('default')];
    expect(show(planPodRequests(podWith({}), makeRequestContext({ namespace: 'ns1', subnets })))).toEqual([
      'eth0=eth0 old',
    ]);
  });
});

const FULL: VmiSpec = {
  domain: {
    devices: {
      interfaces: [
        { name: 'default', masquerade: {} },
        { name: 'biz', bridge: {}, macAddress: '02:00:00:00:00:01' },
        { name: 'biz2', bridge: {}, state: 'absent' },
        { name: 'tap', binding: { name: 'managedtap' } },
        { name: 'other', bridge: {} },
        { name: 'nowhere', bridge: {} },
      ],
    },
  },
  networks: [
    { name: 'default', pod: {} },
    { name: 'biz', multus: { networkName: 'default/attachnet' } },
    { name: 'biz2', multus: { networkName: 'attachnet' } },
    { name: 'tap', multus: { networkName: 'attachnet' } },
    { name: 'other', multus: { networkName: 'bridged' } },
  ],
};

describe('planVmRequests', () => {
  it('names the launcher interfaces as KubeVirt does, takes MAC and binding from the spec, skips what is not ours', () => {
    expect(show(planVmRequests(FULL, [], makeRequestContext()))).toEqual([
      'default=eth0 default masquerade',
      'biz=pod9bdd85331e7 attachnet default/attachnet 02:00:00:00:00:01 bridge',
      'biz2=pod4b24a216797 attachnet default/attachnet bridge absent',
      expect.stringMatching(/^tap=pod[0-9a-f]{11} attachnet default\/attachnet managedTap$/),
    ]);
  });

  it.each<[string, VmiSpec | undefined, string[]]>([
    ['no spec: the NIC that KubeVirt gives', undefined, ['default=eth0 default bridge']],
    ['no NIC wanted', { domain: { devices: { autoattachPodInterface: false } } }, []],
    [
      'multus instead of the pod network',
      {
        domain: { devices: { interfaces: [{ name: 'net', bridge: {} }] } },
        networks: [{ name: 'net', multus: { networkName: 'attachnet', default: true } }],
      },
      ['net=eth0 attachnet default/attachnet bridge'],
    ],
    [
      'a NIC name that would break names in OVN (F59)',
      { domain: { devices: { interfaces: [{ name: 'a/b', bridge: {} }] } }, networks: [{ name: 'a/b', pod: {} }] },
      ['a/b! InvalidRequest'],
    ],
    [
      'a reference that is none',
      {
        domain: { devices: { interfaces: [{ name: 'n', bridge: {} }] } },
        networks: [{ name: 'n', multus: { networkName: 'a/b/c' } }],
      },
      ['n! InvalidRequest'],
    ],
  ])('%s', (_cause, spec, expected) => {
    expect(show(planVmRequests(spec, [], makeRequestContext()))).toEqual(expected);
  });

  it("tells when the interface's MAC and an annotation disagree", () => {
    const sources = [
      { from: 'the VM', annotations: { 'attachnet.default.ovn.biz.kubernetes.io/mac_address': '02:00:00:00:00:02' } },
    ];
    expect(show(planVmRequests(FULL, sources, makeRequestContext()))).toContain('biz! RequestDisagreement');
  });

  it.each([
    [{ matchExpressions: [{ key: 'team', operator: 'In', values: ['blue'] }] }, true],
    [{ matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['blue'] }] }, false],
    [{ matchExpressions: [{ key: 'team', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, false],
    [{ matchExpressions: [{ key: 'team', operator: 'Sounds' }] }, false],
    [{ matchLabels: { team: 'red' } }, false],
    [{}, false],
  ])('selector %j on team=blue: %s', (selector, matches) => {
    const subnets = [makeSubnet('default'), makeSubnet('chosen', { namespaceSelectors: [selector] })];
    const context = makeRequestContext({ labels: { team: 'blue' }, subnets });
    expect(show(planVmRequests(undefined, [], context))).toEqual([
      `default=eth0 ${matches ? 'chosen' : 'default'} bridge`,
    ]);
  });
});

describe('what KubeVirt would not take', () => {
  const KUBEVIRT_MAC = '02:00:00:00:00:00';
  const plan = (spec: VmiSpec, annotations: Record<string, string> = {}) =>
    planVmRequests(spec, [{ from: 'the VM', annotations }], makeRequestContext());

  it.each<[string, VmiSpec, Record<string, string>, string[]]>([
    [
      'its own MAC in an annotation',
      vmWith({ default: 'pod' }),
      { 'ovn.kubernetes.io/mac_address': KUBEVIRT_MAC },
      ['default! InvalidRequest'],
    ],
    [
      'its own MAC for one NIC of two',
      vmWith({ default: 'pod', biz: 'default/attachnet' }),
      { 'mooring.dev/nics': `{"biz":{"mac":"${KUBEVIRT_MAC}"}}` },
      ['default=eth0 default bridge', 'biz! InvalidRequest'],
    ],
    ['an interface in networkName', vmWith({ biz: 'default/attachnet@net1' }), {}, ['biz! InvalidRequest']],
  ])('is refused: %s', (_cause, spec, annotations, expected) => {
    expect(show(plan(spec, annotations))).toEqual(expected);
  });

  it('a MAC beside its own is taken', () => {
    expect(plan(vmWith({ default: 'pod' }), { 'ovn.kubernetes.io/mac_address': '02:00:00:00:00:01' }).problems).toEqual(
      [],
    );
  });
});
