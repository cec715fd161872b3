import { describe, expect, it } from 'vitest';
import { deriveRouterMac } from '../../plan/networks/subnet.ts';
import { makeSubnet, vmWith } from '../../plan/requests/testing/requests.ts';
import type { Admission } from '../admission.ts';
import { ATTACHED, ask, makePort, makeVm, makeVmi, type State, tell } from './testing/cluster.ts';

const MAC = '02:00:00:00:00:07';
const withMac = (mac: string, subnet?: string) => ({
  spec: vmWith({ default: 'pod' }),
  annotations: {
    'ovn.kubernetes.io/mac_address': mac,
    ...(subnet === undefined ? {} : { 'ovn.kubernetes.io/logical_switch': subnet }),
  },
});
const stopped = (mac = MAC, subnet?: string) => makeVm({ ...withMac(mac, subnet), run: { runStrategy: 'Halted' } });
const started = (mac = MAC, subnet?: string) => makeVm({ ...withMac(mac, subnet), run: { runStrategy: 'Always' } });
const held = (at: string, over: Parameters<typeof makePort>[1] = {}) => makePort({ at }, { mac: MAC, ...over });
const RUNS = { ports: [held('default/web', ATTACHED)] };
const RESTS = { ports: [held('default/web')] };
const [DENIED, WARNED] = [['default! AddressInUse'], ['default? AddressInUse']];

describe('a MAC that another owner has in the L2 domain', () => {
  it.each<[string, object, State, string[]]>([
    ["is nobody's", started(), {}, []],
    ['is of a running VM, and this one is stopped', stopped(), RUNS, WARNED],
    ['is of a stopped VM, and this one is stopped', stopped(), RESTS, WARNED],
    ['is of a stopped VM, and this one starts', started(), RESTS, WARNED],
    ['is of a running VM, and this one starts', started(), RUNS, WARNED],
    [
      'is of a running VM, and this one starts by the old field',
      makeVm({ ...withMac(MAC), run: { running: true } }),
      RUNS,
      WARNED,
    ],
    [
      'is of a running VM, and this one is stopped by the old field',
      makeVm({ ...withMac(MAC), run: { running: false } }),
      RUNS,
      WARNED,
    ],
    [
      'is of a running VM, and this one starts by hand',
      makeVm({ ...withMac(MAC), run: { runStrategy: 'Manual' } }),
      RUNS,
      WARNED,
    ],
    [
      'is of a running VM, and this one runs once',
      makeVm({ ...withMac(MAC), run: { runStrategy: 'Once' } }),
      RUNS,
      WARNED,
    ],
    [
      'is of a running pod of this name',
      started(),
      { ports: [makePort({ at: 'default/db', kind: 'Pod' }, { mac: MAC, ...ATTACHED })] },
      DENIED,
    ],
    ['is of a stopped VM of another namespace, and this one starts', started(), { ports: [held('prod/web')] }, DENIED],
    [
      'is of a stopped VM of another namespace, and this one is stopped',
      stopped(),
      { ports: [held('prod/web')] },
      WARNED,
    ],
    [
      'is of a pod, and this one is stopped',
      stopped(),
      { ports: [makePort({ at: 'default/p', kind: 'Pod' }, { mac: MAC, ...ATTACHED })] },
      WARNED,
    ],
    ['is of a NIC of another plugin', started(), { ports: [held('default/web', { ipamOnly: true })] }, DENIED],
    [
      'is of a VM of another namespace that is being given back',
      started(),
      { ports: [held('prod/web', { gone: true })] },
      WARNED,
    ],
    [
      'is of a running VM that is being given back',
      started(),
      { ports: [held('default/web', { ...ATTACHED, gone: true })] },
      WARNED,
    ],
    [
      'is of one that rests and one that runs',
      started(),
      { ports: [held('default/a'), held('default/b', ATTACHED)] },
      WARNED,
    ],
    ['is its own', started(), { ports: [held('default/db', ATTACHED)] }, []],
    ['is of a subnet apart', started(), { ports: [held('default/web', { ...ATTACHED, subnet: 'net1' })] }, []],
    [
      'is of another subnet of the VLAN',
      started(MAC, 'vlan-a'),
      { ports: [held('default/web', { ...ATTACHED, subnet: 'vlan-b' })] },
      WARNED,
    ],
    ['is of a subnet outside the VLAN', started(MAC, 'vlan-a'), { ports: [held('default/web', ATTACHED)] }, []],
    ['is written in capitals', started(MAC.toUpperCase()), RUNS, WARNED],
  ])('%s', (_cause, object, state, expected) => {
    expect(ask(object, state)).toEqual(expected);
  });

  it("is a router's", () => {
    expect(ask(stopped(deriveRouterMac('default', 'default')))).toEqual(DENIED);
  });

  it("is the router's of another subnet, which is no neighbour", () => {
    expect(ask(stopped(deriveRouterMac('default', 'attachnet')))).toEqual([]);
  });

  it('is one that a subnet without a name for its VPC gives its router', () => {
    const subnets = [makeSubnet('default', { vpc: 'default' })];
    expect(ask(stopped(deriveRouterMac('default', 'default')), { subnets })).toEqual(DENIED);
  });

  it('names no VM of another namespace', () => {
    expect(tell(started(), { ports: [held('prod/secret-vm', ATTACHED)] })).toBe(
      `MAC ${MAC} in the network of subnet default is held in another namespace, whose own it stays`,
    );
  });
});

