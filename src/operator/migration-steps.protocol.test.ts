import { describe, expect, it } from 'vitest';
import { COLLECTIONS, until } from '../../test/operator/stage.ts';
import { useStage } from '../../test/operator/use-stage.ts';
import type { Metrics } from '../kube/index.ts';
import { eventually } from '../kube/testing/eventually.ts';

const { stage, guest } = useStage();

type Event = { reason: string; note: string; type: string; regarding: { kind: string; name: string } };

const listEvents = (): string[] =>
  (stage.api.storage.list(COLLECTIONS.events) as unknown as Event[])
    .filter(({ reason }) => reason.startsWith('Migration'))
    .map(({ reason, note, type, regarding }) => `${regarding.kind} ${regarding.name} ${type} ${reason} ${note}`);

/** What was measured and counted, with its labels. */
function createLedger(): Metrics & { readonly entries: string[] } {
  const entries: string[] = [];
  const note = (name: string, labels: Record<string, string> = {}) => {
    if (name.startsWith('migration')) entries.push(`${name} ${Object.values(labels).join()}`);
  };
  return {
    entries,
    count: note,
    observe: (name, value, labels) => note(name, { ...labels, ...(value >= 0 ? {} : { negative: String(value) }) }),
  };
}

const NICS = { default: undefined, one: 'red', two: 'red', three: 'red' };

describe('the steps of a migration', () => {
  it('are told once for all NICs, on the machine and on the migration, and counted once', async () => {
    const ledger = createLedger();
    await stage.start({ metrics: ledger });
    await guest.makeNetworks('red');
    const { vmi } = await guest.run(NICS);
    const move = guest.begin(vmi, NICS, { from: 'n1', to: 'n2' });
    await guest.whenOn('vm/a/db/three', 'n1,n2');
    await eventually('prepared', () => listEvents().length === 2);
    guest.activate(move);
    await eventually('activated', () => listEvents().length === 4);
    guest.succeed(move, 'l1');
    await eventually('settled', () => listEvents().length === 6);
    await eventually('the status', () => guest.findPort('two')?.status?.migration?.phase === 'Settled');
    await guest.settle('p1');
    const note = `NICs default, one, three, two, from n1 to n2 by ${move.name}`;
    const steps = ['MigrationPrepared', 'MigrationActivated', 'MigrationSettled'];
    const objects = ['VirtualMachine db', `VirtualMachineInstanceMigration ${move.name}`];
    const expected = objects.flatMap((object) => steps.map((step) => `${object} Normal ${step} ${note}`));
    expect(listEvents().toSorted()).toEqual(expected.toSorted());
    expect(ledger.entries).toEqual([
      'migration_phase_ms prepare',
      'migration_phase_ms activate',
      'migration_phase_ms commit',
      'migrations_total settled',
    ]);
  });

  it('a roll-back is a warning that names both nodes', async () => {
    const ledger = createLedger();
    await stage.start({ metrics: ledger });
    const { vmi } = await guest.run({ default: undefined });
    const move = guest.begin(vmi, {}, { from: 'n1', to: 'n2' });
    await guest.whenOn('vm/a/db/default', 'n1,n2');
    guest.tell(move);
    await eventually('prepared', () => ledger.entries.length === 1);
    guest.fail(move);
    await eventually('told', () => listEvents().some((event) => event.includes('RolledBack')));
    expect(listEvents()).toContain(
      `VirtualMachine db Warning MigrationRolledBack NIC default, from n1 to n2 by ${move.name}`,
    );
    await eventually('counted', () => ledger.entries.includes('migrations_total rolledBack'));
    expect(ledger.entries).toContain('migration_phase_ms rollback');
  });

  it('one to another cluster is refused, and the machine, its migration and its port say what to do', async () => {
    const ledger = createLedger();
    await stage.start({ metrics: ledger });
    await guest.run({ default: undefined });
    stage.api.storage.create(COLLECTIONS.vmims, {
      metadata: { name: 'away', namespace: 'a' },
      spec: { vmiName: 'db', sendTo: { migrationID: 'x', connectURL: 'y' } },
      status: { phase: 'Scheduling' },
    } as never);
    await eventually(
      'the condition',
      () => guest.getCondition('Migrating', 'default')?.reason === 'MigrationNotSupported',
    );
    expect(guest.getCondition('Migrating', 'default')?.message).toContain('delete the VirtualMachineInstanceMigration');
    await eventually('the events', () => listEvents().length === 2);
    expect(
      listEvents()
        .map((event) => event.split(' ').slice(0, 4).join(' '))
        .toSorted(),
    ).toEqual([
      'VirtualMachine db Warning MigrationNotSupported',
      'VirtualMachineInstanceMigration away Warning MigrationNotSupported',
    ]);
    expect(ledger.entries).toEqual(['migrations_total unsupported']);
    await guest.whenOn('vm/a/db/default', 'n1');
  });

  it('a bare VMI is told of its own', async () => {
    await stage.start();
    const vmi = guest.cast.vmi('db');
    guest.cast.launcher('l1', vmi, { node: 'n1' });
    guest.cast.setStatus('vmis', 'a/db', { phase: 'Running', nodeName: 'n1' });
    await until('its port', async () => (await stage.listLsps()).get('vmi/a/db/default')?.chassis === 'n1');
    guest.begin(vmi, {}, { from: 'n1', to: 'n2' });
    await eventually('told', () => listEvents().length === 2);
    expect(listEvents().some((event) => event.startsWith('VirtualMachineInstance db Normal MigrationPrepared '))).toBe(
      true,
    );
  });
});
