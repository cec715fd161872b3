import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/objects.ts';
import { deriveOrdinal, planPodRequests, planVmRequests } from './requests.ts';
import { type ContextOverrides, makeRequestContext, podWith, show, tell, vmWith } from './testing/requests.ts';
import type { RequestPlan } from './types.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const DEFAULT = 'v1.multus-cni.io/default-network';

const plan = (annotations: Record<string, string>, over: ContextOverrides = {}): RequestPlan =>
  planPodRequests(podWith(annotations), makeRequestContext(over));
const select = (...items: object[]): Record<string, string> => ({ [NETWORKS]: JSON.stringify(items) });
const routesOf = ({ requests }: RequestPlan): Record<string, string | undefined> =>
  Object.fromEntries(requests.map(({ nic, routes }) => [nic, routes?.map(({ dst, gw }) => `${dst}>${gw}`).join(' ')]));

describe('selection elements', () => {
  it('say what the NIC is to have', () => {
    const planned = plan(
      select({ name: 'attachnet', interface: 'biz', ips: ['172.17.0.20/16'], mac: '02:00:00:00:00:0A' }),
    );
    expect(planned.requests[1]).toEqual({
      nic: 'biz',
      interface: 'biz',
      absent: false,
      subnet: 'attachnet',
      nad: 'default/attachnet',
      ips: ['172.17.0.20'],
      mac: '02:00:00:00:00:0a',
    });
  });

  it('refer to an IPAMClaim', () => {
    const planned = plan(select({ name: 'attachnet', 'ipam-claim-reference': 'vm.biz' }));
    expect(planned.requests[1]).toMatchObject({ nic: 'net1', ipamClaim: 'vm.biz' });
  });

  it('of other plugins may say what they like', () => {
    const planned = plan(select({ name: 'foreign', ips: ['a', 'b', 'c'], mac: 'x' }));
    expect(show(planned)).toEqual(['eth0=eth0 default']);
  });

  it('may have a name that only another plugin can live with', () => {
    expect(show(plan(select({ name: 'foreign', interface: '_x' })))).toEqual(['eth0=eth0 default']);
    expect(tell(plan(select({ name: 'attachnet', interface: '_x' })), '_x')).toBe(
      'InvalidRequest: "_x" is not a name for a NIC',
    );
  });

  it.each([
    ['addresses that are none', { name: 'attachnet', ips: ['x'] }, /"x" is not an IP address/],
    ['two of one family', { name: 'attachnet', ips: ['172.17.0.20', '172.17.0.21'] }, /two addresses of one family/],
    ['a multicast MAC', { name: 'attachnet', mac: '01:00:00:00:00:01' }, /is not a unicast MAC/],
  ])('%s are the problem of their NIC alone', (_cause, item, expected) => {
    const planned = plan(select(item, { name: 'dual' }));
    expect(tell(planned, 'net1')).toMatch(expected);
    expect(show(planned)).toContain('net2=net2 dual default/dual');
  });

  it('that contradict an annotation are a conflict, that repeat it are not', () => {
    const key = 'attachnet.default.ovn.kubernetes.io/ip_address';
    const item = select({ name: 'attachnet', ips: ['172.17.0.20'] });
    expect(show(plan({ ...item, [key]: '172.17.0.20' }))).toContain(
      'net1=net1 attachnet default/attachnet 172.17.0.20',
    );
    expect(tell(plan({ ...item, [key]: '172.17.0.21' }), 'net1')).toBe(
      'RequestDisagreement: NIC net1: the networks annotation asks for 172.17.0.20, but the pod asks for 172.17.0.21',
    );
  });
});

