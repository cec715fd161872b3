import { describe, expect, it } from 'vitest';
import type { IPAMClaim } from '../../api/objects.ts';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { SubnetPlan } from '../networks/subnet.ts';
import { chooseSpeaker, deriveClaimStatus, isHandedOver } from './claim-status.ts';

const claim = (ips?: string[], over: Partial<IPAMClaim> = {}): IPAMClaim => ({
  metadata: { name: 'c', namespace: 'a' },
  ...(ips === undefined ? {} : { status: { ips } }),
  ...over,
});
const port = (over: Partial<LogicalPort['spec']> = {}): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'p.net1.pod', namespace: 'a' },
  spec: {
    owner: { kind: 'Pod', name: 'p', uid: 'u' },
    nic: 'net1',
    subnet: 'net',
    ips: ['10.0.0.5', 'fd00::5'],
    mac: '0a:00:00:00:00:05',
    attachments: [{ podName: 'p', podUID: 'u', node: 'n1', interface: 'net1', role: 'Source' }],
    ...over,
  },
});
const range = (family: 4 | 6, prefix: number) => ({ cidr: { family, prefix } });
const subnet = { ranges: [range(4, 24), range(6, 64)] } as unknown as SubnetPlan;
const NOW = '2026-01-01T00:00:00Z';

describe('deriveClaimStatus', () => {
  it('tells addresses with prefix, the pod, and that they are given', () => {
    expect(deriveClaimStatus(claim(), { port: port(), subnet, now: NOW })).toEqual({
      ips: ['10.0.0.5/24', 'fd00::5/64'],
      ownerPod: { name: 'p' },
      conditions: [
        {
          type: 'IPsAllocated',
          status: 'True',
          lastTransitionTime: NOW,
          reason: 'SuccessfulAllocation',
          message: 'LogicalPort p.net1.pod',
        },
      ],
    });
  });

  it('names no pod when none has them', () => {
    expect(deriveClaimStatus(claim(), { port: port({ attachments: [] }), subnet, now: NOW })).toMatchObject({
      ownerPod: null,
    });
  });

  it.each([
    ['SubnetFull', 'SubnetExhausted'],
    ['AddressInUse', 'IPAddressConflict'],
    ['SubnetNotFound', 'InternalError'],
  ] as const)('%s is %s there, and the addresses it had stay', (reason, expected) => {
    const problem = { reason, message: 'why' };
    const given = port({ ips: [], attachments: [] });
    expect(deriveClaimStatus(claim(['10.0.0.9/24']), { port: given, subnet, problem, now: NOW })).toMatchObject({
      ips: ['10.0.0.9/24'],
      conditions: [{ status: 'False', reason: expected, message: 'why' }],
    });
  });

  it('leaves conditions of others, and the time of one that did not turn', () => {
    const other = { type: 'Other', status: 'True', lastTransitionTime: 'then', reason: 'x', message: '' };
    const own = { type: 'IPsAllocated', status: 'True', lastTransitionTime: 'then', reason: 'x', message: '' };
    const before = claim(undefined, { status: { conditions: [own, other] } });
    expect(deriveClaimStatus(before, { port: port(), subnet, now: NOW })).toMatchObject({
      conditions: [other, { type: 'IPsAllocated', lastTransitionTime: 'then', reason: 'SuccessfulAllocation' }],
    });
  });

  it('without a subnet each address is a network of its own', () => {
    expect(deriveClaimStatus(claim(), { port: port(), subnet: undefined, now: NOW })).toMatchObject({
      ips: ['10.0.0.5/32', 'fd00::5/128'],
    });
  });
});

describe('the ports of one claim', () => {
  const port = (name: string, over: { ips?: string[]; phase?: string; held?: boolean } = {}) =>
    ({
      metadata: { name, namespace: 'a', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { ipamClaim: 'c', ips: over.ips ?? [], attachments: over.held === true ? [{ podName: 'p' }] : [] },
      status: { phase: over.phase },
    }) as unknown as LogicalPort;
  const ips = ['10.0.0.5'];

  it.each([
    ['the one with the address', [port('a'), port('b', { ips })], 'b'],
    ['the one that has it in use', [port('a', { ips, phase: 'Released' }), port('b', { ips, phase: 'Bound' })], 'b'],
    ['the kept one while others wait', [port('a'), port('b', { ips, phase: 'Released' })], 'b'],
    ['the first of several who wait', [port('b'), port('a')], 'a'],
  ])('%s tells the claim, in whatever order they come', (_cause, ports, expected) => {
    expect(chooseSpeaker(ports)?.metadata.name).toBe(expected);
    expect(chooseSpeaker(ports.toReversed())?.metadata.name).toBe(expected);
  });

  it('hand over what nobody uses, and not what somebody has taken up again', () => {
    expect(isHandedOver(port('a', { ips, phase: 'Released' }))).toBe(true);
    expect(isHandedOver(port('a', { ips, phase: 'Released', held: true }))).toBe(false);
    expect(isHandedOver(port('a', { ips, phase: 'Ready' }))).toBe(false);
  });
});