describe('a MAC that nobody may have', () => {
  it.each([
    ['malformed', '02:00:00:00:00'],
    ['of words', 'nonsense'],
    ["KubeVirt's own", '02:00:00:00:00:00'],
    ['multicast', '01:00:5e:00:00:01'],
    ['broadcast', 'ff:ff:ff:ff:ff:ff'],
    ['zero', '00:00:00:00:00:00'],
  ])('is refused: %s', (_cause, mac) => {
    expect(ask(stopped(mac))).toEqual(['default! InvalidRequest']);
  });

  it('is refused in the spec, too', () => {
    const spec = vmWith({ default: 'pod' }, { bridge: {}, macAddress: '01:00:5e:00:00:01' });
    expect(ask(makeVm({ spec }))).toEqual(['default! InvalidRequest']);
  });
});

describe('a VMI', () => {
  const VMI: Partial<Admission> = { kind: 'VirtualMachineInstance' };
  const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', uid: 'uid-db', controller: true };
  const ofVm = (over: object = {}) =>
    makeVmi({ ...withMac(MAC), metadata: { ownerReferences: [{ ...owner, ...over }] } });
  const vm = { ...stopped(), metadata: { name: 'db', namespace: 'default', uid: 'uid-db' } };
  const wrong = { ...withMac(MAC).annotations, 'ovn.kubernetes.io/ip_address': '10.0.0.254' };
  const vmWrong = { ...makeVm({ ...withMac(MAC), annotations: wrong }), metadata: vm.metadata };

  it.each<[string, object, State, string[]]>([
    ['without a VM starts at once', makeVmi(withMac(MAC)), RUNS, DENIED],
    ['without a VM beside a stopped one', makeVmi(withMac(MAC)), RESTS, WARNED],
    ['of a VM starts now', ofVm(), { ...RUNS, vms: [vm] }, DENIED],
    ["of a VM beside the VM's own port", ofVm(), { ports: [held('default/db', ATTACHED)], vms: [vm] }, []],
    ['of a VM whose other mistakes were told before', ofVm(), { vms: [vmWrong] }, ['default? AddressReserved']],
    ['with the mistakes of no VM', makeVmi({ ...withMac(MAC), annotations: wrong }), {}, ['default! AddressReserved']],
    [
      'that forges the UID of a VM',
      { ...ofVm({ uid: 'x' }), metadata: { ...ofVm({ uid: 'x' }).metadata, annotations: wrong } },
      { vms: [vmWrong] },
      ['default! AddressReserved'],
    ],
    [
      'that forges a VM of another name',
      makeVmi({ ...withMac(MAC), annotations: wrong, metadata: { ownerReferences: [{ ...owner, name: 'other' }] } }),
      { vms: [vm] },
      ['default! AddressReserved'],
    ],
    [
      'that forges an owner of another group',
      { ...makeVmi({ ...withMac(MAC), annotations: wrong }), ownerReferences: [{ ...owner, apiVersion: 'x/v1' }] },
      { vms: [vm] },
      ['default! AddressReserved'],
    ],
  ])('%s', (_cause, object, state, expected) => {
    expect(ask(object, state, VMI)).toEqual(expected);
  });
});
