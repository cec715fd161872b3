import { describe, expect, it } from 'vitest';
import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { UNATTACHED } from './logical-port.ts';
import { derivePortStatus, type PortFacts } from './status.ts';
import { deriveDelay } from './status-delay.ts';

const settled: MigrationState = {
  phase: 'settled',
  node: 'n1',
  requestedChassis: ['n1'],
  holds: [],
  unsupported: false,
};
const prepared: MigrationState = { ...settled, phase: 'prepared', uid: 'm', source: 'n1', target: 'n2' };

const makePort = (status?: LogicalPortStatus, ips = ['10.0.0.5']): LogicalPort => ({
  apiVersion: 'mooring.dev/v1alpha1',
  kind: 'LogicalPort',
  metadata: { name: 'x', namespace: 'a' },
  spec: { owner: { kind: 'Pod', name: 'p', uid: 'u' }, nic: 'eth0', subnet: 'net', ips, mac: '0a:00:00:00:00:05' },
  ...(status === undefined ? {} : { status }),
});
const facts = (over: Partial<PortFacts> = {}): PortFacts => ({
  state: settled,
  programming: { ok: true },
  rivals: [],
  ...over,
});
const derive = (over: Partial<PortFacts>, before?: LogicalPortStatus, generation = 1): LogicalPortStatus =>
  derivePortStatus(makePort(before), facts(over), { now: '2026-01-01T00:00:00Z', generation });

const bound = { boundTo: 'n1' };
const stopped = { state: UNATTACHED };
const failed = { programming: { ok: false as const, problem: { reason: 'OVNUnavailable' as const, message: 'away' } } };

describe('deriveDelay', () => {
  it.each<[string, Partial<PortFacts> | undefined, Partial<PortFacts>, number]>([
    ['a new port that nobody has yet', undefined, stopped, 10_000],
    ['a new port whose pod waits for its chassis', undefined, {}, 5000],
    ['bound, from nothing', undefined, bound, 0],
    ['bound, from waiting', {}, bound, 0],
    ['a new port whose rows failed', undefined, failed, 0],
    ['rows that failed', {}, failed, 0],
    ['rows that are there again', failed, {}, 0],
    ['an older rival', {}, { rivals: ['a/y'] }, 0],
    ['a rival gone', { rivals: ['a/y'] }, stopped, 0],
    ['a change that waits', bound, { ...bound, pending: 'ips 10.0.0.9' }, 0],
    ['a change that is done', { ...stopped, pending: 'ips 10.0.0.9' }, stopped, 0],
    ['a binding that is lost', bound, {}, 5000],
    ['a stop', bound, stopped, 10_000],
    ['a migration that begins', bound, { ...bound, state: prepared }, 0],
    ['a migration that ends', { ...bound, state: prepared }, bound, 0],
    ['retained', bound, { ...stopped, role: 'retained' }, 0],
    ['out of a backup', undefined, { ...stopped, role: 'restored' }, 0],
    ['an address outside of its subnet', bound, { ...bound, outside: '10.9.0.0/24' }, 0],
    ['the Southbound database away', bound, { ...bound, bindingUnknown: true }, 5000],
  ])('%s', (_cause, before, after, expected) => {
    const status = before === undefined ? undefined : derive(before);
    expect(deriveDelay(makePort(status), derive(after, status))).toBe(expected);
  });

  it('only another generation is no hurry', () => {
    const status = derive(bound);
    expect(deriveDelay(makePort(status), derive(bound, status, 2))).toBe(5000);
  });

  it('another node is told at once', () => {
    const moved: MigrationState = { ...settled, node: 'n2', requestedChassis: ['n2'] };
    const status = derive(bound);
    expect(deriveDelay(makePort(status), derive({ state: moved, boundTo: 'n2' }, status))).toBe(0);
  });

  it('a problem of a port without an address is told at once', () => {
    const port = makePort(undefined, []);
    const problem = { reason: 'SubnetFull' as const, message: 'full' };
    const status = derivePortStatus(port, facts({ problem }), { now: '2026-01-01T00:00:00Z', generation: 1 });
    expect(deriveDelay(port, status)).toBe(0);
  });
});
