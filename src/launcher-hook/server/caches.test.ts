import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KubeObject, noMetrics } from '../../kube/index.ts';
import { eventually } from '../../kube/testing/eventually.ts';
import { createHarness, type Harness } from '../../kube/testing/harness.ts';
import { type Caches, createCaches } from './caches.ts';

const PORTS = 'mooring.dev/v1alpha1/logicalports';
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

describe('kinds of other installations', () => {
  it.each([404, 403])('that answer %d are empty, and do not keep the webhook from its work', async (status) => {
    harness.server.fault = ({ collection }) =>
      /kubevirt\.io|k8s\.cni/.test(collection) ? { status, message: 'no' } : undefined;
    await ready();
    expect(caches.records.findVm('team', 'web')).toBeUndefined();
    expect(caches.records.findKubevirt()).toBeUndefined();
    expect(caches.records.findNad('team', 'net')).toBeUndefined();
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
