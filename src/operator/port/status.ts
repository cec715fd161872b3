import type { LogicalPort } from '../../api/types.gen.ts';
import { ensureStatus, isNotFound } from '../../kube/index.ts';
import type { MigrationState } from '../../migration/input.ts';
import { formatPortLsp } from '../../plan/lsp.ts';
import { derivePortStatus, type Programming } from '../../plan/port-status.ts';
import type { Turn } from '../context.ts';

export type Facts = { readonly state: MigrationState; readonly programming: Programming };

/** Writes what is true of a port now, if it differs from what its status says; tells the user of a new conflict. */
export async function writeStatus(turn: Turn, port: LogicalPort, { state, programming }: Facts): Promise<void> {
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
  await ensureStatus(turn.api.ports, port, { ...status, node: status.node ?? null }, { signal: turn.signal }).catch(
    (error: unknown) => {
      if (!isNotFound(error)) throw error;
    },
  );
}
