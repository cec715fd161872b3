import { describe, expect, it } from 'vitest';
import { makePool, makeSubnet, vmWith } from '../../plan/requests/testing/requests.ts';
import { ask, makePort, makeVm, type State, tell } from './testing/cluster.ts';

const POD = vmWith({ default: 'pod' });
const asking = (ip: string, more: Record<string, string> = {}) =>
  makeVm({ spec: POD, annotations: { 'ovn.kubernetes.io/ip_address': ip, ...more } });
const held = (at: string, over: Parameters<typeof makePort>[1] = {}) =>
  makePort({ at }, { ips: ['10.0.0.7'], ...over });
const TAKEN = ['default! AddressInUse'];
const vm = (name: string, metadata: object) => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
});
const GONE = { deletionTimestamp: '2026-02-01T00:00:00Z' };

describe('an address that is asked for', () => {
  it.each<[string, string, State, string[]]>([
    ['is free', '10.0.0.7', {}, []],
    ["is a live VM's", '10.0.0.7', { ports: [held('default/web')] }, TAKEN],
    ["is a stopped VM's", '10.0.0.7', { ports: [held('default/web', { attachments: [] })] }, TAKEN],
    [
      "is a pod's",
      '10.0.0.7',
      { ports: [makePort({ at: 'default/db', kind: 'Pod', nic: 'eth0' }, { ips: ['10.0.0.7'] })] },
      TAKEN,
    ],
    ["is another namespace's VM of the same name", '10.0.0.7', { ports: [held('prod/db')] }, TAKEN],
    ['is retained for a VM of another name', '10.0.0.7', { ports: [held('default/web', { released: true })] }, TAKEN],
    ['is its own', '10.0.0.7', { ports: [held('default/db')] }, []],
    [
      'is its own by another NIC',
      '10.0.0.7',
      { ports: [makePort({ at: 'default/db', nic: 'old' }, { ips: ['10.0.0.7'] })] },
      [],
    ],
    [
      'is of the VMI of its name',
      '10.0.0.7',
      { ports: [makePort({ at: 'default/db', kind: 'VirtualMachineInstance' }, { ips: ['10.0.0.7'] })] },
      [],
    ],
    ['came back from a backup before its VM', '10.0.0.7', { ports: [held('default/db', { attachments: [] })] }, []],
    ['is held in another subnet only', '10.0.0.7', { ports: [held('default/web', { subnet: 'guarded' })] }, []],
    ['is being given back', '10.0.0.7', { ports: [held('default/web', { gone: true })] }, ['default? AddressInUse']],
    [
      'is of a VM that is being deleted',
      '10.0.0.7',
      { ports: [held('default/web')], vms: [vm('web', GONE)] },
      ['default? AddressInUse'],
    ],
    [
      'is of a later VM than the one that is being deleted',
      '10.0.0.7',
      { ports: [held('default/web')], vms: [vm('web', { ...GONE, uid: 'other' })] },
      TAKEN,
    ],
    ['is of a VM that lives', '10.0.0.7', { ports: [held('default/web')], vms: [vm('web', {})] }, TAKEN],
    [
      'is handed on by a claim',
      '10.0.0.7',
      { ports: [held('default/web', { released: true, ipamClaim: 'c' })] },
      ['default? AddressInUse'],
    ],
    [
      'is of one that leaves and one that stays',
      '10.0.0.7',
      { ports: [held('default/a', { gone: true }), held('default/b')] },
      TAKEN,
    ],
    ['is outside the subnet', '10.0.1.7', {}, ['default! AddressOutsideSubnet']],
    ['is of a family that the subnet lacks', 'fd00::7', {}, ['default! AddressOutsideSubnet']],
    ['is the gateway', '10.0.0.254', {}, ['default! AddressReserved']],
    ['is the network address', '10.0.0.0', {}, ['default! AddressReserved']],
    ['is the broadcast address', '10.0.0.255', {}, ['default! AddressReserved']],
    ['is excluded', '10.0.0.10', {}, ['default! AddressReserved']],
    ['is the last excluded one', '10.0.0.19', {}, ['default! AddressReserved']],
    ['is the first that is not excluded', '10.0.0.20', {}, []],
    ["is a node's own", '10.0.0.99', { nodes: ['192.0.2.1', '10.0.0.99'] }, ['default! AddressReserved']],
    ["is next to a node's own", '10.0.0.98', { nodes: ['10.0.0.99'] }, []],
    ["is an IPPool's that is not named", '10.0.0.33', {}, ['default! PoolNotAllowed']],
    ['is no address', '10.0.0.300', {}, ['default! InvalidRequest']],
    ['has a second one of its family', '10.0.0.7,10.0.0.8', {}, ['default! InvalidRequest']],
  ])('%s', (_cause, ip, state, expected) => {
    expect(ask(asking(ip), state)).toEqual(expected);
  });

  it('names its holder to the same namespace', () => {
    expect(tell(asking('10.0.0.7'), { ports: [held('default/web')] })).toBe(
      '10.0.0.7 in subnet default is held by VirtualMachine web (LogicalPort web.default.vm)',
    );
  });

  it('names no holder of another namespace', () => {
    const text = tell(asking('10.0.0.7'), { ports: [held('prod/secret-vm')] });
    expect(text).toBe('10.0.0.7 in subnet default is held in another namespace');
  });

  it.each([
    ['10.0.0.254', '10.0.0.254 is the gateway, in subnet default'],
    ['10.0.0.0', '10.0.0.0 is the network address, in subnet default'],
    ['10.0.0.255', '10.0.0.255 is the broadcast address, in subnet default'],
    ['10.0.0.12', '10.0.0.12 is excluded by excludeIps 10.0.0.10..10.0.0.19, in subnet default'],
    ['10.0.0.99', '10.0.0.99 is the address of a node, in subnet default'],
  ])('says why nobody gets %s', (ip, message) => {
    expect(tell(asking(ip), { nodes: ['10.0.0.99'] })).toBe(message);
  });
});

