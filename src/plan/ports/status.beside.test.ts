import { describe, expect, it } from 'vitest';
import { NO_CHASSIS } from '../../api/names.ts';
import type { MigrationState } from '../../migration/input.ts';
import { derivePortStatus, type PortFacts } from './status.ts';
import { makePort } from './testing/nic-walk.ts';

const standby = 'waits for the live migration';
const launcher = (uid: string, node: string) => ({ uid, name: uid, vmiUid: 'i', node, deleting: false, final: false });
/** The guest runs on n1, and nobody carries this port. */
const waiting: MigrationState = {
  phase: 'settled',
  node: 'n1',
  requestedChassis: [NO_CHASSIS],
  holds: [],
  unsupported: false,
};
const taken: MigrationState = {
  phase: 'prepared',
  uid: 'm1',
  source: 'n1',
  target: 'n2',
  node: 'n1',
  requestedChassis: ['n2'],
  holds: [{ launcher: launcher('t1', 'n2'), role: 'Target' }],
  unsupported: false,
};
const derive = (facts: Partial<PortFacts>, port = makePort('blue', 'blue')) =>
  derivePortStatus(
    port,
    { state: waiting, programming: { ok: true }, rivals: [], ...facts },
    { now: '2026-01-01T00:00:00Z', generation: 1 },
  );
const show = (facts: Partial<PortFacts>, port?: ReturnType<typeof makePort>) => {
  const status = derive(facts, port);
  const bound = status.conditions?.find(({ type }) => type === 'Bound');
  return `${status.phase} ${status.node ?? '-'} ${bound?.reason}: ${bound?.message}`;
};

describe('the status of a port that the guest does not have yet', () => {
  it('K6 says that it waits, and belongs to no node though the guest runs', () => {
    expect(show({ standby })).toBe(`Ready - NotAttached: ${standby}`);
  });

  it('K6 the same of a NIC that another plugin makes', () => {
    const port = makePort('blue', 'blue');
    const foreign = { ...port, spec: { ...port.spec, ipamOnly: true } };
    expect(show({ standby }, foreign)).toBe(`Ready - NotAttached: ${standby}`);
  });

  it('K6 is bound on the target before the guest is there', () => {
    expect(show({ state: taken, boundTo: 'n2' })).toBe('Migrating n2 Bound: bound on n2');
  });

  it('K5 has no part in a migration that was over before it was made', () => {
    const last = { uid: 'm0', source: 'n2', target: 'n1' };
    expect(derive({ state: { ...waiting, ...last } }).migration).toBeUndefined();
    const held = { ...waiting, ...last, requestedChassis: ['n1'] as const };
    expect(derive({ state: held }).migration).toMatchObject({ uid: 'm0', phase: 'Settled' });
  });
});

describe('a migration to elsewhere', () => {
  it('is refused with what to do', () => {
    const status = derive({ state: { ...waiting, unsupported: true } });
    const migrating = status.conditions?.find(({ type }) => type === 'Migrating');
    expect(migrating).toMatchObject({ status: 'False', reason: 'MigrationNotSupported' });
    expect(migrating?.message).toContain('delete the VirtualMachineInstanceMigration');
  });
});
