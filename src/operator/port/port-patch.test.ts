import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import { deriveMergePatch } from '../../kube/diff.ts';
import {
  type Carrier,
  makeLogicalPort,
  type PortChange,
  planDoubtful,
  planPortChange,
  UNATTACHED,
} from '../../plan/ports/logical-port.ts';
import type { NicRequest } from '../../plan/requests/types.ts';

const owner = { kind: 'VirtualMachine' as const, name: 'db', uid: 'v1' };
const lease = { ips: ['10.0.0.5'], mac: '0a:00:00:00:00:05' };
const request = (over: Partial<NicRequest> = {}): NicRequest => ({
  nic: 'default',
  interface: 'eth0',
  subnet: 'net',
  absent: false,
  ...over,
});
const attachment = { podName: 'l', podUID: 'l', node: 'n1', interface: 'eth0', role: 'Source' as const };
const make = (over: Partial<NicRequest> = {}): LogicalPort =>
  makeLogicalPort({ namespace: 'a', owner, request: request(over), lease, attachments: [attachment], clusterUid: 'c' });

/** What would be sent for an existing port; undefined for nothing. */
const patch = (port: LogicalPort, change: Partial<PortChange>) => {
  const desired = planPortChange(port, { owner, attachments: [attachment], ...change });
  return deriveMergePatch(port, { metadata: desired.metadata, spec: desired.spec });
};

describe('makeLogicalPort', () => {
  it('records everything that was asked for, and where it was made', () => {
    const port = make({
      binding: 'bridge',
      releasePolicy: 'OnStop',
      securityGroups: ['web'],
      routes: [{ dst: '10.1.0.0/16', gw: '10.0.0.1' }],
      ipamOnly: true,
      ipamClaim: 'c1',
    });
    expect(port.metadata).toMatchObject({
      annotations: { 'mooring.dev/cluster-uid': 'c' },
      finalizers: ['mooring.dev/release'],
      ownerReferences: [{ uid: 'v1', blockOwnerDeletion: false }],
    });
    expect(port.spec).toMatchObject({
      subnet: 'net',
      ...lease,
      binding: 'bridge',
      releasePolicy: 'OnStop',
      securityGroups: ['web'],
      routes: [{ dst: '10.1.0.0/16', gw: '10.0.0.1' }],
      ipamOnly: true,
      ipamClaim: 'c1',
    });
  });

  it('says nothing of what was not asked for', () => {
    expect(Object.keys(make().spec).sort()).toEqual(['attachments', 'ips', 'mac', 'nic', 'owner', 'subnet']);
  });

  it('has no owner for the garbage collector when it is to be retained', () => {
    expect(make({ releasePolicy: 'Retain' }).metadata.ownerReferences).toEqual([]);
  });

  it('without an address tells the node of its pod all the same', () => {
    const port = makeLogicalPort({ namespace: 'a', owner, request: { nic: 'default' }, attachments: [attachment] });
    expect(port.spec).toMatchObject({ subnet: '', ips: [], mac: '', attachments: [attachment] });
  });
});

describe('planDoubtful', () => {
  const held = { launcher: { uid: 'l', name: 'l', vmiUid: '', node: 'n1', deleting: false, final: false } };
  const state = { ...UNATTACHED, holds: [{ ...held, role: 'Source' as const }] };
  it.each<[string, Carrier | undefined, number]>([
    ['an interface', { interface: 'net1' }, 1],
    ['one that the kernel would refuse', { interface: 'x'.repeat(16) }, 0],
    ['one without a name', { interface: '' }, 0],
    ['none', undefined, 0],
  ])('%s', (_cause, carrier, expected) => {
    expect(planDoubtful(state, carrier)).toHaveLength(expected);
  });
});

describe('planPortChange', () => {
  it.each<[string, Partial<NicRequest>, Partial<PortChange>]>([
    ['the same again', { securityGroups: ['a'] }, { request: request({ securityGroups: ['a'] }), clusterUid: 'c' }],
    ['a request that says nothing of the binding', { binding: 'bridge' }, { request: request() }],
    ['a request that cannot be understood', { securityGroups: ['a'], ipamClaim: 'c1' }, {}],
  ])('%s: nothing is written', (_cause, made, change) => {
    expect(patch(make(made), change)).toBeUndefined();
  });

  it('terms follow the request, their absence too', () => {
    const port = make({ securityGroups: ['a'], routes: [{ dst: '0.0.0.0/0' }], ipamClaim: 'c1' });
    expect(patch(port, { request: request({ securityGroups: ['b'] }) })).toEqual({
      spec: { securityGroups: ['b'], routes: null, ipamClaim: null },
    });
  });

  it('a new address brings its subnet and its pool, and takes the old pool away', () => {
    const next = { ips: ['10.9.0.5'], mac: lease.mac, pool: 'p' };
    const moved = patch(make(), { request: request({ subnet: 'other' }), lease: next });
    expect(moved).toEqual({ spec: { subnet: 'other', ips: ['10.9.0.5'], pool: 'p' } });
    const port = { ...make(), spec: { ...make().spec, pool: 'p' } };
    expect(patch(port, { request: request(), lease: { ...lease, ips: ['10.0.0.6'] } })).toEqual({
      spec: { ips: ['10.0.0.6'], pool: null },
    });
  });

  it('a policy that turns to Retain takes it from the garbage collector, and back again does not give it back', () => {
    const turned = patch(make({ releasePolicy: 'WithOwner' }), { request: request({ releasePolicy: 'Retain' }) });
    expect(turned).toMatchObject({ metadata: { ownerReferences: [] }, spec: { releasePolicy: 'Retain' } });
    const back = patch(make({ releasePolicy: 'Retain' }), { request: request({ releasePolicy: 'WithOwner' }) });
    expect(back).toEqual({ spec: { releasePolicy: 'WithOwner' } });
  });

  it('an adoption writes owner, reference, label and home', () => {
    const adopted = patch(make(), { owner: { ...owner, uid: 'v2' }, request: request(), clusterUid: 'here' });
    expect(adopted).toMatchObject({
      metadata: {
        labels: { 'mooring.dev/owner-uid': 'v2' },
        annotations: { 'mooring.dev/cluster-uid': 'here' },
        ownerReferences: [{ uid: 'v2' }],
      },
      spec: { owner: { uid: 'v2' } },
    });
  });

  it('its own UID is told with a new holder, and never by itself', () => {
    const port = make();
    const stored = { ...port, metadata: { ...port.metadata, uid: 'own' } };
    expect(patch(stored, {})).toBeUndefined();
    const next = { ...attachment, podUID: 'l2' };
    expect(patch(stored, { attachments: [next] })).toEqual({
      metadata: { annotations: { 'mooring.dev/port-uid': 'own' } },
      spec: { attachments: [next] },
    });
  });

  it('a port that a backup tool left without our finalizer gets it, and its dangling owner goes', () => {
    const port = make();
    const { finalizers: _, ...metadata } = port.metadata;
    expect(patch({ ...port, metadata }, { ownerless: true })).toEqual({
      metadata: { finalizers: ['mooring.dev/release'], ownerReferences: [] },
    });
  });

  it('one that is being deleted gets no finalizer: the API server would refuse it', () => {
    const port = make();
    const metadata = { ...port.metadata, finalizers: ['other'], deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(patch({ ...port, metadata }, {})).toBeUndefined();
  });
});