describe('a pool that is asked for', () => {
  const pooled = (pool: string, more: Record<string, string> = {}) =>
    makeVm({ spec: POD, annotations: { 'ovn.kubernetes.io/ip_pool': pool, ...more } });
  const longList = (count: number) =>
    Array.from({ length: count }, (_, index) => `10.2.${index >> 8}.${index & 255}`).join();
  const web = (over: object) => makePool('web', { ips: ['10.0.0.32/28'], ...over });
  const full = { ...web({}), status: { v4availableIPs: 0 } };

  it.each<[string, ReturnType<typeof makeVm>, State, string[]]>([
    ['is there', pooled('web'), {}, []],
    ['is there with an address of it', pooled('web', { 'ovn.kubernetes.io/ip_address': '10.0.0.33' }), {}, []],
    [
      'is there without the address that is asked for',
      pooled('web', { 'ovn.kubernetes.io/ip_address': '10.0.0.7' }),
      {},
      ['default! PoolNotAllowed'],
    ],
    ['is not there', pooled('none'), {}, ['default! PoolNotFound']],
    ["is another namespace's", pooled('web'), { pools: [web({ namespaces: ['prod'] })] }, ['default! PoolNotAllowed']],
    ['is of another subnet', pooled('web'), { pools: [web({ subnet: 'net1' })] }, ['default! PoolNotAllowed']],
    [
      "cannot be used, which is not its user's fault",
      pooled('web'),
      { pools: [web({ ips: ['x'] })] },
      ['default? InvalidPool'],
    ],
    ['is full', pooled('web'), { pools: [full] }, ['default? PoolFull']],
    ['is full, and the NIC has its address', pooled('web'), { pools: [full], ports: [held('default/db')] }, []],
    ['is a list with a free address', pooled('10.0.0.7,10.0.0.8'), { ports: [held('default/web')] }, []],
    ['is a list of which none is free', pooled('10.0.0.7'), { ports: [held('default/web')] }, ['default? PoolFull']],
    ['is a list outside the subnet', pooled('10.2.0.7,10.2.0.8'), {}, ['default! AddressOutsideSubnet']],
    ['is a list that is left to the operator, as it is long', pooled(longList(300)), {}, []],
    ['is a list that is just short enough', pooled(longList(256)), {}, ['default! AddressOutsideSubnet']],
    ['is a list of which it has one', pooled('10.0.0.7'), { ports: [held('default/db')] }, []],
  ])('%s', (_cause, object, state, expected) => {
    expect(ask(object, state)).toEqual(expected);
  });
});

describe('a subnet', () => {
  const on = (subnet: string) => makeVm({ spec: POD, annotations: { 'ovn.kubernetes.io/logical_switch': subnet } });
  const status = (over: object, conditions: { status: 'True' | 'False'; reason: string }[] = []) => ({
    ...makeSubnet('default'),
    status: {
      ...over,
      conditions: conditions.map((item) => ({ type: 'Ready', lastTransitionTime: '', message: 'm', ...item })),
    },
  });

  it.each<[string, ReturnType<typeof makeVm>, State, string[]]>([
    ['that is there', on('default'), {}, []],
    ['that is not there', on('none'), {}, ['default! SubnetNotFound']],
    ['that is of other namespaces', on('net1'), {}, ['default! SubnetNotAllowed']],
    [
      'that may be of a namespace which is not known yet',
      on('net1'),
      { namespaces: [] },
      ['default? SubnetNotAllowed'],
    ],
    ['whose VPC is of other namespaces', on('guarded'), {}, ['default! VpcNotAllowed']],
    ["whose VPC is not there, which is its administrator's to mend", on('lost'), {}, ['default? VpcNotFound']],
    ['that has no usable range', on('broken'), {}, ['default? SubnetNotReady']],
    [
      'that overlaps an older one',
      on('default'),
      { subnets: [status({}, [{ status: 'False', reason: 'CIDROverlap' }])] },
      ['default? SubnetNotReady'],
    ],
    [
      'that has no gateway node now',
      on('default'),
      { subnets: [status({}, [{ status: 'False', reason: 'GatewayNodeUnavailable' }])] },
      [],
    ],
    ["that is the cluster's own and not made yet", makeVm({ spec: POD }), { subnets: [] }, ['default? SubnetNotFound']],
    ['that is full', on('default'), { subnets: [status({ v4availableIPs: 0 })] }, ['default? SubnetFull']],
    [
      'that is full, for an address that is free all the same',
      asking('10.0.0.7'),
      { subnets: [status({ v4availableIPs: 0 })] },
      [],
    ],
    [
      'that is full, for a NIC that has its address',
      on('default'),
      { subnets: [status({ v4availableIPs: 0 })], ports: [held('default/db')] },
      [],
    ],
    [
      'that is full, for a NIC that waits for one',
      on('default'),
      { subnets: [status({ v4availableIPs: 0 })], ports: [held('default/db', { ips: [] })] },
      ['default? SubnetFull'],
    ],
    ['that has one address left', on('default'), { subnets: [status({ v4availableIPs: 1 })] }, []],
  ])('%s', (_cause, object, state, expected) => {
    expect(ask(object, state)).toEqual(expected);
  });
});
