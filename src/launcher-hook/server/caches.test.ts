import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KubeObject, noMetrics } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { createHarness, type Harness } from '../../kube/testing/harness.ts';
import { type Records, UnknownKind } from '../records.ts';
import { type Caches, createCaches } from './caches.ts';

const PORTS = 'mooring.dev/v1alpha1/logicalports';
const NADS = 'k8s.cni.cncf.io/v1/network-attachment-definitions';
let harness: Harness;
let caches: Caches;
beforeEach(async () => {
  harness = await createHarness();
  const { transport, clock, log } = harness;
  caches = createCaches({ transport, clock, log, random: () => 0.5, metrics: noMetrics });
});
afterEach(async () => {
  await caches.stop();
  await harness[Symbol.asyncDispose]();
});

const ready = () => {
  caches.start();
  return caches.whenReady(AbortSignal.timeout(30_000));
};
const addPort = (name: string, spec: object) =>
  harness.server.storage.create(PORTS, { metadata: { name, namespace: 'team' }, spec } as KubeObject);
const names = (ports: readonly { metadata: { name: string } }[]) => ports.map(({ metadata }) => metadata.name);

describe('ports', () => {
  it('are found by address and MAC within their subnet, however these are written', async () => {
    addPort('a', { subnet: 'blue', ips: ['10.0.0.5', 'fd00::5'], mac: '0A:00:00:00:00:05' });
    addPort('b', { subnet: 'red', ips: ['10.0.0.5'], mac: '0a:00:00:00:00:05' });
    await ready();
    const { records } = caches;
    expect(names(records.findPortsByIp('blue', '10.0.0.5'))).toEqual(['a']);
    expect(names(records.findPortsByIp('blue', 'FD00:0:0::0005'))).toEqual(['a']);
    expect(names(records.findPortsByMac('blue', '0a:00:00:00:00:05'))).toEqual(['a']);
    expect(names(records.findPortsByMac('red', '0A:00:00:00:00:05'))).toEqual(['b']);
    expect(names(records.listPorts())).toEqual(['a', 'b']);
  });

  it('of every namespace are known, also where the caller has one of its own', async () => {
    const { transport, clock, log } = harness;
    const ours = { namespace: 'mooring-system', port: 9478 };
    caches = createCaches({ transport, clock, log, random: () => 0.5, metrics: noMetrics, ...ours });
    addPort('a', { subnet: 'blue', ips: ['10.0.0.5'], mac: '0a:00:00:00:00:05' });
    await ready();
    expect(names(caches.records.listPorts())).toEqual(['a']);
  });

  it('without address or MAC are found by none', async () => {
    addPort('waiting', { subnet: 'blue', ips: [], mac: '' });
    await ready();
    expect(caches.records.findPortsByIp('blue', '')).toEqual([]);
    expect(caches.records.findPortsByMac('blue', '')).toEqual([]);
    expect(caches.records.findPort('team', 'waiting')).toBeDefined();
  });

  it('follow what happens', async () => {
    await ready();
    addPort('late', { subnet: 'blue', ips: ['10.0.0.9'], mac: '0a:00:00:00:00:09' });
    await eventually('the port', () => caches.records.findPortsByIp('blue', '10.0.0.9').length === 1);
    harness.server.storage.remove(PORTS, 'team/late');
    await eventually('its end', () => caches.records.findPortsByIp('blue', '10.0.0.9').length === 0);
  });
});

/** Each kind by its collection, with a look-up that needs it. */
const LOOKUPS: readonly [kind: string, collection: string, look: (records: Records) => unknown][] = [
  ['Namespace', 'v1/namespaces', (records) => records.findNamespace('team')],
  ['Node', 'v1/nodes', (records) => records.getNodeAddresses()],
  ['Vpc', 'mooring.dev/v1alpha1/vpcs', (records) => records.findVpc('main')],
  ['IPPool', 'mooring.dev/v1alpha1/ippools', (records) => records.listPools()],
  ['Subnet', 'mooring.dev/v1alpha1/subnets', (records) => [records.findSubnet('blue'), records.listSubnets()]],
  ['LogicalPort', PORTS, (records) => records.findPortsByIp('blue', '10.0.0.5')],
  ['NetworkAttachmentDefinition', NADS, (records) => records.findNad('team', 'net')],
  ['VirtualMachine', 'kubevirt.io/v1/virtualmachines', (records) => records.findVm('team', 'web')],
  ['VirtualMachineInstance', 'kubevirt.io/v1/virtualmachineinstances', (records) => records.findVmi('team', 'web')],
  ['KubeVirt', 'kubevirt.io/v1/kubevirts', (records) => records.findKubevirt()],
];

/** Lets the waits of watches that failed pass, until `isOver`; in steps that leave requests the time to be answered. */
async function passTime(what: string, isOver: () => boolean): Promise<void> {
  await eventually(what, () => {
    harness.clock.advance(250);
    return isOver();
  });
}

