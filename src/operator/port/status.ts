import type { LogicalPort, LogicalPortStatus } from '../../api/types.gen.ts';
import { ensureStatus, isNotFound, type KubeObject, keyOf } from '../../kube/index.ts';
import type { MigrationState } from '../../migration/input.ts';
import { formatPortLsp } from '../../plan/lsp.ts';
import { derivePortStatus, type Programming } from '../../plan/port-status.ts';
import type { Turn } from '../context.ts';

export type Facts = {
  readonly state: MigrationState;
  readonly programming: Programming;
  /** The VM or pod, for events. */
  readonly regarding?: KubeObject | undefined;
};

/** Writes what is true of a port now, if it differs from what its status says; tells what is new as events. */
export async function writeStatus(turn: Turn, port: LogicalPort, facts: Facts): Promise<void> {
  const { state, programming } = facts;
  const binding = turn.bindings.findPortBinding(formatPortLsp(port));
  const rivals = turn.addresses.listOlderRivals(port);
  const boundTo = binding?.up === true ? binding.chassis : undefined;
  const status = derivePortStatus(
    port,
    { state, programming, rivals, ...(boundTo === undefined ? {} : { boundTo }) },
    {
      now: turn.clock
        .date()
        .toISOString()
        .replace(/\.\d+Z$/, 'Z'),
      generation: port.metadata.generation,
    },
  );
  if (rivals.length > 0 && port.status?.phase !== 'Conflict') {
    const note = `holds an address of ${rivals.join(', ')}, which is older`;
    turn.events.record(port, { type: 'Warning', reason: 'AddressConflict', action: 'Programming', note });
  }
  if (programming.ok) reportMigration(turn, port, { migration: status.migration, regarding: facts.regarding });
  await ensureStatus(turn.api.ports, port, { ...status, node: status.node ?? null }, { signal: turn.signal }).catch(
    (error: unknown) => {
      if (!isNotFound(error)) throw error;
    },
  );
}

type Step = { readonly migration: LogicalPortStatus['migration']; readonly regarding: KubeObject | undefined };

/** Each step of a migration once, when the rows say so. */
function reportMigration(turn: Turn, port: LogicalPort, { migration, regarding }: Step): void {
  const before = port.status?.migration;
  if (migration?.phase === undefined || (before?.phase === migration.phase && before.uid === migration.uid)) return;
  const { uid, phase, sourceNode, targetNode } = migration;
  turn.log.info({ port: keyOf(port), uid, phase, sourceNode, targetNode }, 'migration step');
  if (regarding === undefined) return;
  const type = phase === 'RolledBack' ? 'Warning' : 'Normal';
  const note = `NIC ${port.spec.nic}, from ${sourceNode} to ${targetNode}`;
  turn.events.record(regarding, { type, reason: `Migration${phase}`, action: 'Migrating', note });
}