describe('the default route', () => {
  it.each<[string, Record<string, string>, Record<string, string | undefined>]>([
    ['stays where it is', select({ name: 'attachnet' }), { eth0: undefined, net1: undefined }],
    [
      'goes to the NIC that asks for it',
      select({ name: 'attachnet', 'default-route': ['172.17.0.9'] }),
      { eth0: '', net1: '0.0.0.0/0>172.17.0.9' },
    ],
    [
      "goes by the network's own gateway when none is named",
      select({ name: 'attachnet', 'default-route': [] }),
      { eth0: '', net1: '0.0.0.0/0>172.17.0.1' },
    ],
    [
      'goes in both families',
      select({ name: 'dual', 'default-route': ['10.5.0.9', 'fd05::9'] }),
      { eth0: '', net1: '0.0.0.0/0>10.5.0.9 ::/0>fd05::9' },
    ],
    ["goes to another plugin's NIC", select({ name: 'foreign', 'default-route': ['192.168.1.1'] }), { eth0: '' }],
    [
      'goes, and the other routes of the first interface stay',
      {
        ...select({ name: 'attachnet', 'default-route': ['172.17.0.9'] }),
        'ovn.kubernetes.io/routes': '[{"dst":"10.9.0.0/16"}]',
      },
      { eth0: '10.9.0.0/16>10.0.0.1', net1: '0.0.0.0/0>172.17.0.9' },
    ],
    [
      'goes in one family only when that is what is asked',
      { ...select({ name: 'attachnet', 'default-route': ['172.17.0.9'] }), 'ovn.kubernetes.io/logical_switch': 'both' },
      { eth0: '::/0>fd00::1', net1: '0.0.0.0/0>172.17.0.9' },
    ],
  ])('%s', (_cause, annotations, expected) => {
    const base = makeRequestContext();
    const [first, ...others] = base.grants.subnets;
    const both = first && { ...first, metadata: { name: 'both' }, spec: { cidrBlock: '10.1.0.0/24,fd00::/64' } };
    const subnets = [first, both, ...others].flatMap((subnet) => subnet ?? []);
    expect(routesOf(plan(annotations, { subnets }))).toEqual(expected);
  });

  it('cannot be on two NICs', () => {
    const planned = plan(
      select({ name: 'attachnet', 'default-route': [] }, { name: 'dual', 'default-route': ['10.5.0.9'] }),
    );
    const message = "RequestDisagreement: the NICs net1 and net2 both ask for the pod's default route";
    expect([tell(planned, 'net1'), tell(planned, 'net2')]).toEqual([message, message]);
    expect(show(planned)).toContain('eth0=eth0 default');
  });

  it('that leads out of its network stays with the first interface', () => {
    const planned = plan(select({ name: 'attachnet', 'default-route': ['10.0.0.1'] }));
    expect(tell(planned, 'net1')).toMatch(/the gateway "10\.0\.0\.1" is not inside subnet attachnet/);
    expect(routesOf(planned)).toEqual({ eth0: undefined });
  });
});

describe('the default network', () => {
  it.each<[string, string, string[]]>([
    ['a reference', 'default/attachnet', ['eth0=eth0 attachnet default/attachnet']],
    [
      'one element in JSON',
      '[{"name":"attachnet","namespace":"default","ips":["172.17.0.20"]}]',
      ['eth0=eth0 attachnet default/attachnet 172.17.0.20'],
    ],
    ['whatever interface it names', 'default/attachnet@net7', ['eth0=eth0 attachnet default/attachnet']],
    ['blanks', ' ', ['eth0=eth0 default']],
    ["another plugin's", 'default/foreign', []],
    ['one of another namespace that is not granted (F56)', 'prod/secret', ['eth0! SubnetNotAllowed']],
    ['a name without namespace, which Multus looks for elsewhere', 'attachnet', ['eth0! InvalidRequest']],
    ['two networks', 'default/attachnet,default/dual', ['eth0! InvalidRequest']],
    ['none', '[]', ['eth0! InvalidRequest']],
    ['no reference', 'a/b/c', ['eth0! InvalidRequest']],
  ])('%s', (_cause, text, expected) => {
    expect(show(plan({ [DEFAULT]: text }))).toEqual(expected);
  });
});

