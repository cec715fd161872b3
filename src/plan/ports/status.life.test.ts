import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { UNATTACHED } from './logical-port.ts';
import { derivePortStatus, explainRivals, type PortFacts } from './status.ts';

const settled: MigrationState = {
  phase: 'settled',
  node: 'n1',
  requestedChassis: ['n1'],
  holds: [],
  unsupported: false,
};
const makePort = (over: Partial<LogicalPort['spec']> = {}): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'db.default.vm', namespace: 'a' },
  spec: {
    owner: { kind: 'VirtualMachine', name: 'db', uid: 'v' },
    nic: 'default',
    subnet: 'net',
    ips: ['10.0.0.5'],
    mac: '0a:00:00:00:00:05',
    ...over,
  },
});
const derive = (over: Partial<PortFacts>, port = makePort()) => {
  const facts: PortFacts = { state: UNATTACHED, programming: { ok: true }, rivals: [], ...over };
  return derivePortStatus(port, facts, { now: '2026-01-01T00:00:00Z', generation: 1 });
};
const find = (status: ReturnType<typeof derive>, type: string) => status.conditions?.find((one) => one.type === type);
const show = (over: Partial<PortFacts>, port?: LogicalPort): string => {
  const status = derive(over, port);
  const conditions = ['Allocated', 'Programmed', 'Bound'].map((type) => {
    const { status: is, reason } = find(status, type) ?? {};
    return `${is}/${reason}`;
  });
  return [status.phase, status.node ?? '-', ...conditions].join(' ');
};
const none = makePort({ ips: [], mac: '' });
const because = (reason: 'SubnetFull' | 'AddressInUse' | 'RequestDisagreement' | 'IPAMClaimNotFound') => ({
  problem: { reason, message: 'why' },
});

describe('derivePortStatus over the life of an address', () => {
  it.each<[string, Partial<PortFacts>, LogicalPort, string]>([
    ['no address left', because('SubnetFull'), none, 'Pending - False/SubnetFull False/SubnetFull False/NotAttached'],
    ['in use', because('AddressInUse'), none, 'Conflict - False/AddressInUse False/AddressInUse False/NotAttached'],
    [
      'two sources disagree',
      because('RequestDisagreement'),
      none,
      'Conflict - False/RequestDisagreement False/RequestDisagreement False/NotAttached',
    ],
    [
      'a claim that is missing',
      because('IPAMClaimNotFound'),
      none,
      'Pending - False/IPAMClaimNotFound False/IPAMClaimNotFound False/NotAttached',
    ],
    [
      'a change that waits, running',
      { state: settled, boundTo: 'n1', pending: 'ips 10.0.0.9' },
      makePort(),
      'Bound n1 True/ChangePending True/Programmed True/Bound',
    ],
    [
      'outside of its subnet, running (F34)',
      { state: settled, boundTo: 'n1', outside: '10.0.0.0/30' },
      makePort(),
      'Conflict n1 False/AddressOutsideSubnet True/Programmed True/Bound',
    ],
    ['retained', { role: 'retained' }, makePort(), 'Released - True/Retained False/Retained False/NotAttached'],
    ['claimed', { role: 'claimed' }, makePort(), 'Released - True/Retained False/Retained False/NotAttached'],
    ['out of a backup', { role: 'restored' }, makePort(), 'Ready - True/Restored True/Programmed False/NotAttached'],
    [
      "another plugin's NIC, held",
      { state: settled },
      makePort({ ipamOnly: true }),
      'Bound n1 True/Allocated True/Programmed True/Bound',
    ],
    [
      "another plugin's NIC, not held",
      {},
      makePort({ ipamOnly: true }),
      'Ready - True/Allocated True/Programmed False/NotAttached',
    ],
    [
      'the Southbound database away',
      { state: settled, boundTo: 'n1', bindingUnknown: true },
      makePort(),
      'Bound n1 True/Allocated True/Programmed Unknown/OVNUnavailable',
    ],
  ])('%s', (_cause, over, port, expected) => {
    expect(show(over, port)).toBe(expected);
  });

  it.each<[string, Partial<PortFacts>, LogicalPort, RegExp]>([
    ['retained', { role: 'retained' }, makePort(), /mooring\.dev\/adopt.*delete LogicalPort a\/db\.default\.vm/],
    ['claimed', { role: 'claimed' }, makePort({ ipamClaim: 'c1' }), /IPAMClaim c1 exists/],
    ['restored', { role: 'restored' }, makePort(), /VirtualMachine db; .*mooring\.dev\/cluster-uid/],
    ['outside', { outside: '10.0.0.0/30' }, makePort(), /10\.0\.0\.5 is not in 10\.0\.0\.0\/30 of subnet net.*widen/],
    ['pending', { pending: 'ips 10.0.0.9 is asked for' }, makePort(), /keeps 10\.0\.0\.5; ips 10\.0\.0\.9/],
  ])('%s: says what, why, and the way out', (_cause, over, port, expected) => {
    expect(find(derive(over, port), 'Allocated')?.message).toMatch(expected);
  });
});

describe('explainRivals', () => {
  it.each([
    ['a/other.default.vm', 'LogicalPort a/other.default.vm'],
    ['secret/name.default.vm', 'a LogicalPort of another namespace'],
    ['router', "the subnet's router"],
    ['ovn:theirs/1', 'a switch port of another system'],
  ])('%s is told as %s', (rival, expected) => {
    const text = explainRivals(makePort(), [rival]);
    expect(text).toContain(`held by ${expected}, which is older`);
    expect(text.includes('secret')).toBe(false);
  });
});
