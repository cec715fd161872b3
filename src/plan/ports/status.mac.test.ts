import { describe, expect, it } from 'vitest';
import type { LogicalPort } from '../../api/types.gen.ts';
import type { MigrationState } from '../../migration/input.ts';
import { makeLogicalPort, UNATTACHED } from './logical-port.ts';
import type { MacStanding } from './mac-turns.ts';
import { derivePortStatus, type PortFacts } from './status.ts';

const HELD: MigrationState = {
  phase: 'settled',
  node: 'n1',
  requestedChassis: ['n1'],
  holds: [
    {
      launcher: { uid: 'p1', name: 'p1', vmiUid: 'i', node: 'n1', deleting: false, final: false },
      role: 'Source',
    },
  ],
  unsupported: false,
};
const PORT: LogicalPort = makeLogicalPort({
  namespace: 'a',
  owner: { kind: 'VirtualMachine', name: 'db', uid: 'v1' },
  request: { nic: 'default', interface: 'eth0', subnet: 'default', absent: false },
  lease: { ips: ['10.0.0.2'], mac: '02:00:00:00:00:07' },
  attachments: [],
});
const TAKEN: MacStanding = { kind: 'taken', other: 'a/web.default.vm' };
const RESTING: MacStanding = { kind: 'resting', other: 'a/web.default.vm' };

function derive(over: Partial<PortFacts>, port = PORT): Record<string, string> {
  const facts: PortFacts = { state: HELD, programming: { ok: true }, rivals: [], ...over };
  const { phase, conditions = [] } = derivePortStatus(port, facts, { now: '2026-01-01T00:00:00Z', generation: 1 });
  return Object.fromEntries([
    ['phase', phase],
    ...conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  ]);
}
const CONFLICT = { phase: 'Conflict', Allocated: 'False AddressConflict', Programmed: 'False AddressConflict' };

describe('a port whose MAC others have, too', () => {
  it.each<[string, Partial<PortFacts>, Record<string, string>]>([
    [
      'whose turn it is',
      { boundTo: 'n1' },
      { phase: 'Bound', Allocated: 'True Allocated', Programmed: 'True Programmed' },
    ],
    ['that waits for another one to stop', { mac: TAKEN }, { ...CONFLICT, Bound: 'False WaitingForChassis' }],
    [
      'that nobody holds',
      { mac: RESTING, state: UNATTACHED },
      { phase: 'Ready', Allocated: 'True Allocated', Programmed: 'False NotAttached', Bound: 'False NotAttached' },
    ],
    ['that has an older rival besides', { mac: TAKEN, rivals: ['a/x'] }, CONFLICT],
    [
      'that waits while OVN is away',
      { mac: TAKEN, programming: { ok: false, problem: { reason: 'OVNUnavailable', message: '' } } },
      { phase: 'Conflict', Allocated: 'False AddressConflict', Programmed: 'False OVNUnavailable' },
    ],
  ])('%s', (_cause, over, expected) => {
    expect(derive(over)).toMatchObject(expected);
  });

  it('that waits names the other one and the MAC in its condition', () => {
    const facts: PortFacts = { state: HELD, programming: { ok: true }, rivals: [], mac: TAKEN };
    const { conditions } = derivePortStatus(PORT, facts, { now: '2026-01-01T00:00:00Z', generation: 1 });
    const [allocated] = conditions ?? [];
    expect(allocated?.message).toContain('MAC 02:00:00:00:00:07 is in use by LogicalPort a/web.default.vm');
  });
});