describe('a kind that the webhook may not read yet, as just after the first install', () => {
  it.each(LOOKUPS)('%s: is not empty but unknown, and keeps it from being ready', async (kind, collection, look) => {
    let denied = true;
    harness.server.fault = (request) =>
      denied && request.collection === collection ? { status: 403, message: 'no' } : undefined;
    let isReady = false;
    const waiting = ready().then(() => {
      isReady = true;
    });
    await eventually('all but it', () => caches.listUnknown().length === 1);
    expect(caches.listUnknown()).toEqual([kind]);
    expect(() => look(caches.records)).toThrow(new UnknownKind(kind));
    for (const [other, , lookElsewhere] of LOOKUPS) {
      if (other !== kind) expect(() => lookElsewhere(caches.records)).not.toThrow();
    }
    expect(isReady).toBe(false);
    denied = false;
    await passTime('the role', () => isReady);
    await waiting;
    expect(caches.listUnknown()).toEqual([]);
    expect(() => look(caches.records)).not.toThrow();
  });

  it.each([500, 429])('nor empty while the API server only answers %d', async (status) => {
    harness.server.fault = ({ collection }) => (collection === NADS ? { status, message: 'busy' } : undefined);
    const abort = new AbortController();
    caches.start();
    const waiting = expect(caches.whenReady(abort.signal)).rejects.toThrow('enough');
    await eventually('all others', () => caches.listUnknown().length === 1);
    expect(() => caches.records.findNad('team', 'net')).toThrow(UnknownKind);
    abort.abort(new Error('enough'));
    await waiting;
  });
});

describe('a kind that the webhook may not read any more, as its role was taken away', () => {
  it.each([
    ['Subnet', 'mooring.dev/v1alpha1/subnets'],
    ['NetworkAttachmentDefinition', NADS],
  ])('%s: keeps it from being ready, though what was read is still looked up', async (kind, collection) => {
    harness.server.storage.create(NADS, { metadata: { name: 'net', namespace: 'team' } } as KubeObject);
    await ready();
    await eventually('the watches', () => harness.server.watches.size === LOOKUPS.length);
    harness.server.fault = (request) =>
      request.collection === collection ? { status: 403, message: 'no' } : undefined;
    for (const watch of harness.server.watches) watch.reset();
    await passTime('the refusal', () => caches.listUnknown().includes(kind));
    expect(caches.records.findNad('team', 'net')).toBeDefined();
    expect(caches.records.listSubnets()).toEqual([]);
    harness.server.fault = undefined;
    await passTime('the role again', () => caches.listUnknown().length === 0);
  });
});

describe('kinds of other installations', () => {
  it('that are not installed are known to be empty, and do not keep the webhook from its work', async () => {
    harness.server.fault = ({ collection }) =>
      /kubevirt\.io|k8s\.cni/.test(collection) ? { status: 404, message: 'no' } : undefined;
    await ready();
    expect(caches.listUnknown()).toEqual([]);
    expect(caches.records.findVm('team', 'web')).toBeUndefined();
    expect(caches.records.findKubevirt()).toBeUndefined();
    expect(caches.records.findNad('team', 'net')).toBeUndefined();
  });

  it('that are installed, their role last, are unknown until they may be read', async () => {
    let status: number | undefined = 404;
    harness.server.fault = ({ collection }) =>
      collection === NADS && status !== undefined ? { status, message: 'no' } : undefined;
    await ready();
    harness.server.storage.create(NADS, { metadata: { name: 'net', namespace: 'team' } } as KubeObject);
    status = 403;
    await passTime('the refusal', () => caches.listUnknown().length === 1);
    expect(() => caches.records.findNad('team', 'net')).toThrow(UnknownKind);
    status = undefined;
    await passTime('the role', () => caches.listUnknown().length === 0);
    expect(caches.records.findNad('team', 'net')).toBeDefined();
  });

  it('are found by namespace and name', async () => {
    const make = (collection: string, name: string) =>
      harness.server.storage.create(collection, {
        metadata: { name, namespace: 'team', managedFields: [{}] },
      } as KubeObject);
    make('kubevirt.io/v1/virtualmachines', 'web');
    make('kubevirt.io/v1/virtualmachineinstances', 'web');
    make('k8s.cni.cncf.io/v1/network-attachment-definitions', 'net');
    for (const name of ['second', 'first']) make('kubevirt.io/v1/kubevirts', name);
    await ready();
    const { records } = caches;
    expect(records.findVm('team', 'web')?.metadata).not.toHaveProperty('managedFields');
    expect(records.findVm('other', 'web')).toBeUndefined();
    expect(records.findVmi('team', 'web')).toBeDefined();
    expect(records.findNad('team', 'net')).toBeDefined();
    expect(records.findKubevirt()?.metadata.name).toBe('first');
  });
});

describe('addresses of nodes', () => {
  const address = (ip: string) => ({
    addresses: [
      { type: 'InternalIP', address: ip },
      { type: 'Hostname', address: '10.9.9.9' },
    ],
  });
  it('are those of the interfaces, and follow what happens', async () => {
    const { storage } = harness.server;
    storage.create('v1/nodes', { metadata: { name: 'n1' }, status: address('192.0.2.1') } as KubeObject);
    await ready();
    const listNodes = () => caches.records.getNodeAddresses()[4].map(({ node, first }) => [node, first]);
    expect(listNodes()).toEqual([['n1', 0xc0000201n]]);
    storage.create('v1/nodes', { metadata: { name: 'n2' }, status: address('192.0.2.2') } as KubeObject);
    await eventually('the second node', () => listNodes().length === 2);
  });
});
