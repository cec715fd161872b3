import { describe, expect, it } from 'vitest';
import { makeRequestContext, type RequestSources } from './context.ts';
import { listGuestSources, planVmRequests } from './requests.ts';
import { makePool, makeSubnet, makeVpc, show, vmWith } from './testing/requests.ts';

const GONE = '2026-02-01T00:00:00Z';
const leave = <T extends { metadata: object }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: GONE },
});

const makeSources = (over: Partial<RequestSources> = {}): RequestSources => ({
  subnets: [makeSubnet('default'), makeSubnet('net1', { vpc: 'v' })],
  defaultSubnet: 'default',
  defaultVpc: 'default',
  primary: true,
  findVpc: (name) => (name === 'v' ? makeVpc('v') : undefined),
  findPool: (name) => (name === 'web' ? makePool('web') : undefined),
  findNamespace: () => undefined,
  findNad: () => undefined,
  ...over,
});

const plan = (over: Partial<RequestSources>, annotations: Record<string, string>) =>
  show(
    planVmRequests(
      vmWith({ default: 'pod' }),
      [{ from: 'the VM', annotations }],
      makeRequestContext(makeSources(over), 'ns1'),
    ),
  );

const NET1 = { 'ovn.kubernetes.io/logical_switch': 'net1' };
const WEB = { 'ovn.kubernetes.io/ip_pool': 'web' };

describe('what requests are judged against', () => {
  it.each<[string, Partial<RequestSources>, Record<string, string>, string]>([
    ['a subnet that is there', {}, NET1, 'default=eth0 net1 bridge'],
    [
      'a subnet that is being deleted',
      { subnets: [makeSubnet('default'), leave(makeSubnet('net1'))] },
      NET1,
      'default! SubnetNotFound',
    ],
    ['a VPC that is being deleted', { findVpc: () => leave(makeVpc('v')) }, NET1, 'default! VpcNotFound'],
    ['a pool that is there', {}, WEB, 'default=eth0 default bridge'],
    ['a pool that is being deleted', { findPool: () => leave(makePool('web')) }, WEB, 'default! PoolNotFound'],
  ])('takes account of %s', (_cause, over, annotations, expected) => {
    expect(plan(over, annotations)).toEqual([expected]);
  });

  it('a namespace that is not known yet has its name and no labels', () => {
    expect(makeRequestContext(makeSources(), 'ns1').grants.namespace).toEqual({ metadata: { name: 'ns1' } });
  });

  it('a namespace that is known has its labels', () => {
    const metadata = { name: 'ns1', labels: { team: 'blue' } };
    const context = makeRequestContext(makeSources({ findNamespace: () => ({ metadata }) }), 'ns1');
    expect(context.grants.namespace).toEqual({ metadata });
  });
});

describe('whose annotations speak for a guest', () => {
  const annotations = { a: 'b' };

  it("those of its VM and the VM's template, and nothing of a VMI that is made of them", () => {
    const vm = { metadata: { name: 'db', annotations }, spec: { template: { metadata: { annotations: { c: 'd' } } } } };
    expect(listGuestSources(vm, { metadata: { name: 'db', annotations: { e: 'f' } } })).toEqual([
      { from: 'the VM', annotations },
      { from: "the VM's template", annotations: { c: 'd' } },
    ]);
  });

  it('those of a VMI that has no VM', () => {
    expect(listGuestSources(undefined, { metadata: { name: 'db', annotations } })).toEqual([
      { from: 'the VMI', annotations },
    ]);
  });
});