describe('a networks annotation that cannot be read', () => {
  it('leaves the plan incomplete, so that nobody takes a NIC for unwanted', () => {
    expect(plan({ [NETWORKS]: 'a/b/c' })).toEqual({
      requests: [],
      problems: [
        { nic: 'eth0', problem: { reason: 'InvalidRequest', message: '"a/b/c" is not [namespace/]name[@interface]' } },
      ],
      incomplete: true,
    });
  });

  it('does not when only one of its NICs is bad', () => {
    expect(plan({ [NETWORKS]: 'none' }).incomplete).toBeUndefined();
  });
});

describe('deriveOrdinal', () => {
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true };
  const pod = (name: string, over: Partial<typeof owner> = {}): Pod =>
    podWith({}, { name, ownerReferences: [{ ...owner, ...over }] });

  it.each<[string, Pod, number | undefined]>([
    ['the first', pod('db-0'), 0],
    ['a later one', pod('db-12'), 12],
    ['no suffix', pod('db'), undefined],
    ['another name', pod('web-1'), undefined],
    ['a zero in front', pod('db-01'), undefined],
    ['no number', pod('db-x1'), undefined],
    ['a number too large', pod('db-1234567890'), undefined],
    ['a set of another group', pod('db-1', { apiVersion: 'apps.kruise.io/v1' }), undefined],
    ['an owner that does not control', pod('db-1', { controller: false }), undefined],
    ['a workload without order', pod('db-1', { kind: 'ReplicaSet' }), undefined],
    ['a forged label', podWith({}, { name: 'db-1', labels: { 'apps.kubernetes.io/pod-index': '7' } }), undefined],
  ])('%s', (_cause, from, expected) => {
    expect(deriveOrdinal(from)).toBe(expected);
  });

  it('goes with the list of addresses', () => {
    const annotations = { 'ovn.kubernetes.io/ip_pool': '10.0.0.15,10.0.0.16' };
    const planned = planPodRequests(
      podWith(annotations, { name: 'db-1', ownerReferences: [owner] }),
      makeRequestContext(),
    );
    expect(planned.requests[0]?.pool).toEqual({ kind: 'list', candidates: [['10.0.0.15'], ['10.0.0.16']], ordinal: 1 });
  });

  it('of a list that two NICs share is refused for both, and the key that tells them apart is named', () => {
    const annotations = {
      [NETWORKS]: 'attachnet,attachnet',
      'attachnet.default.ovn.kubernetes.io/ip_pool': '172.17.0.15,172.17.0.16',
    };
    const pod = (over: object = {}) => podWith({ ...annotations, ...over }, { name: 'db-1', ownerReferences: [owner] });
    const planned = planPodRequests(pod(), makeRequestContext());
    expect(show(planned).toSorted()).toEqual(['eth0=eth0 default', 'net1! InvalidRequest', 'net2! InvalidRequest']);
    expect(tell(planned, 'net2')).toMatch(/net1 and net2 take the same entry .*<interface>\.kubernetes\.io\/ip_pool$/);
    const apart = {
      'attachnet.default.ovn.kubernetes.io/ip_pool': '',
      'attachnet.default.ovn.net1.kubernetes.io/ip_pool': '172.17.0.15,172.17.0.16',
      'attachnet.default.ovn.net2.kubernetes.io/ip_pool': '172.17.0.17,172.17.0.18',
    };
    expect(planPodRequests(pod(apart), makeRequestContext()).problems).toEqual([]);
    expect(planPodRequests(podWith(annotations, { name: 'other' }), makeRequestContext()).problems).toEqual([]);
  });
});

describe('VMs', () => {
  const SPEC = vmWith({ default: 'pod', biz: 'attachnet' });
  const vm = (...annotations: Record<string, string>[]) =>
    planVmRequests(
      SPEC,
      annotations.map((one, index) => ({ from: `source ${index}`, annotations: one })),
      makeRequestContext(),
    );

  it("take addresses in KubeVirt's own form", () => {
    const planned = vm({ 'network.kubevirt.io/addresses': '{"default":["10.0.0.7/24"],"biz":["172.17.0.20"]}' });
    expect(planned.requests.map(({ ips }) => ips)).toEqual([['10.0.0.7'], ['172.17.0.20']]);
  });

  it('take everything from mooring.dev/nics', () => {
    const entry = {
      subnet: 'attachnet',
      ips: ['172.17.0.20'],
      mac: '02:00:00:00:00:0A',
      binding: 'bridge',
      securityGroups: ['web'],
      releasePolicy: 'OnStop',
    };
    expect(vm({ 'mooring.dev/nics': JSON.stringify({ biz: entry }) }).requests[1]).toEqual({
      nic: 'biz',
      interface: 'pod9bdd85331e7',
      absent: false,
      nad: 'default/attachnet',
      ...entry,
      mac: '02:00:00:00:00:0a',
    });
  });

  it("a NIC's own release policy wins over the VM's", () => {
    const planned = vm({
      'mooring.dev/release-policy': 'Retain',
      'mooring.dev/nics': '{"biz":{"releasePolicy":"OnStop"}}',
    });
    expect(planned.requests.map(({ releasePolicy }) => releasePolicy)).toEqual(['Retain', 'OnStop']);
  });

  it.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
    [
      'release policies',
      { 'mooring.dev/release-policy': 'Retain' },
      { 'mooring.dev/release-policy': 'OnStop' },
      /source 0 asks for Retain, but source 1 asks for OnStop/,
    ],
    ['adoption', { 'mooring.dev/adopt': 'true' }, { 'mooring.dev/adopt': 'false' }, /asks for true, but/],
    [
      'bindings',
      { 'mooring.dev/nics': '{"default":{"binding":"masquerade"}}' },
      {},
      /source 0 asks for masquerade, but the interface asks for bridge/,
    ],
  ])('tell of different %s', (_cause, one, other, expected) => {
    for (const planned of [vm(one, other), vm(other, one)]) {
      expect(tell(planned, 'default')).toMatch(/^RequestDisagreement: NIC default: /);
    }
    expect(tell(vm(one, other), 'default')).toMatch(expected);
  });

  it.each([
    ['mooring.dev/adopt', 'yes'],
    ['mooring.dev/release-policy', 'Never'],
    ['mooring.dev/nics', '{"biz":{"ip":"172.17.0.20"}}'],
    ['network.kubevirt.io/addresses', '{"biz":"172.17.0.20"}'],
  ])('are told of %s: %s instead of having it ignored (F63)', (key, value) => {
    expect(tell(vm({ [key]: value }), 'biz')).toMatch(/^InvalidRequest: NIC biz: source 0: /);
  });

  it('have the claims that their launcher refers to, by interface', () => {
    const claims = new Map([['pod9bdd85331e7', 'vm.biz']]);
    const planned = planVmRequests(SPEC, [], makeRequestContext(), claims);
    expect(planned.requests.map(({ ipamClaim }) => ipamClaim)).toEqual([undefined, 'vm.biz']);
  });
});

describe('a list of networks that was changed under a pod', () => {
  const plan = (networks: string, present: string) =>
    show(
      planPodRequests(
        podWith({ 'k8s.v1.cni.cncf.io/networks': networks }),
        makeRequestContext(),
        present.split(',').map((text) => {
          const [nad = '', ifname = ''] = text.split('@');
          return { nad: `default/${nad}`, ifname };
        }),
      ),
    ).map((line) => line.split(' ')[0]);

  it.each([
    ['the middle gone', 'attachnet,attachnet', 'attachnet@net1,attachnet@net3', ['net1=net1', 'net3=net3']],
    ['its own place', 'attachnet,attachnet', 'attachnet@net1,attachnet@net2', ['net1=net1', 'net2=net2']],
    ['a named one is served by nobody else', 'attachnet@x', 'attachnet@net1', ['x=x']],
    ['the first interface serves no list', 'attachnet', 'attachnet@eth0', ['net1=net1']],
  ])('%s', (_cause, networks, present, expected) => {
    expect(plan(networks, present)).toEqual(['eth0=eth0', ...expected]);
  });
});
